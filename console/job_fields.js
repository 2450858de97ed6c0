// The fields of a job as the form shows them: made from the API's own description of a job.

import { fromPairs, toPairs } from "./pairs.js";
import * as words from "./shell_words.js";

/** What the form knows beyond the description: where a field stands, its label, its kind. */
const KNOWN = {
  name: { group: "What runs", label: "Name" },
  image: { group: "What runs", label: "Image", placeholder: "public.ecr.aws/docker/library/busybox:1.36" },
  command: { group: "What runs", label: "Command", kind: "words", placeholder: "sh -c 'echo started; sleep 3'" },
  entrypoint: { group: "What runs", label: "Entrypoint", kind: "words" },
  schedule: { group: "When", label: "Schedule", placeholder: "0 3 * * 1-5" },
  timezone: { group: "When", label: "Time zone", list: "zones" },
  paused: { group: "When", label: "Paused" },
  concurrency_policy: { group: "When", label: "While a run is in flight, a due slot" },
  max_concurrent_runs: { group: "When", label: "Runs in flight at most" },
  jitter_seconds: { group: "When", label: "Start later by up to, in seconds" },
  starting_deadline_seconds: { group: "When", label: "Starting deadline in seconds" },
  cpu: { group: "Resources", label: "CPU in vCPU", kind: "choice", choices: ["0.25", "0.5", "1", "2", "4", "8", "16"] },
  memory_mib: { group: "Resources", label: "Memory in MiB", list: "memory" },
  architecture: { group: "Resources", label: "Architecture" },
  capacity: { group: "Resources", label: "Capacity" },
  timeout_seconds: { group: "When it fails", label: "Time-out of an attempt in seconds" },
  max_retries: { group: "When it fails", label: "Retries" },
  notify: { group: "When it fails", label: "Notify when" },
  env: { group: "Environment", label: "Variables", kind: "pairs", valueLabel: "Value", addLabel: "Add a variable" },
  secrets: { group: "Environment", label: "Secrets", kind: "pairs", valueLabel: "ARN of a secret or parameter", addLabel: "Add a secret" },
  task_role_arn: { group: "Environment", label: "Task role" },
  tags: { group: "Environment", label: "Tags", kind: "tags", placeholder: "team=data nightly" },
};
export const GROUPS = ["What runs", "When", "Resources", "When it fails", "Environment", "More"];
/** Of manifests alone: who changes a job by hand does not make it a manifest's. */
const LEFT_OUT = new Set(["managed_by"]);

/** `[{name, group, label, kind, …}]` from the OpenAPI document's `JobSpec`, in the form's order. */
export function fieldsOf(openapi) {
  const spec = openapi.components.schemas.JobSpec;
  const described = Object.keys(spec.properties).filter((name) => !LEFT_OUT.has(name));
  const known = Object.keys(KNOWN).filter((name) => described.includes(name));
  const others = described.filter((name) => !KNOWN[name]);
  return [...known, ...others].map((name) => fieldOf(name, spec.properties[name], spec.required ?? []));
}

function fieldOf(name, property, required) {
  const schema = property.anyOf?.find((part) => part.type !== "null") ?? property;
  const label = name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
  return {
    name,
    group: "More",
    label,
    kind: kindOf(schema),
    choices: schema.enum ?? schema.items?.enum,
    min: schema.minimum,
    max: schema.maximum,
    // The API speaks of null, which an empty field stands for, and marks what is code.
    help: (property.description ?? schema.description ?? "").replaceAll("null:", "empty:").replaceAll("`", ""),
    isRequired: required.includes(name),
    unset: property.default ?? null,
    ...KNOWN[name],
  };
}

function kindOf(schema) {
  if (schema.type === "boolean") return "flag";
  if (schema.enum) return "choice";
  if (schema.items?.enum) return "choices";
  if (schema.type === "integer" || schema.type === "number") return "number";
  return "text";
}

/** What the form's elements hold for `job`; without one, a new job's defaults. */
export function toForm(fields, job) {
  return Object.fromEntries(fields.map((field) => {
    const value = job?.[field.name] ?? field.unset;
    return [field.name, toField(field.kind, value)];
  }));
}

function toField(kind, value) {
  if (kind === "pairs") return toPairs(value);
  if (kind === "words") return value ? words.join(value) : "";
  if (kind === "tags") return (value ?? []).join(" ");
  if (kind === "choices") return value ?? [];
  if (kind === "flag") return value === true;
  return value === null ? "" : String(value);
}

/** The body that the form means: a field that is empty has its default, which null stands for. */
export function toBody(fields, values) {
  return Object.fromEntries(fields.map((field) => [field.name, fromField(field, values[field.name])]));
}

function fromField({ kind, isRequired }, value) {
  if (kind === "pairs") return fromPairs(value);
  if (kind === "words") return words.read(value);
  if (kind === "tags") return value.split(/[\s,]+/).filter(Boolean);
  if (kind === "choices" || kind === "flag") return value;
  if (value.trim() === "" && !isRequired) return null;
  const isNumber = kind === "number" || (kind === "choice" && /^[\d.]+$/.test(value));
  // What is no number goes as it is: the API says what is wrong with it.
  return isNumber && Number.isFinite(Number(value)) ? Number(value) : value;
}

/** Of `body`, what the form has changed since it held `first`. */
export function changed(fields, first, values) {
  const [before, after] = [toBody(fields, first), toBody(fields, values)];
  return Object.fromEntries(Object.entries(after).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(before[name])));
}
