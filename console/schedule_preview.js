// What a schedule means, while it is typed: in words, with its next fires, as the API reads it.

import { h } from "./dom.js";
import { dateTime, millis, ticking } from "./times.js";

const PAUSE = 250;
const FIRES = 5;
const HINT = "Minute, hour, day of month, month, day of week. Empty: the job runs on demand only.";

/** Answers `{ask(expression, timezone), view()}`; `redraw` is called when there is an answer. */
export function schedulePreview(page, redraw) {
  let timer = null;
  let asked = null;
  let shown = null;

  async function read(expression, timezone) {
    const key = JSON.stringify([expression, timezone]);
    try {
      const answer = await page.project.get("/schedule", { expression, timezone, count: FIRES });
      if (key === asked) shown = { answer };
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.isSignedOut) return page.failed(error);
      const messages = error.errors.map(({ message }) => message).join("; ");
      if (key === asked) shown = { error: messages || error.message };
    }
    redraw();
  }

  return {
    ask(expression, timezone) {
      const key = JSON.stringify([expression, timezone]);
      if (key === asked) return;
      asked = key;
      clearTimeout(timer);
      shown = null;
      if (!isWhole(expression)) return;
      timer = setTimeout(() => read(expression, timezone || "UTC"), PAUSE);
    },
    view() {
      return h("div", { class: "preview", role: "status" }, shown?.error
        ? h("p", { class: "field-error" }, shown.error)
        : shown?.answer ? meaning(shown.answer)
          : h("p", { class: "help" }, HINT));
    },
  };
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
