// Run now: as the job is, or with another command and other variables for this one run.

import { newKey } from "./api.js";
import { openDialog } from "./dialogs.js";
import { h } from "./dom.js";
import { fromPairs, pairsEditor } from "./pairs.js";
import { link } from "./routes.js";
import { read, join } from "./shell_words.js";

/** `command` is what the field begins with. After the run was triggered, the user goes to its page. */
export function openRunDialog(page, job, command = "") {
  const state = { command, pairs: [], error: null, errors: {}, isBusy: false };
  // One key for this dialog: pressing twice, or again after no answer came, starts one run.
  let key = newKey();
  openDialog(`Run ${job.name} now`, (close, redraw) => {
    function edit(change) {
      Object.assign(state, change);
      key = newKey();
      redraw();
    }

    async function submit(event) {
      event.preventDefault();
      if (state.isBusy) return;
      Object.assign(state, { isBusy: true, error: null, errors: {} });
      redraw();
      try {
        const run = await page.project.trigger(job.id, overrides(state), key);
        close();
        location.hash = link(page.route, "run", { job: job.id, run: run.id });
      } catch (error) {
        const errors = Object.fromEntries((error.errors ?? []).map((each) => [each.field, each.message]));
        Object.assign(state, { isBusy: false, error: error.message, errors });
        redraw();
      }
    }
    return view(job, state, { edit, submit, close });
  });
}

function overrides({ command, pairs }) {
  const body = {};
  const words = read(command);
  if (words !== null) body.command = words;
  const env = fromPairs(pairs);
  if (Object.keys(env).length) body.env = env;
  return Object.keys(body).length ? body : undefined;
}

function view(job, state, { edit, submit, close }) {
  const own = job.command ? join(job.command) : "the image's own";
  return h("form", { class: "dialog", on: { submit } },
    h("h2", null, "Run ", h("bdi", null, job.name), " now"),
    h("label", null, h("span", null, "Command"),
      h("textarea", {
        rows: 2,
        spellcheck: "false",
        placeholder: own,
        value: state.command,
        "aria-describedby": "run-command-help",
        on: { input: (event) => edit({ command: event.target.value }) },
      })),
    h("p", { id: "run-command-help", class: "help" },
      "Empty: as the job says. No shell is run, so quote as for a shell, or write a JSON list."),
    state.errors.command && h("p", { class: "field-error" }, state.errors.command),
    h("h3", null, "Variables to add or change"),
    pairsEditor({
      field: "env",
      label: "Variables for this run",
      valueLabel: "Value",
      addLabel: "Add a variable",
      pairs: state.pairs,
      errors: state.errors,
      edit: (pairs) => edit({ pairs }),
    }),
    h("div", { role: "alert" }, state.error && h("p", { class: "notice is-bad" }, state.error)),
    h("div", { class: "actions" },
      h("button", { type: "button", on: { click: close } }, "Cancel"),
      h("button", { class: "primary", type: "submit", disabled: state.isBusy },
        state.isBusy ? "Starting…" : "Run now")));
}
