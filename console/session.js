// The token: in this tab's sessionStorage, and nowhere else.

const TOKEN = "jobyard-token";
const PROJECT = "jobyard-project";

export function token() {
  return sessionStorage.getItem(TOKEN);
}

export function signIn(text) {
  sessionStorage.setItem(TOKEN, text);
}

export function signOut() {
  sessionStorage.removeItem(TOKEN);
}

/** The project that was looked at last, as `{workspace, project}`, or null. */
export function lastProject() {
  return JSON.parse(sessionStorage.getItem(PROJECT) ?? "null");
}

export function rememberProject({ workspace, project }) {
  sessionStorage.setItem(PROJECT, JSON.stringify({ workspace, project }));
}

/**
 * Take the token out of a link such as `#/acme/etl?token=jyd_…`, and out of the address bar.
 *
 * It is replaced before anything else runs, so that neither the history nor a bookmark keeps it.
 */
export function takeTokenFromAddress() {
  const [path, query] = location.hash.slice(1).split("?");
  const options = new URLSearchParams(query ?? "");
  const found = options.get("token");
  if (found === null) return;
  options.delete("token");
  const rest = options.size ? `?${options}` : "";
  history.replaceState(history.state, "", `${location.pathname}${location.search}#${path}${rest}`);
  if (found) signIn(found);
}
