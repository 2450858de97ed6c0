// The console's entry: which page the address names, and signing in before it.

import { ApiError, Project } from "./api.js";
import { closeDialogs } from "./dialogs.js";
import { draw, h } from "./dom.js";
import { openDay } from "./page_day.js";
import { openJob } from "./page_job.js";
import { openJobForm } from "./page_job_form.js";
import { openJobs } from "./page_jobs.js";
import { openRun } from "./page_run.js";
import { openSignIn } from "./page_sign_in.js";
import { poll } from "./poll.js";
import { link, parse } from "./routes.js";
import * as scroll from "./scroll.js";
import * as session from "./session.js";
import { makeShell } from "./shell.js";
import { startTicking } from "./times.js";

const PAGES = {
  jobs: openJobs,
  day: openDay,
  new: openJobForm,
  edit: openJobForm,
  job: openJob,
  run: openRun,
};

session.takeTokenFromAddress();
const shell = makeShell(document.getElementById("console"), { signOut: leave });
let current = null;

function leave() {
  session.signOut();
  open();
}

/** Close the page that is open, and open the one that the address names. */
function open() {
  current?.abort();
  current = new AbortController();
  closeDialogs();
  const route = parse(location.hash);
  if (route.page === "start") return start(route);
  const isSignedIn = session.token() !== null;
  shell.show(route, isSignedIn);
  draw(shell.page);
  scroll.opened();
  const page = context(route, current.signal);
  if (route.page === "unknown") return showUnknown(page);
  if (!isSignedIn) return openSignIn(page, { goOn: open });
  session.rememberProject(route);
  PAGES[route.page](page);
}

function start(route) {
  const last = session.lastProject();
  if (last && session.token() !== null) return location.replace(link(last, "jobs"));
  shell.show(route, false);
  draw(shell.page);
  openSignIn(context(route, current.signal), { goOn: open });
}

function showUnknown(page) {
  page.title("No such page");
  page.draw(h("section", { class: "empty" }, h("h1", null, "No such page"),
    h("p", null, "The address names no page of the console. ", h("a", { href: "#/" }, "Begin here"), ".")));
}

/** What a page may use: its route, the API, the place where it draws, and polling. */
function context(route, signal) {
  let hasDrawn = false;
  return {
    route,
    signal,
    project: new Project(route, signal),
    say: shell.say,
    title(text) {
      document.title = `${text} · Jobyard`;
    },
    draw(...children) {
      if (signal.aborted) return;
      hasDrawn = true;
      draw(shell.page, ...children);
      scroll.drawn();
    },
    poll(look, pause) {
      return poll({ look, pause, signal, report: (freshness) => report(freshness) });
    },
    /** Do what the user asked for; an error is shown, and the answer is then undefined. */
    async attempt(act) {
      try {
        return await act();
      } catch (error) {
        if (error.name === "AbortError") return undefined;
        if (error.isSignedOut) return signInAgain(error);
        shell.say(error.message, "bad");
        return undefined;
      }
    },
    report,
    /** An error of a part that polls by itself: only a lost sign-in concerns the page. */
    failed(error) {
      if (error.isSignedOut) signInAgain(error);
    },
  };

  function report(freshness) {
    const { error } = freshness;
    if (error?.isSignedOut) return signInAgain(error);
    shell.report(freshness);
    if (error && !error.mayPass && !hasDrawn) draw(shell.page, refusal(route, error));
    // What the API did not say is a defect of the page: it belongs into the browser's log, too.
    if (error && !(error instanceof ApiError)) throw error;
  }

  function signInAgain(error) {
    if (signal.aborted) return;
    session.signOut();
    current.abort();
    current = new AbortController();
    closeDialogs();
    shell.show(route, false);
    draw(shell.page);
    openSignIn(context(route, current.signal), { goOn: open, because: error.message });
  }
}

/** In place of a page whose job or run is not there, or is not the token's. */
function refusal(route, error) {
  return h("section", { class: "empty" },
    h("h1", null, error.status === 404 ? "Not found" : "Not shown"),
    h("p", null, h("a", { href: link(route, "jobs") }, "All jobs of the project")));
}

addEventListener("hashchange", () => {
  session.takeTokenFromAddress();
  open();
  // Where a link was is gone: the keyboard goes on at the page's beginning.
  if (document.activeElement === document.body) shell.page.focus({ preventScroll: true });
});
startTicking();
open();
