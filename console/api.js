// The public API, as the console uses it. It needs nothing that others cannot use too.

import * as session from "./session.js";
import { learnClock } from "./times.js";

/** What the API, or the way to it, refused: `message` is the API's own wherever there is one. */
export class ApiError extends Error {
  constructor(status, code, message, { errors = [], retryAfter = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    /** `[{field, message}]` of a 422. */
    this.errors = errors;
    /** Seconds. */
    this.retryAfter = retryAfter;
  }

  /** Whether the token is not, or no longer, valid. */
  get isSignedOut() {
    return this.status === 401;
  }

  /** Whether the same request may succeed later. */
  get mayPass() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

// The page is at …/console, whatever stage prefix API Gateway puts before it.
const BASE = new URL(".", location.href.split("#")[0]).href.replace(/\/console\/$/, "/");

/** Send a request and answer `{data, version}`: the envelope's data, and the ETag's version. */
export async function send(method, path, { query, body, headers, signal } = {}) {
  const url = new URL(BASE + path.replace(/^\//, ""));
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.append(name, value);
  }
  const all = { Authorization: `Bearer ${session.token() ?? ""}`, ...headers };
  if (body !== undefined) all["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    answer = await fetch(url, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
      credentials: "omit",
    });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The API does not answer. Is this machine connected?");
  }
  learnClock(answer.headers.get("Date"));
  return read(answer, text);
}

function read(answer, text) {
  let envelope;
  try {
    envelope = JSON.parse(text);
  } catch {
    // Such as a proxy's own page.
    envelope = { message: `The answer was no JSON (${answer.status}).`, code: "no_json" };
    if (answer.ok) throw new ApiError(502, envelope.code, envelope.message);
  }
  if (!answer.ok) {
    const retryAfter = Number(answer.headers.get("Retry-After")) || null;
    const errors = envelope.data?.errors ?? [];
    const message = envelope.message ?? `The API answered ${answer.status}.`;
    throw new ApiError(answer.status, envelope.code, message, { errors, retryAfter });
  }
  return { data: envelope.data, version: answer.headers.get("ETag"), message: envelope.message };
}

/** A document of the API without an envelope, such as openapi.json. */
export async function readDocument(name, signal) {
  try {
    return await (await fetch(new URL(BASE + name), { signal, credentials: "omit" })).json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The API does not answer. Is this machine connected?");
  }
}

/** A key that makes a repeated POST harmless. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The API's calls within one project, each ending with `signal`. */
export class Project {
  constructor({ workspace, project }, signal) {
    this.route = { workspace, project };
    this.path = `/workspaces/${workspace}/projects/${project}`;
    this.signal = signal;
  }

  /** The same, ending with another signal. */
  with(signal) {
    return new Project(this.route, signal);
  }

  async get(path, query) {
    return (await send("GET", this.path + path, { query, signal: this.signal })).data;
  }

  jobs(query) {
    return this.get("/jobs", query);
  }

  job(id) {
    return send("GET", `${this.path}/jobs/${id}`, { signal: this.signal });
  }

  runs(job, query) {
    return this.get(`/jobs/${job}/runs`, query);
  }

  /** What changes something goes on when the page is left. */
  async change(method, path, { body, headers } = {}) {
    return send(method, this.path + path, { body, headers });
  }

  async trigger(job, body, key) {
    const headers = { "Idempotency-Key": key };
    return (await this.change("POST", `/jobs/${job}/runs`, { body, headers })).data;
  }

  async update(job, body, version) {
    const headers = version ? { "If-Match": version } : {};
    return (await this.change("PATCH", `/jobs/${job}`, { body, headers })).data;
  }
}

/** Every record of a list, page after page, until there are `most`: `{records, isComplete}`. */
export async function readAll(readPage, name, { limit, most }) {
  const records = [];
  let cursor;
  do {
    const page = await readPage({ limit, cursor });
    records.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && records.length < most);
  return { records, isComplete: !cursor };
}
