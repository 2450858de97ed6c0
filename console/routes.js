// The page's address: everything behind the # that names a page, and what is chosen on it.

const ID = "[A-Za-z0-9][A-Za-z0-9_-]{0,62}";
const PAGES = [
  ["jobs", ""],
  ["day", "/day"],
  ["new", "/new"],
  ["job", "/jobs/(?<job>[^/]+)"],
  ["edit", "/jobs/(?<job>[^/]+)/edit"],
  ["run", "/jobs/(?<job>[^/]+)/runs/(?<run>[^/]+)"],
].map(([name, rest]) => [
  name,
  new RegExp(`^/(?<workspace>${ID})/(?<project>${ID})${rest}/?$`),
]);

/** `#/acme/etl/jobs/job_1?tab=runs` as `{page, workspace, project, job, run, options}`. */
export function parse(hash) {
  const [path, query] = splitOnce(hash.replace(/^#/, ""), "?");
  const options = Object.fromEntries(new URLSearchParams(query));
  for (const [page, pattern] of PAGES) {
    const found = pattern.exec(path);
    if (found) return { page, ...found.groups, options };
  }
  return { page: path === "" || path === "/" ? "start" : "unknown", options };
}

function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** The address of a page of the project of `route`. */
export function link(route, page, { job, run, ...options } = {}) {
  const base = `#/${route.workspace}/${route.project}`;
  const path = {
    jobs: "",
    day: "/day",
    new: "/new",
    job: `/jobs/${job}`,
    edit: `/jobs/${job}/edit`,
    run: `/jobs/${job}/runs/${run}`,
  }[page];
  return base + path + query(options);
}

function query(options) {
  const chosen = Object.entries(options).filter(([, value]) => value !== "" && value != null);
  return chosen.length ? `?${new URLSearchParams(chosen)}` : "";
}

/** Remember what is chosen on this page in its address, without a step of the history. */
export function choose(options) {
  const [path] = splitOnce(location.hash, "?");
  history.replaceState(history.state, "", path + query(options));
}
