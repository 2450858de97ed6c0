"""What wakes a scheduled job: its rules, or the sweep if it has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.engine.scheduler import FIRE_GRACE
from tests.yard import START, Yard


def rules() -> list[str]:
    """The expressions of all rules."""
    found = boto3.client("events").list_rules()["Rules"]
    return sorted(rule["ScheduleExpression"] for rule in found)


def wake(yard: Yard, job: dict[str, Any]) -> str | None:
    return str(yard.call("GET", f"/jobs/{job['id']}").data["wake"])


def update(yard: Yard, job: dict[str, Any], **changes: Any) -> str:
    answer = yard.call("PATCH", f"/jobs/{job['id']}", changes)
    assert answer.status == 200, answer.envelope
    return str(answer.data["wake"])


def slots(yard: Yard, job: dict[str, Any]) -> list[str]:
    """The slots that have a run in flight, oldest first."""
    found = reversed(yard.runs(job))
    return [run["scheduled_for"][11:16] for run in found if run["status"] == "pending"]


def makes_no_rules(yard: Yard) -> None:
    yard.set_up(replace(yard.system.settings, wake="sweep"))


def test_a_job_without_room_for_its_rules_is_created_and_woken_by_the_sweep(yard: Yard) -> None:
    """The sweep starts the slot's run in its minute, as a rule would."""
    yard.aws.events.rules_per_bus = 1
    first = yard.create(name="a", schedule="*/5 * * * *")
    second = yard.create(name="b", schedule="*/5 * * * *")
    assert (first["wake"], second["wake"]) == ("rule", "sweep")
    assert rules() == ["cron(0,5,10,15,20,25,30,35,40,45,50,55 * * * ? *)"]
    yard.sweep(minutes=5)
    assert (slots(yard, first), slots(yard, second)) == ([], ["12:05"])
    yard.fire(second)
    yard.sweep()
    assert slots(yard, second) == ["12:05"], "a slot has one run, whatever wakes it"
    assert len(yard.aws.ecs.tasks) == 1
    yard.sweep(seconds=FIRE_GRACE.total_seconds())
    assert slots(yard, first) == ["12:05"]


def test_a_rule_for_which_there_is_no_room_is_asked_for_once(yard: Yard) -> None:
    """botocore takes the refusal for throttling, and would repeat it after seconds."""
    yard.aws.events.rules_per_bus = 0
    sent: list[str] = []
    events = yard.system.clients.get("events").meta.events
    events.register("before-send.events.PutRule", lambda **_: sent.append("PutRule"))
    yard.create(schedule="*/5 * * * *")
    assert sent == ["PutRule"]


def test_of_two_rules_that_do_not_both_find_room_none_is_kept(yard: Yard) -> None:
    """Otherwise slots by date and slots by weekday would be woken differently."""
    yard.aws.events.rules_per_bus = 1
    job = yard.create(schedule="0 3 1 * 1")
    assert (job["wake"], rules()) == ("sweep", [])
    assert yard.create(name="other", schedule="0 3 * * *")["wake"] == "rule"


def test_an_update_that_finds_no_room_leaves_the_job_to_the_sweep(yard: Yard) -> None:
    """A later update that finds room gives the job its rules, whatever it changes."""
    yard.aws.events.rules_per_bus = 1
    job = yard.create(schedule="0 3 * * *")
    assert update(yard, job, schedule="0 5 1 * 1") == "sweep"
    assert rules() == []
    yard.aws.events.rules_per_bus = 2
    assert update(yard, job, name="renamed") == "rule"
    assert rules() == ["cron(0 5 1 * ? *)", "cron(0 5 ? * MON *)"]
    stored = yard.stored_job(job)
    assert stored.next_slot and stored.work_at == stored.next_slot + FIRE_GRACE


def test_unpausing_finds_no_room_and_fires_all_the_same(yard: Yard) -> None:
    """The job was created paused and without rules."""
    yard.aws.events.rules_per_bus = 0
    job = yard.create(schedule="*/5 * * * *", paused=True)
    assert job["wake"] == "sweep"
    yard.sweep(minutes=10)
    assert update(yard, job, paused=False) == "sweep"
    yard.sweep(minutes=5)
    assert slots(yard, job) == ["12:15"]


def test_wake_is_null_on_demand(yard: Yard) -> None:
    """This also holds for a job that had a schedule but no rules."""
    yard.aws.events.rules_per_bus = 0
    job = yard.create(schedule="*/5 * * * *")
    yard.call("PATCH", f"/jobs/{job['id']}", {"schedule": None})
    assert yard.call("GET", f"/jobs/{job['id']}").data["wake"] is None
    assert yard.stored_job(job).wake is None


def test_the_audit_gives_rules_to_the_jobs_that_there_is_room_for(yard: Yard) -> None:
    """The sweep continues to wake the others."""
    yard.aws.events.rules_per_bus = 0
    jobs = [yard.create(name=name, schedule="*/5 * * * *") for name in ("a", "b", "c")]
    yard.aws.events.rules_per_bus = 2
    yard.audit(minutes=1)
    assert sorted(str(wake(yard, job)) for job in jobs) == ["rule", "rule", "sweep"]
    assert len(rules()) == 2
    version = {yard.stored_job(job).version for job in jobs}
    assert version == {1}, "moving a job to its rules makes no new version"
    yard.sweep(minutes=4)
    assert sum(bool(slots(yard, job)) for job in jobs) == 1


def test_a_refusal_ends_the_audits_attempts_at_the_same_page(yard: Yard) -> None:
    """Hundreds of jobs without rules would otherwise cost one refused call each."""
    yard.set_up(replace(yard.system.settings, shards=1))
    yard.aws.events.rules_per_bus = 0
    for number in range(5):
        yard.create(name=str(number), schedule="*/5 * * * *")
    with yard.counting() as calls:
        yard.audit(minutes=1)
    assert calls.counted["events.PutRule"] == 1


@pytest.mark.parametrize("back", [False, True])
def test_while_the_setting_is_switched_each_slot_has_one_run(yard: Yard, back: bool) -> None:
    """
    The setting becomes `sweep`, and in one case `rules` again. An audit moves the jobs. Before,
    between and after the audits each slot starts once, at the latest by the sweep after its rule's
    time.
    """
    job = yard.create(schedule="*/5 * * * *")
    paused = yard.create(name="b", schedule="0 3 * * *", paused=True)
    makes_no_rules(yard)
    yard.clock.move(minutes=5)
    yard.fire(job)  # its rule still exists
    yard.sweep(seconds=90)
    assert slots(yard, job) == ["12:05"]
    yard.audit()
    assert (rules(), wake(yard, job)) == ([], "sweep")
    yard.sweep(seconds=210)
    assert slots(yard, job) == ["12:05", "12:10"]
    expected = ["12:05", "12:10"]
    if back:
        yard.set_up(replace(yard.system.settings, wake="rules"))
        yard.audit(hours=1)
        assert wake(yard, job) == "rule"
        assert update(yard, paused, paused=False) == "rule"
        assert len(rules()) == 2
        yard.clock.at = START + timedelta(hours=2)
        yard.sweep()
        assert slots(yard, job)[:2] == expected
        yard.fire(job)
        expected += ["14:00"]
    assert slots(yard, job) == expected


def test_a_sweep_that_read_the_job_before_its_rules_came_keeps_the_grace_of_rules(
    yard: Yard,
) -> None:
    """An audit gives the job its rules while a sweep that read the job before moves its cursor."""
    yard.aws.events.rules_per_bus = 0
    job = yard.create(schedule="*/5 * * * *")
    read = yard.stored_job(job)
    yard.aws.events.rules_per_bus = 1
    yard.audit(minutes=5)
    assert wake(yard, job) == "rule"
    yard.system.scheduler.advance(read, yard.clock())
    stored = yard.stored_job(job)
    assert stored.next_slot and stored.work_at == stored.next_slot + FIRE_GRACE
    assert slots(yard, job) == ["12:05"]


def test_a_slot_is_due_in_the_minute_that_the_sweep_was_called_for(yard: Yard) -> None:
    """The function's clock may be slightly behind EventBridge's."""
    yard.aws.events.rules_per_bus = 0
    job = yard.create(schedule="*/5 * * * *")
    yard.clock.move(minutes=4, seconds=59)
    yard.system.sweep.turn(START + timedelta(minutes=5))
    assert slots(yard, job) == ["12:05"]
