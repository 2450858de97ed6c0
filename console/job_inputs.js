// The form's elements: one for each kind of field, with its help and the API's errors beside it.

import { h } from "./dom.js";
import { pairsEditor } from "./pairs.js";
import { duration, viewerZone } from "./times.js";

/** What Fargate has for each CPU, to choose from; the API decides. */
const MEMORY = {
  0.25: [512, 1024, 2048],
  0.5: sizes(1, 4, 1),
  1: sizes(2, 8, 1),
  2: sizes(4, 16, 1),
  4: sizes(8, 30, 1),
  8: sizes(16, 60, 4),
  16: sizes(32, 120, 8),
};

function sizes(from, to, step) {
  const all = [];
  for (let gib = from; gib <= to; gib += step) all.push(gib * 1024);
  return all;
}

/** One field. `extra` follows its element, such as what a schedule means. */
export function fieldInput(field, values, errors, edit, extra = null) {
  const { name, label, kind } = field;
  const error = errors[name];
  const ids = [field.help && `help-${name}`, error && `error-${name}`].filter(Boolean).join(" ");
  const shared = {
    id: `field-${name}`,
    "aria-describedby": ids || null,
    "aria-invalid": error ? "true" : null,
  };
  const element = ELEMENTS[kind](field, values[name], (value) => edit(name, value), shared, errors);
  const isGroup = kind === "pairs" || kind === "choices";
  return h("div", { class: `field field-${name} kind-${kind}`, key: name },
    isGroup ? h("span", { class: "field-label", id: `label-${name}` }, label)
      : kind !== "flag" && h("label", { class: "field-label", for: shared.id }, label,
        field.isRequired && h("span", { class: "faint" }, " (required)")),
    element,
    name.endsWith("_seconds") && values[name] > 0 &&
      h("p", { class: "help" }, `That is ${duration(values[name] * 1000)}.`),
    error && h("p", { class: "field-error", id: `error-${name}` }, error),
    extra,
    field.help && h("p", { class: "help", id: `help-${name}` }, field.help),
    list(field, values));
}

const ELEMENTS = {
  text: (field, value, set, shared) => h("input", {
    ...shared,
    value,
    placeholder: field.placeholder,
    list: field.list && `list-${field.name}`,
    required: field.isRequired,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    on: { input: (event) => set(event.target.value) },
  }),
  number: (field, value, set, shared) => h("input", {
    ...shared,
    value,
    list: field.list && `list-${field.name}`,
    inputmode: "numeric",
    autocomplete: "off",
    on: { input: (event) => set(event.target.value) },
  }),
  words: (field, value, set, shared) => h("textarea", {
    ...shared,
    value,
    rows: Math.min(8, value.split("\n").length + 1),
    placeholder: field.placeholder,
    spellcheck: "false",
    on: { input: (event) => set(event.target.value) },
  }),
  tags: (field, value, set, shared) => ELEMENTS.text(field, value, set, shared),
  choice: (field, value, set, shared) => h("select", {
    ...shared, value, on: { change: (event) => set(event.target.value) },
  }, field.choices.map((choice) => h("option", { key: choice, value: String(choice) },
    String(choice)))),
  flag: (field, value, set, shared) => h("label", { class: "switch" },
    h("input", { ...shared, type: "checkbox", checked: value, on: { change: (event) => set(event.target.checked) } }),
    h("span", null, field.label)),
  choices: (field, value, set, shared) => h("div", {
    role: "group", "aria-labelledby": `label-${field.name}`, "aria-describedby": shared["aria-describedby"],
  }, field.choices.map((choice) => h("label", { class: "switch", key: choice },
    h("input", {
      type: "checkbox",
      checked: value.includes(choice),
      on: {
        change: (event) => set(field.choices.filter((each) =>
          each === choice ? event.target.checked : value.includes(each))),
      },
    }),
    h("span", null, choice)))),
  pairs: (field, value, set, shared, errors) => pairsEditor({ ...field, field: field.name, pairs: value, edit: set, errors }),
};

function list({ list: kind, name }, values) {
  if (!kind) return null;
  const choices = kind === "zones" ? zones() : MEMORY[values.cpu] ?? [];
  return h("datalist", { id: `list-${name}` },
    choices.map((choice) => h("option", { key: choice, value: String(choice) })));
}

/** The viewer's own first. */
function zones() {
  const all = Intl.supportedValuesOf("timeZone");
  return [viewerZone, "UTC", ...all.filter((zone) => zone !== viewerZone && zone !== "UTC")];
}
