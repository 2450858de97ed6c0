// A container's output as plain text and colours: every other control sequence is dropped (pure).

// In this order: operating-system commands (a title, a link) up to their end, other string
// sequences, CSI sequences, two-character escapes, and what is left of control characters.
// Tabs stay. Overrides of the writing direction could make a line read as what it is not.
const SEQUENCES = new RegExp(
  [
    "[\\u001b]\\][^\\u0007\\u001b\\u009c]*(?:\\u0007|\\u001b\\\\|\\u009c|$)",
    "[\\u001b][PX^_][^\\u001b\\u009c]*(?:\\u001b\\\\|\\u009c|$)",
    "(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]?",
    "\\u001b[ -/]*[0-~]?",
    "[\\u0000-\\u0008\\u000a-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]",
  ].join("|"), "g");
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const HAS_ANY = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
// eslint-disable-next-line no-control-regex -- the same
const COLOUR = /^(?:\u001b\[|\u009b)([0-9;:]*)m$/;

/** `text` without any control sequence, as it is searched, measured and downloaded. */
export function plain(text) {
  return HAS_ANY.test(text) ? text.replace(SEQUENCES, "") : text;
}

/**
 * `text` as `[{text, classes}]`: classes such as "fg-1 bold" for what is coloured.
 *
 * Colours are the sixteen of a terminal; those of larger palettes become the nearest of these,
 * so that they are readable on a light page too.
 */
export function spans(text) {
  if (!HAS_ANY.test(text)) return [{ text, classes: "" }];
  const found = [];
  const style = {};
  let from = 0;
  const add = (part) => {
    if (part) found.push({ text: part, classes: classesOf(style) });
  };
  for (const match of text.matchAll(SEQUENCES)) {
    add(text.slice(from, match.index));
    from = match.index + match[0].length;
    const colour = COLOUR.exec(match[0]);
    if (colour) apply(style, colour[1]);
  }
  add(text.slice(from));
  return found;
}

function classesOf(style) {
  const { fg, bg, ...flags } = style;
  const names = Object.keys(flags).filter((name) => flags[name]);
  if (fg !== undefined) names.push(`fg-${fg}`);
  if (bg !== undefined) names.push(`bg-${bg}`);
  return names.join(" ");
}

const FLAGS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 9: "struck" };
const ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 29: ["struck"] };

function apply(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) for (const name of Object.keys(style)) delete style[name];
    else if (FLAGS[code]) style[FLAGS[code]] = true;
    else if (ENDS[code]) for (const name of ENDS[code]) delete style[name];
    else if (code === 39) delete style.fg;
    else if (code === 49) delete style.bg;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(at + 1));
      if (colour !== null) style[code === 38 ? "fg" : "bg"] = colour;
      at += used;
    } else setBasic(style, code);
  }
}

function setBasic(style, code) {
  if (code >= 30 && code <= 37) style.fg = code - 30;
  else if (code >= 90 && code <= 97) style.fg = code - 82;
  else if (code >= 40 && code <= 47) style.bg = code - 40;
  else if (code >= 100 && code <= 107) style.bg = code - 92;
}

/** `5;n` or `2;r;g;b` as one of the sixteen, and how many numbers it took. */
function extended([kind, ...rest]) {
  if (kind === 5) return [fromPalette(rest[0] ?? 0), 2];
  if (kind === 2) return [nearest(rest.slice(0, 3)), 4];
  return [null, 1];
}

function fromPalette(number) {
  if (number < 16) return number;
  if (number >= 232) return nearest(Array(3).fill((number - 232) * 10 + 8));
  const level = (part) => (part ? part * 40 + 55 : 0);
  const index = number - 16;
  return nearest([Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6].map(level));
}

function nearest(rgb) {
  const most = Math.max(...rgb);
  const bits = rgb.reduce((sum, part, bit) => sum + (part > most / 2 && most > 40 ? 1 << bit : 0), 0);
  return most > 170 ? bits + 8 : bits;
}
