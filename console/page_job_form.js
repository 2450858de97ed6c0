// A new job, a copy of one, or changes to one: every field, checked by the API itself.

import { newKey, readDocument } from "./api.js";
import { h } from "./dom.js";
import { GROUPS, changed, fieldsOf, toBody, toForm } from "./job_fields.js";
import { fieldInput } from "./job_inputs.js";
import { link } from "./routes.js";
import { SchedulePreview } from "./schedule_preview.js";

/** Their errors stand beside their rows. */
const PAIRS = new Set(["env", "secrets"]);

export function openJobForm(page) {
  const form = new JobForm(page);
  page.title(form.title);
  page.poll(() => form.load(), () => null);
}

class JobForm {
  constructor(page) {
    const { route } = page;
    this.page = page;
    this.editedId = route.page === "edit" ? route.job : null;
    this.sourceId = this.editedId ?? route.options.from ?? null;
    this.title = this.editedId ? "Edit job" : this.sourceId ? "Duplicate job" : "New job";
    this.preview = new SchedulePreview(page, () => this.redraw());
    this.fields = null;
    this.isBusy = false;
    // One key for one content: pressing twice, or again after no answer came, creates one job.
    this.key = newKey();
  }

  async load() {
    if (this.fields) return;
    const { project, signal } = this.page;
    const [openapi, source] = await Promise.all([
      readDocument("openapi.json", signal), this.sourceId && project.job(this.sourceId),
    ]);
    this.fields = fieldsOf(openapi);
    this.begin(source ?? { data: null, version: null });
    document.getElementById("field-name")?.focus();
  }

  /** Fill the form with a job, as it is now, or with a new job's defaults. */
  begin({ data, version }) {
    Object.assign(this, { job: data, version, error: null, errors: {}, conflict: null });
    this.first = toForm(this.fields, data);
    this.values = { ...this.first };
    if (data && !this.editedId) this.values.name = `${data.name} copy`;
    this.preview.ask(this.values.schedule, this.values.timezone);
    this.redraw();
  }

  edit(name, value) {
    this.values = { ...this.values, [name]: value };
    this.errors = Object.fromEntries(Object.entries(this.errors).filter(([field]) =>
      field !== name && !field.startsWith(`${name}.`)));
    this.key = newKey();
    if (name === "schedule" || name === "timezone") {
      this.preview.ask(this.values.schedule, this.values.timezone);
    }
    this.redraw();
  }

  /** `version` is the one that may be overwritten; null: whichever there is. */
  async submit(event, version) {
    event.preventDefault();
    if (this.isBusy) return;
    Object.assign(this, { isBusy: true, error: null, errors: {}, conflict: null });
    this.redraw();
    try {
      const job = await (this.editedId ? this.save(version) : this.create());
      this.page.say(this.editedId ? "Saved; it takes effect on the next run." : `${job.name} was created.`);
      location.hash = link(this.page.route, "job", { job: job.id });
    } catch (error) {
      this.refused(error);
    }
  }

  async create() {
    const body = toBody(this.fields, this.values);
    const headers = { "Idempotency-Key": this.key };
    return (await this.page.project.change("POST", "/jobs", { body, headers })).data;
  }

  async save(version) {
    const body = changed(this.fields, this.first, this.values);
    if (!Object.keys(body).length) return this.job;
    return this.page.project.update(this.editedId, body, version);
  }

  refused(error) {
    this.isBusy = false;
    if (error.isSignedOut) return this.page.failed(error);
    const names = new Set(this.fields.map(({ name }) => name));
    const unplaced = [];
    for (const { field, message } of error.errors) {
      // An error of one entry, such as tags.0, stands beside the whole field.
      const [whole] = field.split(".");
      this.errors[PAIRS.has(whole) ? field : whole] = message;
      if (!names.has(whole)) unplaced.push(`${field}: ${message}`);
    }
    if (error.status === 412) this.conflict = error.message;
    else if (!error.errors.length) this.error = error.message;
    else if (unplaced.length) this.error = unplaced.join("; ");
    this.redraw();
    document.querySelector("form [aria-invalid=true], form .is-bad")?.focus();
  }

  async takeTheirs() {
    const theirs = await this.page.attempt(() => this.page.project.job(this.editedId));
    if (theirs) this.begin(theirs);
  }

  redraw() {
    if (this.values) this.page.draw(this.view());
  }

  view() {
    const { job, editedId, sourceId, isBusy, page } = this;
    const back = link(page.route, sourceId ? "job" : "jobs", { job: sourceId });
    return [
      h("div", { class: "heading" },
        h("h1", null, this.title, editedId && [": ", h("bdi", null, job.name)])),
      editedId && job.managed_by && h("p", { class: "notice" },
        "The manifest ", h("bdi", null, job.managed_by),
        " manages this job: its next apply undoes what it does not say."),
      h("form", {
        class: "job-form", novalidate: true, on: { submit: (event) => this.submit(event, this.version) },
      },
      GROUPS.map((group) => this.group(group)),
      this.problems(),
      h("div", { class: "actions" },
        h("a", { class: "button", href: back }, "Cancel"),
        h("button", { class: "primary", type: "submit", disabled: isBusy },
          isBusy ? "Saving…" : editedId ? "Save" : "Create job"))),
    ];
  }

  group(group) {
    const members = this.fields.filter((field) => field.group === group);
    if (!members.length) return null;
    const edit = (name, value) => this.edit(name, value);
    return h("fieldset", { class: "card", key: group },
      h("legend", null, group),
      h("div", { class: "fields" }, members.map((field) => fieldInput(field, this.values, this.errors, edit,
        field.name === "schedule" ? this.preview.view() : null))));
  }

  problems() {
    const { error, errors, conflict } = this;
    return h("div", { role: "alert" },
      error && h("p", { class: "notice is-bad", tabindex: "-1" }, error),
      Object.keys(errors).length > 0 && h("p", { class: "notice is-bad" },
        "Not saved. What is wrong stands beside the fields."),
      conflict && h("div", { class: "notice is-bad", tabindex: "-1" },
        h("p", null, conflict, " Somebody else has changed it since you opened this page."),
        h("button", { type: "button", on: { click: () => this.takeTheirs() } }, "Load the present version"),
        " ",
        h("button", { type: "button", on: { click: (event) => this.submit(event, null) } },
          "Save mine over it")));
  }
}
