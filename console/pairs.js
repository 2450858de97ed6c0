// Editing names with values, such as environment variables: one row each.

import { h } from "./dom.js";

export function toPairs(values) {
  return Object.entries(values ?? {}).map(([name, value]) => ({ name, value, id: newId() }));
}

/** Rows without a name and a value are left out. */
export function fromPairs(pairs) {
  const filled = pairs.filter(({ name, value }) => name !== "" || value !== "");
  return Object.fromEntries(filled.map(({ name, value }) => [name.trim(), value]));
}

let lastId = 0;
function newId() {
  lastId += 1;
  return lastId;
}

/**
 * The rows, with a button for another. `edit(pairs)` gets the changed list.
 *
 * `errors` are the API's, by field: `env.NAME` stands beside its row.
 */
export function pairsEditor({ field, label, valueLabel, addLabel, pairs, edit, errors = {} }) {
  const change = (id, part) => edit(pairs.map((pair) => (pair.id === id ? { ...pair, ...part } : pair)));
  const input = (pair, part, text, index) => h("input", {
    value: pair[part],
    "aria-label": `${text} ${index + 1}`,
    placeholder: text,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    class: part,
    "aria-invalid": errors[`${field}.${pair.name}`] ? "true" : null,
    on: { input: (event) => change(pair.id, { [part]: event.target.value }) },
  });
  return h("div", { class: "pairs", role: "group", "aria-label": label },
    pairs.map((pair, index) => h("div", { key: pair.id, class: "pair-place" },
      h("div", { class: "pair" },
        input(pair, "name", "Name", index),
        input(pair, "value", valueLabel, index),
        h("button", {
          type: "button",
          class: "quiet",
          "aria-label": `Remove ${pair.name || `row ${index + 1}`}`,
          on: { click: () => edit(pairs.filter((each) => each !== pair)) },
        }, "×")),
      errors[`${field}.${pair.name}`] &&
        h("p", { class: "field-error" }, errors[`${field}.${pair.name}`]))),
    h("button", {
      type: "button",
      on: { click: () => edit([...pairs, { name: "", value: "", id: newId() }]) },
    }, addLabel));
}
