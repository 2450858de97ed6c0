// What a project without jobs shows: the first thing to do, and the command to paste.

import { h } from "./dom.js";
import { link } from "./routes.js";

export function emptyProject(route) {
  const command = [
    `export JOBYARD_PROJECT=${route.project}`,
    "jobyard create hello --image public.ecr.aws/docker/library/busybox:1.36 \\",
    "    -- sh -c 'echo started; sleep 3; echo done'",
    "jobyard run hello --follow",
  ].join("\n");
  return h("section", { class: "empty" },
    h("h1", null, "No jobs yet"),
    h("p", null, "A job is a container image with a command, and a schedule if it should run by itself."),
    h("p", null, h("a", { class: "button primary", href: link(route, "new") }, "Create the first job")),
    h("p", null, "Or from a shell (", h("code", null, "pipx install ."),
      " and ", h("code", null, "jobyard login"), " first; on the local stack ",
      h("code", null, ". .local/env"), "):"),
    copyable(command));
}

/** Text with a button that copies it. */
export function copyable(text) {
  return h("div", { class: "copyable" },
    h("pre", { tabindex: "0", "aria-label": "Command" }, text),
    h("button", { on: { click: (event) => copy(event.currentTarget, text) } }, "Copy"));
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // The browser forbids it, as it may: select the text, so that the keyboard copies it.
    const range = document.createRange();
    range.selectNodeContents(button.previousElementSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Press Ctrl+C";
  }
}
