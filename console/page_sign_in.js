// Sign-in: a token is pasted once, tried, and kept for this tab.

import { send } from "./api.js";
import { h } from "./dom.js";
import { link } from "./routes.js";
import * as session from "./session.js";

/** `goOn` opens the page that the address names; `because` says why the user is here again. */
export function openSignIn(page, { goOn, because = null }) {
  const { route } = page;
  const last = session.lastProject() ?? {};
  const state = {
    workspace: route.workspace ?? last.workspace ?? "",
    project: route.project ?? last.project ?? "",
    token: "",
    error: because,
    isBusy: false,
  };
  page.title("Sign in");

  async function submit(event) {
    event.preventDefault();
    if (state.isBusy) return;
    Object.assign(state, { isBusy: true, error: null });
    redraw();
    session.signIn(state.token.trim());
    try {
      const path = `/workspaces/${encodeURIComponent(state.workspace)}` +
        `/projects/${encodeURIComponent(state.project)}/jobs`;
      await send("GET", path, { query: { limit: 1 }, signal: page.signal });
    } catch (error) {
      if (error.name === "AbortError") return;
      session.signOut();
      Object.assign(state, { isBusy: false, error: error.message });
      redraw();
      document.getElementById("token").focus();
      return;
    }
    const isHere = route.workspace === state.workspace && route.project === state.project;
    if (isHere) goOn();
    else location.hash = link(state, "jobs");
  }

  function field(name, label, props) {
    return h("label", null, h("span", null, label), h("input", {
      id: name,
      required: true,
      autocapitalize: "none",
      spellcheck: "false",
      value: state[name],
      on: { input: (event) => void (state[name] = event.target.value) },
      ...props,
    }));
  }

  function redraw() {
    page.draw(h("form", { class: "sign-in card", on: { submit } },
      h("h1", null, "Sign in"),
      h("div", { role: "alert" }, state.error && h("p", { class: "notice is-bad" }, state.error)),
      field("token", "Token", {
        type: "password",
        autocomplete: "off",
        placeholder: "jyd_…",
        "aria-describedby": "token-help",
        mounted: (element) => void element.focus(),
      }),
      h("p", { id: "token-help", class: "help" },
        "It stays in this tab and is gone when you close it. ",
        "Whoever operates the stage makes one with ", h("code", null, "make token"),
        "; on the local stack, ", h("code", null, "make up"), " prints a link that signs in."),
      h("div", { class: "two" },
        field("workspace", "Workspace", { autocomplete: "on" }),
        field("project", "Project", { autocomplete: "on" })),
      h("button", { class: "primary", type: "submit", disabled: state.isBusy },
        state.isBusy ? "Signing in…" : "Sign in")));
  }
  redraw();
}
