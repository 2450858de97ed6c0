// Dialogs: one at a time, as the browser's own modal `dialog`, which keeps the focus and closes on Esc.

import { draw, h } from "./dom.js";

let open = null;

export function closeDialogs() {
  open?.close();
}

/**
 * Open a dialog. `view(close, redraw)` describes its content each time it is drawn.
 *
 * Focus goes back to where it was when the dialog closes.
 */
export function openDialog(label, view) {
  closeDialogs();
  const before = document.activeElement;
  const element = document.createElement("dialog");
  element.setAttribute("aria-label", label);
  document.body.append(element);
  const close = () => element.close();
  const redraw = () => draw(element, view(close, redraw));
  element.addEventListener("close", () => {
    draw(element);
    element.remove();
    if (open === element) open = null;
    if (before?.isConnected) before.focus();
  });
  // A press that begins on the backdrop lands on the dialog itself.
  element.addEventListener("mousedown", (event) => {
    if (event.target === element) close();
  });
  redraw();
  element.showModal();
  open = element;
}

/** Ask before something that cannot be undone; `typed` is what has to be typed first. */
export function confirm({ title, text, action, typed = null, act }) {
  let written = "";
  let isBusy = false;
  let error = null;
  openDialog(title, (close, redraw) => {
    async function submit(event) {
      event.preventDefault();
      if (isBusy) return;
      isBusy = true;
      redraw();
      try {
        await act();
        close();
      } catch (caught) {
        isBusy = false;
        error = caught.message;
        redraw();
      }
    }
    return h("form", { class: "dialog", on: { submit } },
      h("h2", null, title),
      h("p", null, text),
      typed !== null && h("label", null,
        h("span", null, "Type ", h("strong", null, h("bdi", null, typed)), " to go on"),
        h("input", {
          id: "typed",
          autocomplete: "off",
          spellcheck: "false",
          value: written,
          on: { input: (event) => { written = event.target.value; redraw(); } },
        })),
      h("div", { role: "alert" }, error && h("p", { class: "notice is-bad" }, error)),
      h("div", { class: "actions" },
        h("button", { type: "button", on: { click: close } }, "Keep it"),
        h("button", {
          class: "danger",
          type: "submit",
          disabled: isBusy || (typed !== null && written !== typed),
        }, action)));
  });
}
