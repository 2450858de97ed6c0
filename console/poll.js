// Asks the API again and again: often while something is in flight, seldom else, never unseen.

import { now } from "./times.js";

/** Milliseconds between two looks; a look itself takes a while, and 5 s old is the limit. */
export const BUSY = 4_000;
const IDLE = 30_000;
/** Around a fire it looks often: a slot is noticed within seconds, and starts a run. */
const AROUND_FIRE = 60_000;
const FIRST_RETRY = 5_000;
const LAST_RETRY = 60_000;

/** How long to wait, by whether something is in flight and by when the next fires are. */
export function pauseFor(isBusy, fires) {
  if (isBusy) return BUSY;
  const present = now();
  if (fires.some((at) => at <= present && present - at < AROUND_FIRE)) return BUSY;
  const next = Math.min(...fires.filter((at) => at > present)) - present;
  return Math.max(BUSY, Math.min(IDLE, next + 1_000));
}

/**
 * Call `look` now and then after `pause()` milliseconds (null: no more), until `signal` ends it.
 *
 * Nothing is asked in a hidden tab; when it is seen again, it looks at once. A failure that may
 * pass is tried again, with growing pauses or after the API's Retry-After. `report` gets
 * `{at, isFinal}` after each success and `{error, retryAt}` after each failure.
 *
 * Answers `{again}`, which looks at once, such as after the user has changed something.
 */
export function poll({ look, pause, report, signal }) {
  let timer = null;
  let isLooking = false;
  let isWanted = false;
  let retry = FIRST_RETRY;

  async function turn() {
    clearTimeout(timer);
    timer = null;
    if (signal.aborted) return;
    if (isLooking || document.hidden) {
      isWanted = true;
      return;
    }
    isLooking = true;
    isWanted = false;
    let wait;
    try {
      await look();
      retry = FIRST_RETRY;
      wait = pause();
      if (!signal.aborted) report({ at: now(), isFinal: wait === null });
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
      wait = afterFailure(error);
      report({ error, retryAt: wait === null ? null : now() + wait });
    } finally {
      isLooking = false;
    }
    if (signal.aborted) return;
    if (isWanted && !document.hidden) turn();
    else if (wait !== null) timer = setTimeout(turn, wait);
  }

  function afterFailure(error) {
    // What is no ApiError is a defect of the page: show it, do not repeat it.
    if (!error.mayPass) return null;
    const wait = error.retryAfter ? error.retryAfter * 1000 : retry;
    retry = Math.min(retry * 2, LAST_RETRY);
    return wait;
  }

  const onVisible = () => {
    if (!document.hidden && (isWanted || timer !== null)) turn();
  };
  document.addEventListener("visibilitychange", onVisible, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
  return { again: turn };
}
