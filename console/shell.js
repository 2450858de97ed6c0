// What surrounds every page: the bar at the top, how fresh the page is, and short messages.

import { draw, h } from "./dom.js";
import { link } from "./routes.js";
import { clock, ticking } from "./times.js";

const MESSAGE_SECONDS = 8;

/** Makes the shell within `root`; answers what pages and the router act through. */
export function makeShell(root, { signOut }) {
  const state = { route: null, freshness: null, messages: [], isSignedIn: false };
  const main = h("main", { id: "main", tabindex: "-1", mounted: (element) => void (page = element) });
  let page = null;

  function redraw() {
    draw(root,
      h("a", { class: "skip", href: "#main", on: { click: skip } }, "Skip to the content"),
      topBar(state, signOut),
      banner(state.freshness),
      { ...main, children: [], widget: hostPage, args: null },
      h("div", { class: "messages", role: "status", "aria-live": "polite" },
        state.messages.map(message)));
  }

  function skip(event) {
    event.preventDefault();
    page.focus();
  }

  function message({ id, text, kind }) {
    return h("div", { class: `message ${kind}`, key: id }, text,
      h("button", { class: "quiet", "aria-label": "Dismiss", on: { click: () => drop(id) } }, "×"));
  }

  function drop(id) {
    state.messages = state.messages.filter((each) => each.id !== id);
    redraw();
  }

  redraw();
  return {
    /** Where the page draws itself. */
    get page() {
      return page;
    },
    show(route, isSignedIn) {
      Object.assign(state, { route, isSignedIn, freshness: null });
      redraw();
    },
    /** How the last look at the API went: `{at}`, `{error, retryAt}` or null. */
    report(freshness) {
      const before = state.freshness?.at ?? state.freshness?.before;
      state.freshness = freshness?.error ? { ...freshness, before } : freshness;
      redraw();
    },
    /** Say something once: `kind` is "" or "bad". */
    say(text, kind = "") {
      const id = crypto.getRandomValues(new Uint32Array(1))[0];
      state.messages = [...state.messages, { id, text, kind }];
      redraw();
      // What went wrong stays until somebody has seen it.
      if (kind !== "bad") setTimeout(() => drop(id), MESSAGE_SECONDS * 1000);
    },
  };
}

function hostPage() {
  return { update() {}, close() {} };
}

function topBar(state, signOut) {
  const { route } = state;
  const hasProject = route?.workspace && state.isSignedIn;
  const entry = (page, text) =>
    h("a", {
      href: link(route, page),
      "aria-current": route.page === page ? "page" : null,
    }, text);
  return h("header", { class: "top" },
    h("a", { class: "mark", href: hasProject ? link(route, "jobs") : "#/" },
      h("span", { class: "logo", "aria-hidden": "true" }, h("i"), h("i"), h("i")), "Jobyard"),
    hasProject && h("span", { class: "where" },
      h("bdi", null, route.workspace), " / ", h("bdi", null, route.project)),
    hasProject && h("nav", { "aria-label": "Pages" },
      entry("jobs", "Jobs"), entry("day", "Day"), entry("new", "New job")),
    h("span", { class: "space" }),
    state.isSignedIn && freshnessOf(state.freshness),
    state.isSignedIn &&
      h("button", { class: "quiet", on: { click: signOut } }, "Sign out"));
}

function freshnessOf(freshness) {
  if (!freshness) return h("span", { class: "fresh" }, "Loading…");
  if (freshness.error) return h("span", { class: "fresh is-bad" }, "Not up to date");
  // What cannot change any more is not out of date either.
  if (freshness.isFinal) return null;
  return h("span", { class: "fresh" }, "Updated ", ticking("ago", freshness.at));
}

function banner(freshness) {
  return h("div", { class: "banner-place", role: "alert" }, freshness?.error && [
    h("div", { class: "banner" },
      h("strong", null, freshness.error.message), " ",
      freshness.before && `What is shown is as of ${clock(freshness.before, { seconds: true })}. `,
      freshness.retryAt && ["It is asked again ", ticking("until", freshness.retryAt), "."]),
  ]);
}
