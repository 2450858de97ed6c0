"""
What people are told of a job: when, and in which words. Pure.

A text is one line without quotes, backslashes and angle brackets. So it stays valid wherever a
rule of EventBridge puts it into a string of JSON, and it is no markup of a chat.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from chalicelib.domain.run_states import FAILED, SUCCEEDED

FAILING = "failing"
EVERY_FAILURE = "every_failure"
RECOVERED = "recovered"
MISSED = "missed"
Kind = Literal["failing", "every_failure", "recovered", "missed"]
DEFAULT: tuple[Kind, ...] = ("failing", "recovered", "missed")
"""What a job's people are told unless the job says otherwise."""

MESSAGE = 400
"""Characters of AWS's reason that a text holds: some reasons are pages."""
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MISSED = {"skipped_quota": "the quota of the workspace was used up"}
"""Why a slot was missed, by its error's code, if not because it was noticed too late."""
_MARKUP = str.maketrans({'"': "'", "\\": "/", "<": "(", ">": ")"})


class Finished(Protocol):
    """What of a run that finished a streak is made of; tables.recent_runs.RecentRun is one."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def finished_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Streak:
    """Failures in a row."""

    failures: int
    since: datetime | None
    """When the first one that is known ended; None: none is known."""
    is_whole: bool
    """Whether the first that is known is the first of all."""


def kind_of(status: str, notice: dict[str, Any] | None, wanted: Collection[str]) -> str | None:
    """
    What a run that is over is told as, to people who want to hear of `wanted`; None: of nothing.

    `notice` is what the transaction that counted the run found out: that it is the first to fail,
    the first to succeed again, or that it is a slot that was missed.
    """
    turn = notice["kind"] if notice else None
    if turn is not None and turn in wanted:
        return str(turn)
    return EVERY_FAILURE if status == FAILED and EVERY_FAILURE in wanted else None


def streak(recent: Sequence[Finished], run_id: str, *, is_all: bool) -> Streak:
    """
    The failures in a row that end with a run, or that the run has ended by succeeding.

    `recent` are the runs that finished last, in that order; `is_all`: none finished before them.
    """
    place = next((n for n, one in enumerate(recent) if one.run_id == run_id), None)
    if place is None:
        return Streak(0, None, False)
    failures: list[Finished] = []
    until = place if recent[place].status == SUCCEEDED else place + 1
    for one in reversed(recent[:until]):
        if one.status == SUCCEEDED:
            return _streak(failures, is_whole=True)
        if one.status == FAILED:
            failures.append(one)
    return _streak(failures, is_whole=is_all)


def _streak(failures: list[Finished], *, is_whole: bool) -> Streak:
    since = failures[-1].finished_at if failures else None
    return Streak(len(failures), since, is_whole)


def text(kind: str, run: Any, failed: Streak, last_succeeded_at: datetime | None) -> str:
    """What happened to the job of `run`, in one line for a person."""
    who = f"{run.job_name} ({run.project.replace('#', '/')})"
    if kind == RECOVERED:
        words = [f"{who} has recovered: {_run(run)} succeeded at {_at(run.finished_at)}."]
        if failed.failures:
            words.append(f"It had failed {_failures(failed)}.")
        return _plain(words)
    if kind == MISSED:
        code = (run.error or {}).get("code", "")
        words = [f"{who} missed {_slots(run)}: {_MISSED.get(code, 'noticed too late to start')}."]
    elif kind == FAILING:
        words = [f"{who} is failing: {_failure(run)}"]
    else:
        words = [f"{who} has failed, {_failures(failed)}: {_failure(run)}"]
    error = run.error or {}
    words.append(error.get("hint", ""))
    words.append(
        f"Last success: {_at(last_succeeded_at)}." if last_succeeded_at else "It never succeeded."
    )
    return _plain(words)


def _run(run: Any) -> str:
    if run.scheduled_for is None:
        return str(run.run_id)
    return f"{run.run_id}, for the slot of {_at(run.scheduled_for)},"


def _failure(run: Any) -> str:
    error = run.error or {}
    code = "" if run.exit_code is None else f" with exit code {run.exit_code}"
    message = error.get("message", "")
    shown = message if len(message) <= MESSAGE else f"{message[:MESSAGE]}…"
    why = ": ".join(part for part in (error.get("code", ""), shown.rstrip(". ")) if part)
    return f"{_run(run)} failed at {_at(run.finished_at)}{code}, {why}."


def _failures(failed: Streak) -> str:
    least = "" if failed.is_whole else "at least "
    if failed.failures == 1:
        return f"{least}once, at {_at(failed.since)}"
    since = "" if failed.since is None else f" since {_at(failed.since)}"
    return f"{least}{failed.failures} times in a row{since}"


def _slots(run: Any) -> str:
    slots, since = int(run.notice["slots"]), run.notice["since"]
    if slots == 1:
        return f"its slot of {_at(run.scheduled_for)}"
    return f"{slots:,} slots, {_at(datetime.fromisoformat(since))} to {_at(run.scheduled_for)}"


def _at(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _plain(words: Sequence[str]) -> str:
    line = " ".join(word for word in words if word)
    return _SPACE.sub(" ", line.translate(_MARKUP)).strip()
