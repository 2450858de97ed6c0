// Sign-in: a token is pasted once, tried, and kept for this tab.

import { send } from "./api.js";
import { h } from "./dom.js";
import { link } from "./routes.js";
import * as session from "./session.js";

/** `goOn` opens the page that the address names; `because` says why the user is here again. */
export function openSignIn(page, { goOn, because = null }) {
  page.title("Sign in");
  new SignIn(page, goOn, because).redraw();
}

class SignIn {
  constructor(page, goOn, because) {
    const last = session.lastProject() ?? {};
    this.page = page;
    this.goOn = goOn;
    this.error = because;
    this.isBusy = false;
    this.values = {
      token: "",
      workspace: page.route.workspace ?? last.workspace ?? "",
      project: page.route.project ?? last.project ?? "",
    };
  }

  async submit(event) {
    event.preventDefault();
    if (this.isBusy) return;
    Object.assign(this, { isBusy: true, error: null });
    this.redraw();
    session.signIn(this.values.token.trim());
    try {
      await this.tryToken();
    } catch (error) {
      if (error.name === "AbortError") return;
      session.signOut();
      Object.assign(this, { isBusy: false, error: error.message });
      this.redraw();
      document.getElementById("token").focus();
      return;
    }
    const { route } = this.page;
    const { workspace, project } = this.values;
    if (route.workspace === workspace && route.project === project) this.goOn();
    else location.hash = link(this.values, "jobs");
  }

  tryToken() {
    const [workspace, project] = [this.values.workspace, this.values.project].map(encodeURIComponent);
    const path = `/workspaces/${workspace}/projects/${project}/jobs`;
    return send("GET", path, { query: { limit: 1 }, signal: this.page.signal });
  }

  field(name, label, props) {
    return h("label", null, h("span", null, label), h("input", {
      id: name,
      required: true,
      autocapitalize: "none",
      spellcheck: "false",
      value: this.values[name],
      on: { input: (event) => void (this.values[name] = event.target.value) },
      ...props,
    }));
  }

  redraw() {
    this.page.draw(h("form", { class: "sign-in card", on: { submit: (event) => this.submit(event) } },
      h("h1", null, "Sign in"),
      h("div", { role: "alert" }, this.error && h("p", { class: "notice is-bad" }, this.error)),
      this.field("token", "Token", {
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
        this.field("workspace", "Workspace", { autocomplete: "on" }),
        this.field("project", "Project", { autocomplete: "on" })),
      h("button", { class: "primary", type: "submit", disabled: this.isBusy },
        this.isBusy ? "Signing in…" : "Sign in")));
  }
}
