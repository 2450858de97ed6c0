// Draws pages: a page describes what it looks like now, and `draw` changes only what differs.
//
// Text is always put in as text. No function here takes markup, so what comes from the API, or
// from a container, cannot become an element.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Describe an element.
 *
 * `props` are attributes, and besides: `on` (event name to function), `key` (which element this is
 * among its siblings), `value` and `checked` (set as properties), `style` (names to values; through
 * the CSSOM, since the Content-Security-Policy forbids style attributes), `mounted` (called with
 * the element once it is in the page; the function it returns is called when the element goes).
 * Children are descriptions, strings or numbers; null, undefined and false are left out.
 */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, key: props?.key, children: flat(children) };
}

/** An element that `widget(element)` looks after by itself; it answers `{update(args), close()}`. */
export function hosted(widget, args, props) {
  return { ...h("div", { ...props }), widget, args };
}

function flat(children) {
  const all = [];
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === true) continue;
    all.push(typeof child === "object" ? child : { text: String(child) });
  }
  return all;
}

/** Make the children of `parent` what `children` describe. */
export function draw(parent, ...children) {
  const mounted = [];
  patchChildren(parent, flat(children), mounted);
  for (const call of mounted) call();
}

function patchChildren(parent, next, mounted) {
  const previous = parent.jobyardNodes ?? [];
  const keyed = new Map();
  for (const node of previous) if (node.key !== undefined) keyed.set(node.key, node);
  const unkeyed = previous.filter((node) => node.key === undefined);
  let position = 0;
  const kept = new Set();
  const made = next.map((node) => {
    const candidate = node.key !== undefined ? keyed.get(node.key) : unkeyed[position++];
    // A description that a page has kept since the last time needs no comparing.
    if (candidate === node) {
      kept.add(node);
      return node;
    }
    if (candidate && isSame(candidate, node)) {
      kept.add(candidate);
      return patch(candidate, node, mounted);
    }
    return create(node, parent, mounted);
  });
  for (const node of previous) if (!kept.has(node)) remove(node);
  let before = parent.firstChild;
  for (const node of made) {
    if (node.element === before) before = before.nextSibling;
    else parent.insertBefore(node.element, before);
  }
  parent.jobyardNodes = made;
}

function isSame(one, other) {
  return one.tag === other.tag && one.widget === other.widget && one.key === other.key;
}

function patch(previous, node, mounted) {
  const element = previous.element;
  node.element = element;
  if (node.tag === undefined) {
    // The ticker of times.js may have changed the text meanwhile: compare with what is there.
    if (element.data !== node.text) element.data = node.text;
    return node;
  }
  node.unmount = previous.unmount;
  setProps(element, previous.props, node.props);
  if (node.widget) {
    node.handle = previous.handle;
    mounted.push(() => node.handle.update(node.args));
  } else patchChildren(element, node.children, mounted);
  // A select takes its value only once its options are there.
  if (node.tag === "select") setValue(element, node.props.value);
  return node;
}

function create(node, parent, mounted) {
  if (node.tag === undefined) {
    node.element = document.createTextNode(node.text);
    return node;
  }
  const isSvg = node.tag === "svg" || parent.namespaceURI === SVG;
  const element = isSvg
    ? document.createElementNS(SVG, node.tag)
    : document.createElement(node.tag);
  node.element = element;
  setProps(element, {}, node.props);
  patchChildren(element, node.children, mounted);
  if (node.tag === "select") setValue(element, node.props.value);
  if (node.widget) {
    mounted.push(() => {
      node.handle = node.widget(element);
      node.handle.update(node.args);
    });
  }
  if (node.props.mounted) mounted.push(() => (node.unmount = node.props.mounted(element)));
  return node;
}

function remove(node) {
  release(node);
  node.element.remove();
}

function release(node) {
  node.handle?.close();
  node.unmount?.();
  for (const child of node.element.jobyardNodes ?? []) release(child);
}

function setProps(element, previous, next) {
  for (const name of Object.keys(previous)) if (!(name in next)) setProp(element, name, undefined);
  for (const [name, value] of Object.entries(next)) {
    const isState = name === "checked" || (name === "value" && element.tagName !== "OPTION");
    if (isState) setValue(element, value, name);
    else if (value !== previous[name] || name === "style") setProp(element, name, value);
  }
}

function setProp(element, name, value) {
  if (name === "key" || name === "mounted") return;
  if (name === "on") return listen(element, value ?? {});
  if (name === "style") {
    for (const [property, text] of Object.entries(value ?? {})) {
      element.style.setProperty(property, text);
    }
  } else if (value === undefined || value === null || value === false) {
    element.removeAttribute(name);
  } else element.setAttribute(name, value === true ? "" : value);
}

function setValue(element, value, name = "value") {
  // Writing an equal value would move the cursor of a field that somebody types into.
  if (value !== undefined && element[name] !== value) element[name] = value;
}

function listen(element, handlers) {
  const known = (element.jobyardHandlers ??= {});
  for (const name of Object.keys(known)) if (!(name in handlers)) known[name] = null;
  for (const [name, handler] of Object.entries(handlers)) {
    if (!(name in known)) element.addEventListener(name, (event) => known[name]?.(event));
    known[name] = handler;
  }
}
