"""Changes of a job while a slot waits for its jitter."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain import jitter
from tests.test_jitter import HOUR, MINUTE, at, jittered, moved_to, started
from tests.yard import START, Yard


def update(yard: Yard, job: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = yard.call("PATCH", f"/jobs/{job['id']}", changes)
    assert answer.status == 200, answer.envelope
    return dict(answer.data)


@pytest.mark.parametrize(
    "change", [{"paused": True}, {"schedule": "0 4 * * *"}, {"schedule": None}]
)
def test_a_slot_that_waits_does_not_start_once_the_job_is_paused_or_has_another_schedule(
    yard: Yard, change: dict[str, Any]
) -> None:
    """Nor does it after unpausing: a slot of the past never starts."""
    job, delay = jittered(yard)
    moved_to(yard, START + HOUR + MINUTE)
    update(yard, job, **change)
    if "paused" in change:
        update(yard, job, paused=False)
    moved_to(yard, START + HOUR + delay)
    yard.fire(job)
    yard.sweep(minutes=3)
    assert yard.runs(job) == []


@pytest.mark.parametrize(
    "change", [{"paused": True}, {"schedule": "0 4 * * *"}, {"jitter_seconds": 0}]
)
def test_a_slot_that_was_to_start_before_a_change_keeps_its_run(
    yard: Yard, change: dict[str, Any]
) -> None:
    """Its rule had not fired yet."""
    job, delay = jittered(yard)
    due = START + HOUR + delay
    moved_to(yard, due)
    update(yard, job, **change)
    assert started(yard, job) == [("13:00", at(due), at(due))]


def test_less_jitter_starts_a_waiting_slot_sooner(yard: Yard) -> None:
    """It is not lost: where its new time has passed, the next sweeps start it."""
    job, _ = jittered(yard)
    moved_to(yard, START + HOUR + 5 * MINUTE)
    after = update(yard, job, jitter_seconds=0)
    assert after["next_run_at"][11:16] == "13:00"
    yard.sweep(minutes=1)
    assert started(yard, job) == [("13:00", "13:00", "13:06")]
    assert yard.status(job)["next_run_at"][11:16] == "14:00"


def test_more_jitter_lets_a_waiting_slot_wait_longer(yard: Yard) -> None:
    job, delay = jittered(yard)
    less = next(
        seconds
        for seconds in range(60, 3_600, 60)
        if MINUTE <= jitter.delay(job["id"], {"jitter_seconds": seconds}) < delay - 5 * MINUTE
    )
    update(yard, job, jitter_seconds=less)
    old = yard.stored_job(job).delay
    moved_to(yard, START + HOUR)
    update(yard, job, jitter_seconds=3_600)
    moved_to(yard, START + HOUR + old)
    yard.fire(job)
    yard.sweep(minutes=3)
    assert yard.runs(job) == []
    moved_to(yard, START + HOUR + delay)
    yard.fire(job)
    assert [slot for slot, _, _ in started(yard, job)] == ["13:00"]


def test_another_change_leaves_a_waiting_slot_as_it_is(yard: Yard) -> None:
    job, delay = jittered(yard)
    moved_to(yard, START + HOUR + MINUTE)
    update(yard, job, command=["b"])
    moved_to(yard, START + HOUR + delay)
    yard.fire(job)
    assert [slot for slot, _, _ in started(yard, job)] == ["13:00"]
