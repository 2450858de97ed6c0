"""`jitter_seconds`: each slot starts later, by an amount that is fixed for the job."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import boto3
import pytest

from chalicelib.domain import ids, jitter, run_step
from chalicelib.engine.scheduler import FIRE_GRACE
from tests import sample_runs
from tests.test_upcoming import upcoming
from tests.yard import START, Yard, rules

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def jittered(yard: Yard, **spec: Any) -> tuple[dict[str, Any], timedelta]:
    """A job at each full hour, and how much later it starts: more than 10 and less than 50 minutes,
    since the tests need time on both sides."""
    for _ in range(99):
        job = yard.create(**{"schedule": "0 * * * *", "jitter_seconds": 3_600, **spec})
        delay = yard.stored_job(job).delay
        if 10 * MINUTE < delay < 50 * MINUTE:
            return job, delay
        yard.call("DELETE", f"/jobs/{job['id']}")
    raise AssertionError("no job has such a delay")


def started(yard: Yard, job: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Slot, due time and creation of a job's runs in flight, oldest first."""
    return [
        tuple(run[name][11:16] for name in ("scheduled_for", "due_at", "created_at"))
        for run in reversed(yard.runs(job, trigger="schedule"))
        if run["status"] == "pending"
    ]


def at(instant: datetime) -> str:
    return f"{instant:%H:%M}"


def moved_to(yard: Yard, instant: datetime) -> None:
    yard.clock.at = instant


# the amount


def test_the_amount_is_fixed_for_the_job_and_spread_evenly_over_jobs() -> None:
    """Of an hour, each of the 61 numbers of minutes is as likely as the others."""
    dice = Random(1)
    jobs = [ids.new_job(START + timedelta(seconds=dice.randrange(10**7))) for _ in range(6_100)]
    spec = {"jitter_seconds": 3_600}
    found = Counter(jitter.delay(job, spec) for job in jobs)
    assert set(found) == {number * MINUTE for number in range(61)}
    assert min(found.values()) > 50 and max(found.values()) < 160
    assert [jitter.delay(job, spec) for job in jobs[:9]] == [
        jitter.delay(job, spec) for job in jobs[:9]
    ]


@pytest.mark.parametrize(("seconds", "most"), [(0, 0), (1, 1), (60, 1), (61, 2), (3_600, 60)])
def test_the_amount_is_at_most_the_seconds_rounded_up_to_minutes(seconds: int, most: int) -> None:
    """A few seconds still spread jobs over two minutes."""
    jobs = [f"job_{number}" for number in range(2_000)]
    found = {jitter.delay(job, {"jitter_seconds": seconds}) for job in jobs}
    assert found == {number * MINUTE for number in range(most + 1)}


def test_a_job_that_an_older_version_stored_has_no_jitter(yard: Yard) -> None:
    """It is shown with the default, and its slot starts at once."""
    job = yard.create(schedule="0 * * * *")
    stored = yard.stored_job(job)
    del stored.spec["jitter_seconds"]
    yard.system.database.put(stored)
    assert yard.call("GET", f"/jobs/{job['id']}").data["jitter_seconds"] == 0
    moved_to(yard, START + HOUR)
    yard.fire(job)
    assert started(yard, job) == [("13:00", "13:00", "13:00")]


# a slot


def test_a_slot_starts_when_its_delay_has_passed_and_keeps_its_time(yard: Yard) -> None:
    """`scheduled_for`, also of the container, is the slot; `due_at` is when it starts."""
    job, delay = jittered(yard)
    due = START + HOUR + delay
    assert job["next_run_at"][11:16] == at(due)
    moved_to(yard, due - timedelta(seconds=1))
    yard.sweep()
    assert yard.fire(job) == "not due"
    assert yard.runs(job) == []
    moved_to(yard, due)
    assert yard.fire(job) == "advanced"
    assert started(yard, job) == [("13:00", at(due), at(due))]
    told = yard.aws.ecs.tasks[0].overrides["containerOverrides"][0]["environment"]
    assert {"name": "JOBYARD_SCHEDULED_FOR", "value": "2026-11-23T13:00:00.000Z"} in told
    assert yard.status(job)["next_run_at"][11:16] == at(due + HOUR)


def test_the_rule_fires_when_the_slot_starts(yard: Yard) -> None:
    """So a job with jitter is woken as often as one without, and says so in the description."""
    job, delay = jittered(yard, schedule="0 3 * * *")
    hour, minute = divmod(delay // MINUTE, 60)
    assert rules() == [(f"cron({minute} {3 + hour} * * ? *)", "ENABLED")]
    (rule,) = boto3.client("events").list_rules()["Rules"]
    assert rule["Description"].endswith(f"Jitter: {minute} min later.")
    yard.call("PATCH", f"/jobs/{job['id']}", {"jitter_seconds": 0})
    assert rules() == [("cron(0 3 * * ? *)", "ENABLED")]


def test_the_audit_restores_the_rule_at_that_minute(yard: Yard) -> None:
    """It compares rules with what the job's jitter makes of them."""
    jittered(yard, schedule="0 3 * * *")
    wanted = rules()
    events = boto3.client("events")
    (rule,) = events.list_rules()["Rules"]
    events.put_rule(Name=rule["Name"], ScheduleExpression="cron(0 3 * * ? *)")
    yard.audit(hours=2)
    assert rules() == wanted


def test_the_sweep_starts_a_slot_whose_rule_did_not_fire(yard: Yard) -> None:
    """It waits as long as without jitter, but from when the slot was to start."""
    job, delay = jittered(yard)
    moved_to(yard, START + HOUR + delay + FIRE_GRACE - timedelta(seconds=1))
    yard.sweep()
    assert yard.runs(job) == []
    yard.sweep(seconds=1)
    assert [slot for slot, _, _ in started(yard, job)] == ["13:00"]


def test_a_job_without_rules_starts_in_the_minute_in_which_its_delay_has_passed(
    yard: Yard,
) -> None:
    """The sweep, which is at each minute, wakes it."""
    yard.set_up(replace(yard.system.settings, wake="sweep"))
    job, delay = jittered(yard)
    assert job["wake"] == "sweep"
    moved_to(yard, START + HOUR + delay - MINUTE)
    yard.sweep()
    assert yard.runs(job) == []
    yard.sweep(minutes=1)
    due = at(START + HOUR + delay)
    assert started(yard, job) == [("13:00", due, due)]


def test_every_slot_starts_although_the_delay_is_longer_than_the_interval(yard: Yard) -> None:
    """The delay is the same for each slot, so they start as far apart as they are due."""
    job, delay = jittered(yard, schedule="*/5 * * * *")
    for minutes in range(5, 35, 5):
        moved_to(yard, START + minutes * MINUTE + delay)
        yard.fire(job)
    assert started(yard, job) == [
        (at(START + n * MINUTE), *[at(START + n * MINUTE + delay)] * 2) for n in range(5, 35, 5)
    ]


@pytest.mark.parametrize(("late", "status"), [(300, "pending"), (301, "cancelled")])
def test_the_starting_deadline_counts_from_when_the_slot_was_to_start(
    yard: Yard, late: int, status: str
) -> None:
    """With 300 seconds, the least, and a delay that may be longer."""
    job, delay = jittered(yard, starting_deadline_seconds=300)
    moved_to(yard, START + HOUR + delay)
    yard.sweep(seconds=late)
    assert [run["status"] for run in yard.runs(job)] == [status]


def test_of_several_late_slots_the_newest_starts_and_the_rest_are_missed(yard: Yard) -> None:
    """As without jitter; a slot whose delay has not passed is neither."""
    job, delay = jittered(yard, schedule="* * * * *")
    moved_to(yard, START + delay + 5 * MINUTE)
    yard.sweep(seconds=30)
    runs = yard.runs(job)
    assert [(run["scheduled_for"][14:16], run["status"]) for run in reversed(runs)] == [
        ("01", "cancelled"),
        ("02", "cancelled"),
        ("03", "cancelled"),
        ("04", "pending"),
        ("05", "pending"),
    ]


def test_a_policy_counts_what_is_in_flight_when_the_slot_starts(yard: Yard) -> None:
    """A run that ends between the slot and its start is not in the way."""
    job, delay = jittered(yard, concurrency_policy="forbid")
    run = yard.trigger(job)
    moved_to(yard, START + HOUR + MINUTE)
    yard.sweep()
    yard.finish(run)
    moved_to(yard, START + HOUR + delay)
    yard.fire(job)
    assert [slot for slot, _, _ in started(yard, job)] == ["13:00"]
    moved_to(yard, START + 2 * HOUR + delay)
    yard.fire(job)
    assert yard.runs(job)[0]["error"]["code"] == "skipped_overlap"


def test_a_triggered_run_has_no_jitter(yard: Yard) -> None:
    job, _ = jittered(yard)
    run = yard.trigger(job)
    assert run["due_at"] is None
    assert yard.run(run)["attempts"], "it was launched at once"


def test_the_delay_is_no_delay_of_the_start(yard: Yard) -> None:
    """What the log says of a run's start is counted from when it was to start."""
    run = sample_runs.Run(
        scheduled_for=START, due_at=START + HOUR, started_at=START + HOUR + timedelta(seconds=20)
    )
    assert run_step.start_delay(run) == 20


# GET /upcoming


def test_upcoming_has_the_slots_in_the_order_in_which_they_start(yard: Yard) -> None:
    """A slot that waits for its delay is still to come."""
    job, delay = jittered(yard, name="a")
    yard.create(name="b", schedule="2 13 * * *")
    moved_to(yard, START + HOUR + MINUTE)
    found = upcoming(yard, until="2h")["slots"]
    assert [(slot["job_name"], slot["scheduled_for"][11:16]) for slot in found] == [
        ("b", "13:02"),
        ("a", "13:00"),
        ("a", "14:00"),
    ]
    assert [slot["due_at"][11:16] for slot in found] == [
        "13:02",
        at(START + HOUR + delay),
        at(START + 2 * HOUR + delay),
    ]
    moved_to(yard, START + HOUR + delay)
    found = upcoming(yard, f"/jobs/{job['id']}/upcoming", until="2h")["slots"]
    assert [slot["scheduled_for"][11:16] for slot in found] == ["14:00", "15:00"]


def test_a_slot_that_was_to_start_already_is_not_upcoming(yard: Yard) -> None:
    """Nobody has moved the job's cursor yet; the slots after it still wait for their delay."""
    job, delay = jittered(yard, schedule="*/5 * * * *")
    moved_to(yard, START + 5 * MINUTE + delay)
    (slot,) = upcoming(yard, f"/jobs/{job['id']}/upcoming", limit=1)["slots"]
    assert slot["scheduled_for"][11:16] == "12:10"
    assert slot["due_at"][11:16] == at(START + 10 * MINUTE + delay)
