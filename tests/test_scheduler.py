"""Schedules: every slot gets exactly one run, or one recorded miss."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.fidelity.operations import Failure
from tests.yard import START, Yard, rules

MINUTE = timedelta(minutes=1)


def slots(yard: Yard, job: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """The slot, status and error code of a job's scheduled runs, oldest first."""
    return [
        (run["scheduled_for"][11:16], run["status"], run["error"] and run["error"]["code"])
        for run in reversed(yard.runs(job, trigger="schedule"))
    ]


def test_a_scheduled_run_has_the_time_of_its_slot(yard: Yard) -> None:
    """The run and its container have the slot's time; job and status have the next slot."""
    job = yard.create(schedule="*/5 * * * *")
    assert job["next_run_at"] == "2026-11-23T12:05:00.000Z"
    yard.clock.move(minutes=5, seconds=3)
    assert yard.fire(job) == "advanced"
    (run,) = yard.runs(job)
    assert (run["trigger"], run["scheduled_for"]) == ("schedule", "2026-11-23T12:05:00.000Z")
    told = yard.aws.ecs.tasks[0].overrides["containerOverrides"][0]["environment"]
    assert {"name": "JOBYARD_SCHEDULED_FOR", "value": "2026-11-23T12:05:00.000Z"} in told
    assert yard.status(job)["next_run_at"] == "2026-11-23T12:10:00.000Z"


def test_a_fire_delivered_twice_starts_one_task(yard: Yard) -> None:
    """It does not matter whether the second comes at once or minutes later."""
    job = yard.create(schedule="*/5 * * * *")
    slot = yard.clock.move(minutes=5)
    yard.fire(job, slot)
    assert yard.fire(job, slot) == "not due"
    yard.clock.move(minutes=4)
    assert yard.fire(job, slot) == "not due"
    assert len(yard.aws.ecs.tasks) == 1


def test_a_fire_may_come_before_our_clock_reaches_its_slot(yard: Yard) -> None:
    """EventBridge's event names the slot, because clocks differ."""
    job = yard.create(schedule="*/5 * * * *")
    yard.clock.move(minutes=4, seconds=59)
    yard.fire(job, START + 5 * MINUTE)
    assert slots(yard, job) == [("12:05", "pending", None)]


def test_the_sweep_starts_a_slot_whose_fire_never_came(yard: Yard) -> None:
    """The sweep waits for 90 seconds after the slot."""
    job = yard.create(schedule="*/5 * * * *")
    yard.sweep(minutes=6)
    assert yard.runs(job) == []
    yard.sweep(seconds=30)
    assert slots(yard, job) == [("12:05", "pending", None)]


def test_of_several_late_slots_the_newest_starts_and_the_rest_are_missed(yard: Yard) -> None:
    """Slots less than two minutes old start too; misses are listed but not counted as runs."""
    job = yard.create(schedule="* * * * *")
    yard.sweep(minutes=5, seconds=30)
    assert slots(yard, job) == [
        ("12:01", "cancelled", "missed_deadline"),
        ("12:02", "cancelled", "missed_deadline"),
        ("12:03", "cancelled", "missed_deadline"),
        ("12:04", "pending", None),
        ("12:05", "pending", None),
    ]
    status = yard.status(job)
    assert status["run_counts"]["skipped"] == 3
    assert status["run_counts"]["total"] == 2
    assert status["latest_run"]["scheduled_for"] == "2026-11-23T12:05:00.000Z"


def test_a_slot_noticed_after_its_deadline_is_missed(yard: Yard) -> None:
    """This holds even for the newest slot."""
    job = yard.create(schedule="0 12 * * *", starting_deadline_seconds=300)
    yard.sweep(hours=24, minutes=6)
    assert slots(yard, job) == [("12:00", "cancelled", "missed_deadline")]


def test_of_a_long_gap_the_newest_hundred_misses_are_recorded_and_all_counted(yard: Yard) -> None:
    """The oldest record says for how many slots it stands."""
    job = yard.create(schedule="* * * * *")
    yard.sweep(minutes=300)
    status = yard.status(job)
    assert status["run_counts"]["pending"] == 2
    assert status["run_counts"]["skipped"] == 298
    runs = yard.runs(job)
    assert len(runs) == 100
    assert "200 older" in runs[-1]["error"]["message"]


def test_a_changed_schedule_does_not_fire_retroactively(yard: Yard) -> None:
    """The slots of the old schedule are handled, and the new schedule begins after now."""
    job = yard.create(schedule="0 * * * *")
    yard.clock.move(minutes=90)
    yard.call("PATCH", f"/jobs/{job['id']}", {"schedule": "15 * * * *"})
    assert slots(yard, job) == [("13:00", "pending", None)]
    assert yard.status(job)["next_run_at"] == "2026-11-23T14:15:00.000Z"
    assert yard.fire(job, START + 75 * MINUTE) == "not due"
    assert len(yard.runs(job)) == 1


def test_a_paused_schedule_does_not_fire_and_does_not_catch_up(yard: Yard) -> None:
    """
    Manual runs still work; the rule is disabled, not deleted, so that unpausing needs no new one.
    """
    job = yard.create(schedule="*/5 * * * *")
    path = f"/jobs/{job['id']}"
    assert yard.call("PATCH", path, {"paused": True}).data["next_run_at"] is None
    assert rules() == [("cron(0/5 * * * ? *)", "DISABLED")] or rules()[0][1] == "DISABLED"
    yard.clock.move(hours=1)
    assert yard.fire(job) == "not scheduled"
    yard.sweep()
    assert yard.runs(job) == []
    yard.trigger(job)
    status = yard.status(job)
    assert (status["paused"], status["schedule"], status["next_run_at"]) == (
        True,
        "*/5 * * * *",
        None,
    )
    assert yard.call("PATCH", path, {"paused": False}).data["next_run_at"] is not None
    yard.sweep(minutes=1)
    assert len(yard.runs(job)) == 1
    assert [state for _, state in rules()] == ["ENABLED"]


def test_fires_of_deleted_and_changed_jobs_do_nothing(yard: Yard) -> None:
    """The job was deleted, or has no schedule any more."""
    job = yard.create(schedule="* * * * *")
    yard.call("PATCH", f"/jobs/{job['id']}", {"schedule": None})
    yard.clock.move(minutes=1)
    assert yard.fire(job) == "not scheduled"
    assert rules() == []
    yard.call("DELETE", f"/jobs/{job['id']}")
    assert yard.fire(job) == "gone"


def test_forbid_skips_a_slot_while_a_run_is_in_flight(yard: Yard) -> None:
    """A manual run counts, and so does one that waits for a retry; the skip is in the history."""
    job = yard.create(schedule="*/5 * * * *", concurrency_policy="forbid", max_retries=1)
    manual = yard.trigger(job)
    yard.clock.move(minutes=5)
    yard.fire(job)
    assert slots(yard, job) == [("12:05", "cancelled", "skipped_overlap")]
    yard.finish(manual, exit_code=1)  # the run now waits for its retry
    yard.clock.move(minutes=5)
    yard.fire(job)
    assert slots(yard, job)[1:] == [("12:10", "cancelled", "skipped_overlap")]
    yard.sweep()
    yard.finish(manual)
    yard.clock.move(minutes=5)
    yard.fire(job)
    assert slots(yard, job)[2:] == [("12:15", "pending", None)]


def test_a_stale_record_does_not_block_later_slots(yard: Yard) -> None:
    """The run's events were lost; ECS is asked before the slot is skipped."""
    job = yard.create(schedule="*/5 * * * *", concurrency_policy="forbid")
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=0)
    yard.take_events()
    yard.clock.move(minutes=5)
    yard.fire(job)
    assert slots(yard, job) == [("12:05", "pending", None)]


def test_replace_starts_after_the_earlier_run_has_stopped(yard: Yard) -> None:
    """
    The earlier run is cancelled at once; the new one stays pending until its container has ended.
    """
    job = yard.create(schedule="*/5 * * * *", concurrency_policy="replace")
    first = yard.trigger(job)
    arn = yard.task_of(first)
    yard.aws.ecs.start(arn)
    yard.deliver()
    yard.clock.move(minutes=5)
    yard.fire(job)
    assert yard.run(first)["error"]["code"] == "replaced"
    assert slots(yard, job) == [("12:05", "pending", None)]
    assert len(yard.aws.ecs.tasks) == 1
    yard.sweep(minutes=2)
    assert len(yard.aws.ecs.tasks) == 1
    yard.aws.ecs.stop(arn, exit_code=143)
    yard.deliver()
    assert len(yard.aws.ecs.tasks) == 2
    second = yard.runs(job, trigger="schedule")[0]
    yard.finish(second)
    assert yard.counts(job) == {"succeeded": 1, "cancelled": 1, "total": 2}


@pytest.mark.parametrize("seed", range(6))
def test_any_delivery_of_fires_gives_each_slot_one_run_or_one_miss(yard: Yard, seed: int) -> None:
    """
    Each fire comes 0 to 3 times, minutes late and in any order, and some launches are refused.
    """
    chance = random.Random(seed)
    policy = chance.choice(["allow", "forbid", "replace"])
    job = yard.create(schedule="*/2 * * * *", concurrency_policy=policy)
    due = [START + n * 2 * MINUTE for n in range(1, 13)]
    fires = [
        (slot + timedelta(seconds=chance.uniform(0, 400)), slot)
        for slot in due
        for _ in range(chance.choice([0, 1, 1, 2, 3]))
    ]
    sweeps = [(START + n * MINUTE, None) for n in range(1, 45)]
    for at, slot in sorted([*fires, *sweeps], key=lambda wake: wake[0]):
        yard.clock.at = max(yard.clock.at, at)
        if chance.random() < 0.2:
            yard.aws.ecs.refuse_next(Failure("Capacity is unavailable at this time"))
        if slot is None:
            yard.sweep()
        else:
            yard.fire(job, slot)
        for task in yard.aws.ecs.tasks:
            if task.last_status != "STOPPED" and chance.random() < 0.5:
                yard.aws.ecs.stop(task.arn, exit_code=0)
        if chance.random() < 0.8:
            yard.deliver()
    seen = [run["scheduled_for"] for run in yard.runs(job)]
    expected = [datetime.fromisoformat(f"{text[:-1]}+00:00") for text in reversed(seen)]
    assert expected[: len(due)] == due
    assert len(set(seen)) == len(seen)
    launched = [task.started_by for task in yard.aws.ecs.tasks]
    assert len(set(launched)) == len(launched)
    assert all(slot.tzinfo is UTC for slot in due)
