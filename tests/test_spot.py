"""Runs of jobs with `capacity`: on Spot, interrupted, and on demand in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from chalicelib.domain.attempt_tasks import tasks_of
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import TaskOwner
from infra.local.fidelity.operations import NO_CAPACITY
from infra.local.fidelity.run_task import EcsError
from tests.yard import Yard


def launches(yard: Yard) -> list[str]:
    """What each task was requested on."""
    return ["spot" if task.is_spot else "on_demand" for task in yard.aws.ecs.tasks]


def interrupt(yard: Yard, run: dict[str, Any], exit_code: int = 143) -> None:
    """The run's container starts, and AWS takes its Spot capacity back."""
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yard.aws.ecs.interrupt(arn)
    yard.aws.ecs.stop(arn, exit_code)
    yard.deliver()


def test_a_job_runs_on_demand_unless_it_says_otherwise(yard: Yard) -> None:
    """The run says what it ran on, once it has a task; null before."""
    job = yard.create()
    run = yard.trigger(job)
    assert (job["capacity"], launches(yard)) == ("on_demand", ["on_demand"])
    assert yard.run(run)["capacity"] == "on_demand"
    assert yard.run(run)["attempts"][0]["capacity"] == "on_demand"
    yard.finish(run)
    assert yard.status(job)["latest_run"]["capacity"] == "on_demand"
    yard.aws.ecs.refuse_next(NO_CAPACITY)
    assert yard.run(yard.trigger(job))["capacity"] is None


def test_a_run_keeps_the_capacity_that_its_job_had(yard: Yard) -> None:
    """The change is for the runs that come after it, and null is the default again."""
    job = yard.create(capacity="spot", max_retries=1)
    run = yard.trigger(job)
    changed = yard.call("PATCH", f"/jobs/{job['id']}", {"capacity": None}).data
    assert changed["capacity"] == "on_demand"
    assert changed["version"] == job["version"] + 1
    yard.finish(run, exit_code=1)
    yard.sweep(minutes=2)
    yard.trigger(job)
    assert launches(yard) == ["spot", "spot", "on_demand"]
    assert [one["capacity"] for one in yard.run(run)["attempts"]] == ["spot", "spot"]


def test_an_interrupted_run_goes_on_with_another_task_and_keeps_its_retries(yard: Yard) -> None:
    """Also if the container ends with 0 when it is told to end."""
    job = yard.create(capacity="spot", max_retries=1)
    run = yard.trigger(job)
    interrupt(yard, run, exit_code=0)
    between = yard.run(run)
    assert (between["status"], between["attempt"], between["finished_at"]) == ("running", 1, None)
    assert (between["capacity"], between["attempts"][0]["interruptions"]) == ("spot", 1)
    assert between["task_arn"] == yard.aws.ecs.tasks[0].arn
    yard.sweep(seconds=1)
    assert yard.run(run)["task_arn"] == yard.aws.ecs.tasks[1].arn
    yard.clock.move(minutes=5)
    yard.finish(run)
    done = yard.run(run)
    assert (done["status"], done["error"], done["exit_code"]) == ("succeeded", None, 0)
    (attempt,) = done["attempts"]
    assert (attempt["attempt"], attempt["interruptions"], attempt["capacity"]) == (1, 1, "spot")
    assert attempt["started_at"] == done["started_at"] == "2026-11-23T12:00:00.000Z"
    assert yard.counts(job) == {"succeeded": 1, "total": 1}


def test_a_run_that_is_always_interrupted_fails_in_the_end(yard: Yard) -> None:
    """Six tasks an attempt; the error is a code of its own, with a hint."""
    run = yard.trigger(yard.create(capacity="spot", max_retries=1))
    for _ in range(12):
        interrupt(yard, run)
        yard.sweep(minutes=7)
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "spot_interrupted")
    assert "spot_then_on_demand" in failed["error"]["hint"]
    assert [one["interruptions"] for one in failed["attempts"]] == [5, 5]
    assert yard.stored(run).launch == 12


def test_after_the_second_interruption_the_run_goes_on_on_demand(yard: Yard) -> None:
    """What it ran on is that of its last task."""
    run = yard.trigger(yard.create(capacity="spot_then_on_demand"))
    for shown in ("spot", "spot"):
        interrupt(yard, run)
        assert yard.run(run)["capacity"] == shown
        yard.sweep(minutes=1)
    yard.finish(run)
    assert launches(yard) == ["spot", "spot", "on_demand"]
    assert (yard.run(run)["status"], yard.run(run)["capacity"]) == ("succeeded", "on_demand")
    assert yard.run(run)["attempts"][0]["interruptions"] == 2


def test_without_spot_capacity_the_run_goes_on_demand_after_five_minutes(yard: Yard) -> None:
    """A job that wants Spot alone waits on."""
    run = yard.trigger(yard.create(capacity="spot_then_on_demand"))
    interrupt(yard, run)
    other = yard.create(name="b", capacity="spot")
    yard.aws.ecs.has_spot_capacity = False
    waiting = yard.trigger(other)
    for _ in range(7):
        yard.sweep(minutes=1)
    assert yard.stored(run).capacity is None
    assert yard.stored(waiting).capacity == "spot"
    assert launches(yard) == ["spot", "on_demand"]
    yard.aws.ecs.has_spot_capacity = True
    yard.sweep(minutes=1)
    assert launches(yard) == ["spot", "on_demand", "spot"]


def test_a_launch_without_an_answer_is_repeated_on_the_same_capacity(yard: Yard) -> None:
    """ECS refuses a token that comes again with other parameters; here it makes one task."""
    run = yard.trigger(yard.create(capacity="spot_then_on_demand"))
    interrupt(yard, run)
    yard.aws.ecs.refuse_next(EcsError("ServiceUnavailableException", "down"), times=2)
    yard.sweep(minutes=1)
    yard.sweep(minutes=10)
    assert (yard.stored(run).task_arn, yard.stored(run).launch) == (None, 2)
    yard.sweep(minutes=2)
    assert yard.stored(run).launch == 2
    assert launches(yard) == ["spot", "spot"]


def test_a_run_that_is_cancelled_between_two_tasks_does_not_start_again(yard: Yard) -> None:
    """It is over at once, and its attempt still shows the task that it had."""
    job = yard.create(capacity="spot")
    run = yard.trigger(job)
    interrupt(yard, run)
    assert yard.call("POST", f"/jobs/{job['id']}/runs/{run['id']}/cancel").status == 200
    yard.sweep(minutes=2)
    over = yard.run(run)
    assert (over["status"], len(yard.aws.ecs.tasks)) == ("cancelled", 1)
    (attempt,) = over["attempts"]
    assert attempt["task_arn"] == over["task_arn"] == yard.aws.ecs.tasks[0].arn
    assert (attempt["capacity"], attempt["interruptions"]) == ("spot", 1)
    assert attempt["started_at"] == over["started_at"]


def test_each_task_has_the_whole_time_limit(yard: Yard) -> None:
    """An interrupted attempt may take longer than `timeout_seconds` in all."""
    run = yard.trigger(yard.create(capacity="spot", timeout_seconds=600))
    yard.aws.ecs.start(yard.task_of(run))
    yard.deliver()
    yard.sweep(minutes=9)
    interrupt(yard, run)
    yard.sweep(seconds=1)
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yard.deliver()
    yard.sweep(minutes=9)
    assert yard.aws.ecs.task(arn).desired_status == "RUNNING"
    yard.sweep(minutes=2)
    assert yard.aws.ecs.task(arn).desired_status == "STOPPED"
    yard.aws.ecs.stop(arn, exit_code=143)
    yard.deliver()
    assert yard.run(run)["error"]["code"] == "timed_out"


def test_an_interruption_makes_no_call_more_than_the_launch_that_follows(yard: Yard) -> None:
    """The event is stored in one write, and a trigger on Spot makes the calls of any trigger."""
    job = yard.create(capacity="spot")
    with yard.counting() as calls:
        run = yard.trigger(job)
    assert calls.counted == {
        "dynamodb.GetItem": 1,
        "dynamodb.TransactWriteItems": 2,
        "ecs.RunTask": 1,
    }
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yard.deliver()
    yard.aws.ecs.interrupt(arn)
    yard.aws.ecs.stop(arn, 143)
    (end,) = yard.take_events()[-1:]
    with yard.counting() as calls:
        yard.deliver(end)
    assert calls.counted == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 1}


def test_what_a_run_on_spot_costs_is_not_known(yard: Yard) -> None:
    """Its prices change: `cost` is null, and the month counts the run as one without a price."""
    yard.set_up(replace(yard.system.settings, region="us-east-1"))
    job = yard.create(capacity="spot_then_on_demand")
    first = yard.trigger(job)
    yard.finish(first)
    second = yard.trigger(job)
    for _ in range(2):
        interrupt(yard, second)
        yard.sweep(minutes=1)
    yard.finish(second)
    third = yard.trigger(yard.create(name="b"))
    yard.finish(third)
    assert [yard.run(one)["cost"] is None for one in (first, second, third)] == [True, True, False]
    assert yard.run(second)["attempts"][0]["cost"] is None
    spot = next(one for one in yard.call("GET", "/cost").data["jobs"] if one["job_id"] == job["id"])
    assert (spot["usd"], spot["runs"], spot["runs_without_price"]) == (None, 2, 2)


def test_a_job_and_a_run_that_an_older_version_stored_run_on_demand(yard: Yard) -> None:
    """They have no capacity."""
    job = yard.create(max_retries=1)
    stored = yard.stored_job(job)
    spec = {name: value for name, value in stored.spec.items() if name != "capacity"}
    assert yard.system.database.update(stored, [Job.spec.set(spec)], None)
    assert yard.call("GET", f"/jobs/{job['id']}").data["capacity"] == "on_demand"
    run = yard.trigger(job)
    assert yard.stored(run).job_capacity is yard.stored(run).capacity is None
    yard.finish(run, exit_code=1)
    yard.sweep(minutes=2)
    assert launches(yard) == ["on_demand", "on_demand"]
    assert [one["capacity"] for one in yard.run(run)["attempts"]] == ["on_demand"] * 2


@pytest.mark.parametrize("query", [{}, {"filter": "line"}])
def test_the_output_of_interrupted_tasks_is_the_runs(yard: Yard, query: dict[str, str]) -> None:
    """In order, with its attempt; a line of the job names its run, first heard of or not."""
    job = yard.create(capacity="spot")
    run = yard.trigger(job)
    for line in ("line 1", "line 2"):
        _say(yard, job, yard.task_of(run), line)
        interrupt(yard, run)
        yard.sweep(minutes=1)
    _say(yard, job, yard.task_of(run), "line 3")
    yard.finish(run)
    expected = [(f"line {n}", run["id"], 1) for n in (1, 2, 3)]
    for path in (f"/jobs/{job['id']}/runs/{run['id']}/logs", f"/jobs/{job['id']}/logs"):
        lines = yard.call("GET", path, query=query).data["logs"]
        assert [(one["message"], one["run_id"], one["attempt"]) for one in lines] == expected


def test_whose_the_output_of_an_interrupted_task_is_is_known_as_long_as_the_run(yard: Yard) -> None:
    """Also if each of its tasks ran almost to its time limit."""
    yard.set_up(replace(yard.system.settings, run_retention_days=3))
    run = yard.trigger(yard.create(capacity="spot", timeout_seconds=30 * 86_400 // 31))
    for _ in range(5):
        yard.aws.ecs.start(yard.task_of(run))
        yard.deliver()
        yard.clock.move(hours=23)
        interrupt(yard, run)
        yard.sweep(minutes=1)
    yard.finish(run)
    over = yard.stored(run)
    keys = [f"task#{task.task_id}" for task in tasks_of(over)]
    owners = [yard.system.database.get(TaskOwner, over.job_id, key) for key in keys]
    assert len(owners) == 6
    assert over.expires is not None
    for owner in owners:
        assert owner is not None
        assert owner.expires is not None
        assert owner.expires >= over.expires


def _say(yard: Yard, job: dict[str, Any], arn: str, text: str) -> None:
    logs: Any = yard.system.clients.get("logs")
    group = yard.system.settings.log_group(job["id"])
    stream = f"run/main/{arn.rpartition('/')[2]}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    at: datetime = yard.clock()
    event = {"timestamp": int(at.timestamp() * 1000), "message": text}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
