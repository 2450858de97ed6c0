"""What people are told of a job, and in which words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import notices
from chalicelib.domain.notices import Streak

AT = datetime(2026, 11, 23, 3, 0, 33, tzinfo=UTC)
ONCE = Streak(1, AT, True)


def run(**changes: Any) -> SimpleNamespace:
    error = {"code": "out_of_memory", "message": "OutOfMemoryError: killed.", "hint": "Use less."}
    shown = {
        "run_id": "run_1",
        "job_name": "nightly",
        "project": "acme#etl",
        "scheduled_for": AT.replace(second=0),
        "finished_at": AT,
        "exit_code": 137,
        "error": error,
        "notice": {"kind": "failing"},
    }
    return SimpleNamespace(**{**shown, **changes})


def finished(*statuses: str) -> list[Any]:
    return [
        SimpleNamespace(run_id=str(n), status=status, finished_at=AT + timedelta(minutes=n))
        for n, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("kind", "failed", "last", "expected"),
    [
        (
            "failing",
            ONCE,
            AT - timedelta(days=1),
            "nightly (acme/etl) is failing: run_1, for the slot of 2026-11-23 03:00 UTC, failed at "
            "2026-11-23 03:00 UTC with exit code 137, out_of_memory: OutOfMemoryError: killed. Use "
            "less. Last success: 2026-11-22 03:00 UTC.",
        ),
        (
            "every_failure",
            Streak(20, AT, False),
            None,
            "nightly (acme/etl) has failed, at least 20 times in a row since 2026-11-23 03:00 UTC: "
            "run_1, for the slot of 2026-11-23 03:00 UTC, failed at 2026-11-23 03:00 UTC with exit "
            "code 137, out_of_memory: OutOfMemoryError: killed. Use less. It never succeeded.",
        ),
        (
            "recovered",
            ONCE,
            AT,
            "nightly (acme/etl) has recovered: run_1, for the slot of 2026-11-23 03:00 UTC, "
            "succeeded at 2026-11-23 03:00 UTC. It had failed once, at 2026-11-23 03:00 UTC.",
        ),
    ],
)
def test_the_texts(kind: str, failed: Streak, last: datetime | None, expected: str) -> None:
    """Each says which job, what happened, why, since when and the last success."""
    assert notices.text(kind, run(), failed, last) == expected


def test_the_text_of_one_missed_slot() -> None:
    """It names the slot."""
    missed = run(notice={"kind": "missed", "slots": 1, "since": "2026-11-23T03:00:00.000Z"})
    text = notices.text("missed", missed, Streak(0, None, False), None)
    assert text.startswith("nightly (acme/etl) missed its slot of 2026-11-23 03:00 UTC: noticed")


@given(st.text(max_size=128), st.text(max_size=2_000), st.sampled_from(["failing", "recovered"]))
def test_a_text_is_one_line_that_any_template_takes(name: str, why: str, kind: str) -> None:
    """
    In a string of JSON it stays as it is, and a chat finds no markup in it, such as Slack's
    `<!channel>`, which whoever names a job could send to everybody.
    """
    error = {"code": "nonzero_exit", "message": why, "hint": ""}
    text = notices.text(kind, run(job_name=name, error=error), ONCE, None)
    assert json.loads(f'{{"text": "{text}"}}') == {"text": text}
    assert not set(text) & set('<>"\\') and len(text.splitlines()) == 1
    assert len(text) < 1_000


@pytest.mark.parametrize(
    ("statuses", "of", "expected"),
    [
        (["succeeded", "failed", "failed"], 2, (2, 1, True)),
        (["failed", "cancelled", "failed"], 2, (2, 0, True)),
        (["failed", "failed", "succeeded", "failed"], 2, (2, 0, True)),
        (["succeeded", "succeeded"], 1, (0, None, True)),
        (["failed"], 7, (0, None, False)),
    ],
)
def test_a_streak_is_what_failed_in_a_row(
    statuses: list[str], of: int, expected: tuple[int, int | None, bool]
) -> None:
    """Up to and with one that failed, or before one that succeeded; cancelled ones are left out."""
    found = notices.streak(finished(*statuses), str(of), is_all=True)
    failures, first, is_whole = expected
    since = None if first is None else AT + timedelta(minutes=first)
    assert found == Streak(failures, since, is_whole)


def test_a_streak_that_is_longer_than_what_is_known_has_no_beginning() -> None:
    """More runs finished before than are kept."""
    assert notices.streak(finished("failed"), "0", is_all=False) == Streak(1, AT, False)


@pytest.mark.parametrize(
    ("status", "turn", "wanted", "kind"),
    [
        ("failed", "failing", ["failing", "every_failure"], "failing"),
        ("failed", "failing", ["every_failure"], "every_failure"),
        ("failed", "failing", ["recovered"], None),
        ("failed", None, ["failing"], None),
        ("failed", None, ["every_failure"], "every_failure"),
        ("succeeded", "recovered", ["recovered"], "recovered"),
        ("succeeded", "recovered", ["failing", "every_failure"], None),
        ("succeeded", None, list(notices.DEFAULT), None),
        ("cancelled", "missed", ["missed"], "missed"),
        ("cancelled", "missed", ["every_failure"], None),
    ],
)
def test_what_a_run_is_told_as(
    status: str, turn: str | None, wanted: list[str], kind: str | None
) -> None:
    """One thing at most, the most telling that is wanted."""
    assert notices.kind_of(status, {"kind": turn} if turn else None, wanted) == kind
