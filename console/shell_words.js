// A command as one line and back: the API splits a string as a shell splits words (pure).

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** `["sh", "-c", "echo a b"]` as `sh -c 'echo a b'`: what the API splits into the same list. */
export function join(words) {
  return words.map((word) => (PLAIN.test(word) ? word : quote(word))).join(" ");
}

function quote(word) {
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** What a field holds, as the API takes it: null, a list (if it is written as JSON), or a string. */
export function read(text) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (trimmed.startsWith("[")) {
    try {
      return JSON.parse(trimmed);
    } catch {
      // Not JSON: let the API say what it thinks of it.
    }
  }
  return text;
}
