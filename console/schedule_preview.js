// What a schedule means, while it is typed: in words, with its next fires, as the API reads it.

import { h } from "./dom.js";
import { dateTime, millis, ticking } from "./times.js";

const PAUSE = 250;
const FIRES = 5;
const HINT = "Minute, hour, day of month, month, day of week. Empty: the job runs on demand only.";

/** `redraw` is called when there is an answer. */
export class SchedulePreview {
  constructor(page, redraw) {
    Object.assign(this, { page, redraw });
    this.timer = null;
    this.asked = null;
    this.shown = null;
  }

  /** Ask about a schedule, unless it was the last that was asked about. */
  ask(expression, timezone) {
    const key = JSON.stringify([expression, timezone]);
    if (key === this.asked) return;
    this.asked = key;
    this.shown = null;
    clearTimeout(this.timer);
    if (!isWhole(expression)) return;
    this.timer = setTimeout(() => this.#read(key, expression, timezone || "UTC"), PAUSE);
  }

  async #read(key, expression, timezone) {
    let shown;
    try {
      shown = { answer: await this.page.project.get("/schedule", { expression, timezone, count: FIRES }) };
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.isSignedOut) return this.page.failed(error);
      shown = { error: error.errors.map(({ message }) => message).join("; ") || error.message };
    }
    if (key !== this.asked) return;
    this.shown = shown;
    this.redraw();
  }

  view() {
    const { shown } = this;
    return h("div", { class: "preview", role: "status" }, shown?.error
      ? h("p", { class: "field-error" }, shown.error)
      : shown?.answer ? meaning(shown.answer) : h("p", { class: "help" }, HINT));
  }
}

/** Whether it is worth asking: who still types would be told what is wrong with half of it. */
function isWhole(expression) {
  const words = expression.trim().split(/\s+/);
  return words.length >= 5 || words[0].startsWith("@");
}

function meaning({ text, timezone, slots }) {
  return [
    h("p", null, h("strong", null, text), ` (${timezone})`),
    h("ol", { class: "preview-slots", "aria-label": "Next fires" }, slots.map((slot) =>
      h("li", { key: slot }, dateTime(millis(slot), { weekday: true, zone: timezone }), " ",
        h("span", { class: "faint" }, ticking("until", millis(slot)))))),
  ];
}
