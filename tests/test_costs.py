"""How many AWS calls each operation makes, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.yard import Yard

GET, PUT = "dynamodb.GetItem", "dynamodb.TransactWriteItems"
BATCH, QUERY, UPDATE = "dynamodb.BatchGetItem", "dynamodb.Query", "dynamodb.UpdateItem"
DESCRIBE, RUN_TASK = "ecs.DescribeTasks", "ecs.RunTask"
PUT_EVENTS = "events.PutEvents"


@pytest.fixture
def warm(yard: Yard) -> Yard:
    """A function whose cache has this token."""
    yard.call("GET", "/jobs")
    return yard


def cost(yard: Yard, act: Callable[[], Any]) -> dict[str, int]:
    with yard.counting() as calls:
        act()
    return calls.counted


def test_a_token_costs_one_read_and_none_within_30_seconds(yard: Yard) -> None:
    """A warm function caches a token for 30 seconds."""
    list_jobs = lambda: yard.call("GET", "/jobs")  # noqa: E731 - the same call, thrice
    assert cost(yard, list_jobs)[GET] == 1
    yard.clock.move(seconds=29)
    assert GET not in cost(yard, list_jobs)
    yard.clock.move(seconds=2)
    assert cost(yard, list_jobs)[GET] == 1


def test_the_calls_of_creating_a_job(warm: Yard) -> None:
    """The name is read, AWS's resources are made, and one transaction stores the job."""
    assert cost(warm, lambda: warm.create()) == {
        GET: 1,
        PUT: 1,
        "ecs.RegisterTaskDefinition": 1,
        "logs.CreateLogGroup": 1,
        "logs.PutRetentionPolicy": 1,
    }


def test_the_calls_of_creating_a_scheduled_job(warm: Yard) -> None:
    """
    The job's rule and the rule's target are added; one transaction stores the job with its cursor.
    """
    assert cost(warm, lambda: warm.create(schedule="0 3 * * *")) == {
        GET: 1,
        PUT: 1,
        "ecs.RegisterTaskDefinition": 1,
        "logs.CreateLogGroup": 1,
        "logs.PutRetentionPolicy": 1,
        "events.PutRule": 1,
        "events.PutTargets": 1,
    }


def test_the_calls_of_reading_jobs(warm: Yard) -> None:
    """A page costs one query, and one job costs one read."""
    job = warm.create()
    assert cost(warm, lambda: warm.call("GET", "/jobs")) == {QUERY: 1}
    assert cost(warm, lambda: warm.call("GET", f"/jobs/{job['id']}")) == {GET: 1}


def test_the_calls_of_updating_a_job(warm: Yard) -> None:
    """
    Only a changed container is registered, and only a changed schedule changes the rule. One
    transaction stores the job and its entry in the audit trail.
    """
    job = warm.create()
    path = f"/jobs/{job['id']}"
    assert cost(warm, lambda: warm.call("PATCH", path, {"tags": ["a"]})) == {GET: 1, PUT: 1}
    assert cost(warm, lambda: warm.call("PATCH", path, {"name": "other"})) == {GET: 1, PUT: 1}
    assert cost(warm, lambda: warm.call("PATCH", path, {"command": ["a"]})) == {
        GET: 1,
        PUT: 1,
        "ecs.RegisterTaskDefinition": 1,
    }
    assert cost(warm, lambda: warm.call("PATCH", path, {"schedule": "5 * * * *"})) == {
        GET: 1,
        PUT: 1,
        "events.PutRule": 1,
        "events.PutTargets": 1,
    }
    assert cost(warm, lambda: warm.call("PATCH", path, {"paused": True})) == {
        GET: 1,
        PUT: 1,
        "events.PutRule": 1,
        "events.PutTargets": 1,
    }


def test_the_calls_of_a_runs_life(warm: Yard) -> None:
    """The calls of a trigger, a start and an end, and of reading the run at each point."""
    job = warm.create()
    triggered: list[dict[str, Any]] = []
    # the second transaction records the task and whose it is
    assert cost(warm, lambda: triggered.append(warm.trigger(job))) == {GET: 1, PUT: 2, RUN_TASK: 1}
    run = triggered[0]
    arn = warm.task_of(run)
    warm.aws.ecs.start(arn)
    running = warm.take_events()[-1]
    # an event costs one read of its run, and one write if it is news
    assert cost(warm, lambda: warm.deliver(running)) == {GET: 1, PUT: 1}
    assert cost(warm, lambda: warm.deliver(running)) == {GET: 1}
    assert cost(warm, lambda: warm.run(run)) == {BATCH: 1, DESCRIBE: 1}
    assert cost(warm, lambda: warm.status(job)) == {BATCH: 1, GET: 1, QUERY: 1, DESCRIBE: 1}
    assert cost(warm, lambda: warm.runs(job)) == {GET: 1, QUERY: 1, DESCRIBE: 1}
    warm.aws.ecs.stop(arn, exit_code=0)
    stopped = warm.take_events()[-1]
    assert cost(warm, lambda: warm.deliver(stopped)) == {GET: 1, PUT: 1}
    assert cost(warm, lambda: warm.run(run)) == {BATCH: 1}
    assert cost(warm, lambda: warm.status(job)) == {BATCH: 1, GET: 1, QUERY: 1}
    assert cost(warm, lambda: warm.runs(job)) == {GET: 1, QUERY: 1}


def test_the_calls_of_a_trigger_with_a_key(warm: Yard) -> None:
    """The key is read with the job; a replay also reads the run and describes its task."""
    job = warm.create()
    path, key = f"/jobs/{job['id']}/runs", {"Idempotency-Key": "k"}
    send = lambda: warm.call("POST", path, headers=key)  # noqa: E731 - the same request, twice
    assert cost(warm, send) == {BATCH: 1, PUT: 2, RUN_TASK: 1}
    assert cost(warm, send) == {BATCH: 1, GET: 1, DESCRIBE: 1}


def test_the_calls_of_reading_the_audit_trail(warm: Yard) -> None:
    """A query for the project's entries and one for those about tokens."""
    for number in range(20):
        warm.create(name=f"job {number}")
    read = lambda: warm.call("GET", "/audit", query={"limit": 10})  # noqa: E731
    assert cost(warm, read) == {QUERY: 2}


def test_status_costs_the_same_whatever_the_number_of_runs(warm: Yard) -> None:
    """Finished runs and skipped slots are not read."""
    job = warm.create()
    for _ in range(30):
        warm.finish(warm.trigger(job))
    assert cost(warm, lambda: warm.status(job)) == {BATCH: 1, GET: 1, QUERY: 1}


def test_the_activity_of_100_jobs_takes_three_calls_whatever_their_history(warm: Yard) -> None:
    """The jobs, what is in flight, and the counts, which hold the runs that finished last."""
    jobs = [warm.create(name=f"job {number}") for number in range(101)]
    for _ in range(30):
        warm.finish(warm.trigger(jobs[-1]))
    warm.trigger(jobs[0])
    read = lambda: warm.call("GET", "/jobs", query={"include": "activity", "limit": 100})  # noqa: E731
    assert cost(warm, read) == {QUERY: 2, BATCH: 1}


def test_the_runs_of_a_project_cost_the_same_whatever_their_number(warm: Yard) -> None:
    """A query for each partition of the list, and the runs of the page with their jobs."""
    jobs = [warm.create(name=f"job {number}") for number in range(2)]
    for _ in range(20):
        for job in jobs:
            warm.finish(warm.trigger(job))
    read = lambda: warm.call("GET", "/runs", query={"limit": 5})  # noqa: E731
    assert cost(warm, read) == {QUERY: 4, BATCH: 1}
    running = lambda: warm.call("GET", "/runs", query={"status": "running"})  # noqa: E731
    assert cost(warm, running) == {QUERY: 1}


def test_the_calls_of_announcing_a_run_and_of_telling_people(warm: Yard) -> None:
    """
    The notification goes with the run's event. What the job wants to be told of is read only for
    failed runs and those that ended a series, and a series that goes on, or ends, takes a second
    transaction.
    """
    warm.set_up(replace(warm.system.settings, event_bus="default"))
    warm.call("GET", "/jobs")
    job = warm.create()

    def ends(exit_code: int) -> dict[str, int]:
        run = warm.trigger(job)
        warm.aws.ecs.stop(warm.task_of(run), exit_code=exit_code)
        stopped = warm.take_events()[-1]
        return cost(warm, lambda: warm.deliver(stopped))

    usual = {GET: 1, PUT: 1, PUT_EVENTS: 1, UPDATE: 1}
    assert ends(0) == usual
    assert ends(1) == usual | {BATCH: 1}
    assert ends(1) == usual | {BATCH: 1, PUT: 2}
    assert ends(0) == usual | {BATCH: 1, PUT: 2}
    assert ends(0) == usual


@pytest.mark.parametrize(
    ("policy", "queries"), [("allow", 0), ("forbid", 1), ("replace", 1), ("queue", 1)]
)
def test_the_calls_of_a_scheduled_fire(warm: Yard, policy: str, queries: int) -> None:
    """A fire costs a trigger and moving the cursor; every policy but `allow` adds a query."""
    job = warm.create(schedule="* * * * *", concurrency_policy=policy)
    warm.clock.move(minutes=1)
    expected = {GET: 1, PUT: 2, RUN_TASK: 1, UPDATE: 1}
    assert cost(warm, lambda: warm.fire(job)) == expected | ({QUERY: queries} if queries else {})


def test_jitter_costs_no_call(warm: Yard) -> None:
    """The rule fires when the slot starts, and not at the slot."""
    job = warm.create(schedule="* * * * *", jitter_seconds=3_600)
    warm.clock.at = warm.stored_job(job).next_due_at or warm.clock.at
    expected = {GET: 1, PUT: 2, RUN_TASK: 1, UPDATE: 1}
    assert cost(warm, lambda: warm.fire(job)) == expected


def test_the_calls_of_a_queue(warm: Yard) -> None:
    """
    A trigger that starts at once costs a query more than others, and so does its end. One that
    waits costs two queries and a read of what waits, and no launch; that comes with the end of the
    run before it.
    """
    job = warm.create(concurrency_policy="queue")
    first: list[dict[str, Any]] = []
    at_once = cost(warm, lambda: first.append(warm.trigger(job)))
    assert at_once == {GET: 1, QUERY: 1, PUT: 2, RUN_TASK: 1}
    assert cost(warm, lambda: warm.trigger(job)) == {GET: 1, QUERY: 2, BATCH: 1, PUT: 1}


def test_the_calls_of_looking_at_a_run_in_line(warm: Yard) -> None:
    """What is in flight is read once, for the line and for the run."""
    job = warm.create(concurrency_policy="queue")
    first, second = warm.trigger(job), warm.trigger(job)
    warm.finish(first, exit_code=0)
    third = warm.trigger(job)
    warm.aws.ecs.start(warm.task_of(second))
    warm.deliver()
    held = warm.stored(third)
    found = cost(warm, lambda: warm.system.launcher.launch([held]))
    lease, deleted_jobs = {UPDATE: 2}, {BATCH: 1}
    assert found[QUERY] == 1
    assert found[BATCH] - deleted_jobs[BATCH] == 1
    assert found[UPDATE] - lease[UPDATE] == 1


def test_a_fire_that_is_not_due_costs_one_read(warm: Yard) -> None:
    """A rule may fire more often than its schedule, so this is common."""
    job = warm.create(schedule="0 3 * * *")
    assert cost(warm, lambda: warm.fire(job)) == {GET: 1}
