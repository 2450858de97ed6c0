"""Wait for a run: its state as it changes, its output as it comes, and its verdict at the end."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from jobyard import durations, render
from jobyard.cli.session import (
    CANCELLED,
    INTERRUPTED,
    NEVER_STARTED,
    OK,
    REFUSED,
    TIMED_OUT,
    Session,
    say,
    styled,
)
from jobyard.errors import PASSING, Refused, Unreachable

if TYPE_CHECKING:
    from jobyard.client import Json
    from jobyard.following import RunFollower

TAIL = 10
"""Lines of a failed run's output that are shown with its verdict."""
TICK = 0.25
"""Seconds between two drawings of the elapsed time."""
HOW_TO_INTERRUPT = ("ask", "cancel", "leave")


class Progress:
    """
    The state of a run on stderr: one line that changes on a terminal, else a line for each state.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._moves = render.has_colour(sys.stderr)
        self._said = ""
        self._is_shown = False

    def show(self, run: Json) -> None:
        now = datetime.now(UTC)
        state = waits_for(run)
        if not self._moves:
            if state != self._said:
                say(f"{self._name}: {state}")
        else:
            since = durations.read_time(run["started_at"] or run["created_at"])
            elapsed = durations.in_words(round((now - since).total_seconds()))
            width = shutil.get_terminal_size().columns - 1
            text = f"{self._name}: {state}, {elapsed}"[:width]
            sys.stderr.write(f"\r\x1b[2K{click.style(text, dim=True)}")
            sys.stderr.flush()
            self._is_shown = True
        self._said = state

    def hide(self) -> None:
        """Clear the line before other output is printed."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._is_shown = False


def waits_for(run: Json) -> str:
    """A run's state, and what it waits for."""
    status = str(run["status"])
    if status == "pending":
        if others := run.get("waits_for"):  # a stage of an older version does not say it
            return f"pending, waits for {others[0]}" + (" and others" if len(others) > 1 else "")
        if run["task_arn"] is None:
            return "pending, waits for capacity"
        return "pending, its task starts: network and image"
    if status == "running" and run["retry_at"] is not None:
        return f"attempt {run['attempt']} failed, retry at {durations.moment(run['retry_at'])}"
    if status == "cancelled" and run["finished_at"] is None:
        return "cancelled, its container is stopping"
    if status == "running":
        is_retry = run["attempt"] > 1
        attempt = f"attempt {run['attempt']} of {run['max_attempts']}" if is_retry else ""
        return ", ".join(
            filter(None, [status, attempt, interruptions(run.get("attempts", [])[-1:])])
        )
    return status


def interruptions(attempts: list[Json]) -> str:
    """How often Spot interrupted these attempts, in words; nothing if it did not."""
    times = sum(each.get("interruptions", 0) for each in attempts)  # an older stage has none
    if not times:
        return ""
    return "interrupted once" if times == 1 else f"interrupted {times} times"


def wait(
    session: Session,
    follower: RunFollower,
    name: str,
    *,
    limit: timedelta | None,
    on_interrupt: str,
    with_timestamps: bool = False,
) -> int:
    """
    Until the run is over, or `limit` has passed: the exit status.

    Ctrl-C cancels the run or leaves it, as `on_interrupt` says or the person answers.
    """
    progress = Progress(name)
    deadline = None if limit is None else time.monotonic() + limit.total_seconds()

    def notify(message: str) -> None:
        progress.hide()
        say(message)

    session.client.transport.notify = notify
    try:
        if not _watch(session, follower, progress, deadline, with_timestamps):
            say(f"{name} goes on: its end did not come within the time given by --timeout.")
            return TIMED_OUT
    except KeyboardInterrupt:
        progress.hide()
        return _interrupted(session, follower.run, on_interrupt)
    finally:
        progress.hide()
    return exit_status(follower.run)


def _watch(
    session: Session,
    follower: RunFollower,
    progress: Progress,
    deadline: float | None,
    with_timestamps: bool,
) -> bool:
    """Whether the run's end came before the deadline."""
    transport = session.client.transport
    while not follower.is_done:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return False
        transport.patience = OUTAGE_PATIENCE if left is None else min(OUTAGE_PATIENCE, left)
        try:
            lines = follower.poll()
        except (Unreachable, Refused) as error:
            is_passing = isinstance(error, Unreachable) or error.status in PASSING
            if left is None or left > OUTAGE_PATIENCE or not is_passing:
                raise
            say(str(error))  # until the deadline there will be no answer
            return False
        if lines:
            progress.hide()
            write_lines(lines, with_timestamps)
        if not follower.is_done:
            progress.show(follower.run)
            pause = min(follower.seconds_left(), TICK)
            time.sleep(pause if left is None else max(0.0, min(pause, left)))
    return True


OUTAGE_PATIENCE = 300.0
"""Seconds without any answer after which waiting gives up."""


def write_lines(lines: Sequence[Json], with_timestamps: bool) -> None:
    """A run's lines as they came, on stdout."""
    if with_timestamps:
        text = "".join(f"{line['timestamp']} {line['message']}\n" for line in lines)
    else:
        text = "".join(f"{line['message']}\n" for line in lines)
    sys.stdout.write(text)
    sys.stdout.flush()


def _interrupted(session: Session, run: Json, on_interrupt: str) -> int:
    click.echo(err=True)
    how = on_interrupt
    if how == "ask" and not sys.stdin.isatty():
        how = "leave"
    if how == "ask":
        try:
            is_cancel = click.confirm(
                "Cancel the run? (else it goes on without you)", default=False, err=True
            )
        except click.Abort:  # a second Ctrl-C
            is_cancel = False
        how = "cancel" if is_cancel else "leave"
    if how == "cancel":
        session.client.cancel_run(run["job_id"], run["id"])
        say(f"{run['id']} was cancelled.")
    else:
        say(f"{run['id']} goes on; see it with `jobyard logs -f {run['id']}`.")
    return INTERRUPTED


def exit_status(run: Json) -> int:
    """The command's exit status: the container's exit code, or the status for a run without one."""
    if run["status"] == "succeeded":
        return OK
    if run["status"] == "cancelled":
        return CANCELLED
    if run["started_at"] is None:
        return NEVER_STARTED
    return int(run["exit_code"] or REFUSED)


def verdict(session: Session, run: Json, name: str, *, with_tail: bool) -> None:
    """
    One line about a run that is over, on stderr; for a failure also why, and what to do.

    `with_tail`: its last lines of output, where they were not shown already.
    """
    words = [run["status"]]
    if run["duration_seconds"] is not None:
        words.append(f"after {durations.in_words(run['duration_seconds'])}")
    if run["exit_code"] not in (None, 0):
        words.append(f"with exit code {run['exit_code']}")
    if run["attempt"] > 1:
        words.append(f"in attempt {run['attempt']}")
    text = " ".join([f"{name}:", styled(words[0], fg=_colour(run)), *words[1:]])
    if cost := render.usd(run.get("cost")):
        text += f", about {cost}"
    say(text)
    error = run["error"]
    if error is None or run["status"] == "succeeded":
        return
    say(f"  {error['code']}: {render.one_line(error['message'])}")
    say(f"  hint: {render.one_line(error['hint'])}")
    if with_tail and run["started_at"] is not None:
        _show_tail(session, run)


def _colour(run: Json) -> str | None:
    return render.STATUS_STYLES.get(run["status"])


def _show_tail(session: Session, run: Json) -> None:
    lines = session.client.run_logs(run["job_id"], run["id"], limit=TAIL)["logs"]
    if not lines:
        return
    say(f"  its last {len(lines)} line{'s' if len(lines) > 1 else ''} of output:")
    for line in lines:
        say(f"  | {line['message']}")
