// A new job, a copy of one, or changes to one: every field, checked by the API itself.

import { newKey, readDocument } from "./api.js";
import { h } from "./dom.js";
import { GROUPS, changed, fieldsOf, toBody, toForm } from "./job_fields.js";
import { fieldInput } from "./job_inputs.js";
import { link } from "./routes.js";
import { schedulePreview } from "./schedule_preview.js";

export function openJobForm(page) {
  const { route, project } = page;
  const editedId = route.page === "edit" ? route.job : null;
  const sourceId = editedId ?? route.options.from ?? null;
  const title = editedId ? "Edit job" : sourceId ? "Duplicate job" : "New job";
  const state = {
    fields: null, values: null, first: null, job: null, version: null,
    error: null, errors: {}, conflict: null, isBusy: false,
  };
  let key = newKey();
  const preview = schedulePreview(page, redraw);
  page.title(title);
  page.poll(load, () => null);

  async function load() {
    if (state.fields) return;
    const [openapi, source] = await Promise.all([
      readDocument("openapi.json", page.signal), sourceId && project.job(sourceId),
    ]);
    state.fields = fieldsOf(openapi);
    if (source) begin(source);
    else state.values = state.first = toForm(state.fields, null);
    askPreview();
    redraw();
    document.getElementById("field-name")?.focus();
  }

  /** Fill the form with a job, as it is now. */
  function begin({ data, version }) {
    state.first = toForm(state.fields, data);
    state.values = state.first;
    Object.assign(state, { job: data, version, error: null, errors: {}, conflict: null });
    if (!editedId) state.values = { ...state.first, name: `${data.name} copy` };
  }

  function askPreview() {
    preview.ask(state.values.schedule, state.values.timezone);
  }

  function edit(name, value) {
    state.values = { ...state.values, [name]: value };
    const { [name]: _, ...errors } = state.errors;
    state.errors = errors;
    key = newKey();
    if (name === "schedule" || name === "timezone") askPreview();
    redraw();
  }

  async function submit(event, version = state.version) {
    event.preventDefault();
    if (state.isBusy) return;
    Object.assign(state, { isBusy: true, error: null, errors: {}, conflict: null });
    redraw();
    try {
      const job = await (editedId ? save(version) : create());
      page.say(editedId ? "Saved; it takes effect on the next run." : `${job.name} was created.`);
      location.hash = link(route, "job", { job: job.id });
    } catch (error) {
      refused(error);
    }
  }

  async function create() {
    const body = toBody(state.fields, state.values);
    const headers = { "Idempotency-Key": key };
    return (await project.change("POST", "/jobs", { body, headers })).data;
  }

  async function save(version) {
    const body = changed(state.fields, state.first, state.values);
    if (!Object.keys(body).length) return state.job;
    return project.update(editedId, body, version);
  }

  function refused(error) {
    state.isBusy = false;
    if (error.isSignedOut) return page.failed(error);
    if (error.status === 412) state.conflict = error.message;
    else state.error = error.errors.length ? null : error.message;
    for (const { field, message } of error.errors) {
      // An error of one entry, such as env.NAME or tags.0, is also the whole field's.
      const whole = field.split(".")[0];
      state.errors[field] = message;
      if (!PAIRS.has(whole) && whole !== field) state.errors[whole] = message;
    }
    const names = new Set(state.fields.map(({ name }) => name));
    const unplaced = error.errors.filter(({ field }) => !names.has(field.split(".")[0]));
    if (unplaced.length) state.error = unplaced.map((each) => `${each.field}: ${each.message}`).join("; ");
    redraw();
    document.querySelector("form [aria-invalid=true], form .is-bad")?.focus();
  }

  async function takeTheirs() {
    const theirs = await page.attempt(() => project.job(editedId));
    if (!theirs) return;
    begin(theirs);
    askPreview();
    redraw();
  }

  function redraw() {
    if (state.values) page.draw(view());
  }

  function view() {
    const { fields, values, errors, error, conflict, job, isBusy } = state;
    const back = link(route, sourceId ? "job" : "jobs", { job: sourceId });
    return [
      h("div", { class: "heading" },
        h("h1", null, title, editedId && [": ", h("bdi", null, job.name)])),
      job?.managed_by && editedId && h("p", { class: "notice" },
        `The manifest ${job.managed_by} manages this job: the next apply undoes what it does not have.`),
      h("form", { class: "job-form", novalidate: true, on: { submit } },
        GROUPS.map((group) => groupOf(group, fields.filter((field) => field.group === group))),
        h("div", { role: "alert" },
          error && h("p", { class: "notice is-bad", tabindex: "-1" }, error),
          Object.keys(errors).length > 0 && h("p", { class: "notice is-bad" },
            "Not saved. What is wrong stands beside the fields."),
          conflict && h("div", { class: "notice is-bad", tabindex: "-1" },
            h("p", null, conflict, " Somebody else has changed it since you opened this page."),
            h("button", { type: "button", on: { click: takeTheirs } }, "Load the present version"), " ",
            h("button", { type: "button", on: { click: (event) => submit(event, null) } }, "Save mine over it"))),
        h("div", { class: "actions" },
          h("a", { class: "button", href: back }, "Cancel"),
          h("button", { class: "primary", type: "submit", disabled: isBusy },
            isBusy ? "Saving…" : editedId ? "Save" : "Create job"))),
    ];

    function groupOf(group, members) {
      if (!members.length) return null;
      return h("fieldset", { class: "card", key: group },
        h("legend", null, group),
        h("div", { class: "fields" }, members.map((field) => fieldInput(field, values, errors, edit,
          field.name === "schedule" ? preview.view() : null))));
    }
  }
}

const PAIRS = new Set(["env", "secrets"]);
