"""
Many runs at once: launches keep to Fargate's rate, deletes take several turns, nothing starves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.cloud import aws
from chalicelib.domain import ids, time_limits
from chalicelib.domain.actor import SCHEDULE
from chalicelib.engine import deletion, launcher, shard_sweep
from chalicelib.engine.new_run import new_run
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Live, Run, Stats
from chalicelib.tables.shards import shard
from chalicelib.usecases import jobs
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from tests.reliability.bucket import Bucket
from tests.reliability.wire import clients_of, throttled
from tests.reliability.world import World
from tests.yard import IMAGE

pytestmark = pytest.mark.usefixtures("all_partitions")


@contextlib.contextmanager
def throttling_launches(world: World, rate: float, burst: float) -> Iterator[Bucket]:
    """ECS throttles RunTask."""
    bucket = Bucket(rate, burst, at=world.time.elapsed)

    def meet(**_: Any) -> None:
        if not bucket.takes(world.time.elapsed):
            world.ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"))

    hooks = world.on.clients.get("ecs").meta.events
    hooks.register_first("before-send.ecs.RunTask", meet)
    try:
        yield bucket
    finally:
        hooks.unregister("before-send.ecs.RunTask", meet)


@contextlib.contextmanager
def each_call_takes(world: World, seconds: float) -> Iterator[None]:
    """Each AWS call takes so many seconds of virtual time."""

    def pass_time(**_: Any) -> None:
        world.time.sleep(seconds)

    clients = clients_of(world.on)
    for client in clients:
        client.meta.events.register("before-send.*.*", pass_time)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("before-send.*.*", pass_time)


def seed(world: World, job: Job, number: int, **changes: Any) -> list[str]:
    """Put runs of a job into the table, and return their ids, oldest first."""
    made = []
    for count in range(number):
        at = world.clock() - timedelta(seconds=number - count)
        run = new_run(job, ids.new_run(at), at, SCHEDULE, world.on.settings)
        for name, value in changes.items():
            setattr(run, name, value)
        run.look_shard = shard(run.run_id, world.on.settings.shards, run.look_at)
        world.put(run)
        if run.live:
            world.put(Live.of(run))
        made.append(run.run_id)
    return made


def waiting(world: World, job: Job, number: int) -> list[str]:
    """Runs that were claimed and have not been launched."""
    return seed(world, job, number, requested_at=None, look_at=world.clock())


def over(world: World, job: Job, number: int, **changes: Any) -> list[str]:
    """Runs that have succeeded and are counted."""
    done = {"status": "succeeded", "live": None, "look_at": None, "finished_at": world.clock()}
    made = seed(world, job, number, **(done | changes))
    counts = Stats(job.job_id, "stats")
    assert world.on.database.update(counts, [Stats.succeeded.add(number)])
    return made


def the_job(world: World) -> Job:
    (job,) = world.jobs()
    return job


def test_1000_runs_due_at_once_all_start_in_their_order_and_none_fails(world: World) -> None:
    """RunTask allows 50 calls at once and then 15 a second, fewer than the sweep's own rate."""
    world.fresh()
    world.job(name="a")
    due = waiting(world, the_job(world), 1_000)
    sweeps = 0
    with throttling_launches(world, rate=15, burst=50) as bucket:
        while len(world.made) < 1_000:
            began = world.time.elapsed
            world.sweep()
            sweeps += 1
            assert world.time.elapsed - began < shard_sweep.TURN
            world.time.elapsed = began + 60
            world.clock.move(minutes=1)
            assert sweeps < 10, f"{len(world.made)} launched"
    started = [str(task.started_by).split("/")[1] for task in world.made]
    assert sorted(started) == due
    # a launch that was throttled waits for the next turn; each turn keeps the order
    assert sum(one > next_one for one, next_one in pairwise(started)) < sweeps <= 4
    assert bucket.refused > 0
    assert {run.status for run in world.runs()} == {"pending"}
    assert {int(run.launch) for run in world.runs()} <= set(range(1, sweeps + 1))
    assert all(run.task_arn for run in world.runs())


def test_a_job_with_10000_runs_is_deleted_in_bounded_turns_and_its_name_is_free_at_once(
    world: World,
) -> None:
    """Each AWS call takes 50 ms here, and no turn takes longer than its limit."""
    world.fresh()
    made = world.job(name="a", schedule="0 13 * * *")
    job = the_job(world)
    over(world, job, 10_000)
    live = world.yard.trigger(made)
    with each_call_takes(world, 0.05):
        began = world.time.elapsed
        assert world.yard.call("DELETE", f"/jobs/{job.job_id}").status == 200
        assert world.time.elapsed - began < jobs.INLINE_DELETE + 1
        for path in ("", "/status", "/runs", f"/runs/{live['id']}"):
            assert world.yard.call("GET", f"/jobs/{job.job_id}{path}").status == 404
        again = world.yard.call("POST", "/jobs", {"name": "a", "image": IMAGE})
        assert again.status == 201
        turns = 0
        while len(world.jobs()) > 1:
            began = world.time.elapsed
            world.minute()
            assert world.time.elapsed - began < shard_sweep.DELETES + 2
            turns += 1
            assert turns <= 10, f"{len(world.runs())} runs are left"
    assert turns > 1
    assert world.runs() == []
    assert [stats.pk for stats in world.stats()] == [again.data["id"]]
    assert [job.job_id for job in world.jobs()] == [again.data["id"]]


def test_a_large_delete_does_not_keep_a_run_from_its_launch(world: World) -> None:
    """Runs are swept before deletes, and a delete has only its share of the turn."""
    world.fresh()
    world.job(name="a")
    doomed = the_job(world)
    over(world, doomed, 2_000)
    other = world.job(name="b")
    (job,) = [each for each in world.jobs() if each.job_id == other["id"]]
    with each_call_takes(world, 0.3):
        world.yard.call("DELETE", f"/jobs/{doomed.job_id}")
        waiting(world, job, 1)
        world.clock.move(minutes=1)
        began = world.time.elapsed
        world.sweep()
        assert world.time.elapsed - began < shard_sweep.TURN
    assert len(world.made) == 1
    assert 0 < len(world.runs()) < 2_001


def test_a_backlog_of_unsent_events_does_not_keep_a_run_from_its_launch(world: World) -> None:
    """Runs that are over are swept after the others."""
    world.fresh(bus=True)
    world.job(name="a")
    job = the_job(world)
    over(world, job, 90, announce=True, look_at=world.clock() - timedelta(hours=1))
    waiting(world, job, 5)
    with each_call_takes(world, 0.5):
        down = world.wire.failing(
            asking=lambda _, name: throttled(name) if name == "events.PutEvents" else None
        )
        with down:
            world.sweep()
    assert len(world.made) == 5


def test_a_delete_goes_on_past_runs_that_are_live(world: World) -> None:
    """There is more than one page of them, and each is stopped within a few turns."""
    world.fresh()
    world.job(name="a")
    job = the_job(world)
    waiting(world, job, 105)
    world.sweep()
    assert len(world.made) == 105
    with each_call_takes(world, 0.05):
        world.yard.call("DELETE", f"/jobs/{job.job_id}")
        turns = 0
        while world.jobs():
            world.minute()
            turns += 1
            assert turns <= 10, f"{len(world.runs())} runs are left"
    assert {task.last_status for task in world.made} == {"STOPPED"}
    assert world.runs() == []


def test_no_task_is_started_after_the_delete_of_a_job_with_200_in_flight(world: World) -> None:
    """
    Most wait for capacity, which is available again; waiting runs are stopped before running ones.
    """
    world.fresh()
    world.job(name="a", concurrency_policy="replace", schedule="0 13 * * *")
    other = world.job(name="b")
    job = next(each for each in world.jobs() if each.name == "a")
    running = waiting(world, job, 60)
    world.sweep()
    for task in world.made:
        world.ecs.start(task.arn)
    world.exits = lambda task: None
    asked = waiting(world, job, 70)  # the sweep tried to launch these, and there was no capacity
    world.ecs.refuse_next(Failure("RESOURCE:ENI"), times=70)
    world.sweep()
    seed(world, job, 69, requested_at=None, look_at=world.clock())
    held = seed(world, job, 1, requested_at=None, look_at=world.clock(), waits_for=running[:1])
    world.clock.move(minutes=1)
    assert len(running + asked + held) == 131
    assert len(world.made) == 60
    stops: list[int] = []

    def note_stop(_: int, name: str) -> None:
        if name == "ecs.StopTask":
            # a run that replaces another stops it itself, and is not launched then
            stops.append(sum(run.status == "pending" and not run.waits_for for run in mine()))

    def mine() -> list[Run]:
        return [run for run in world.runs() if run.job_id == job.job_id]

    with each_call_takes(world, 0.05), world.wire.failing(asking=note_stop):
        assert world.yard.call("DELETE", f"/jobs/{job.job_id}").status == 200
        assert sum(not run.is_terminal for run in mine()) > 100, "the answer did not wait for all"
        world.sweep()
        for _ in range(30):
            world.deliver(world.yard.take_events())
            world.minute()
            if not mine():
                break
    assert len(world.made) == 60, "a task was started after the delete"
    assert set(stops) == {0}, "a task was stopped while others were still to be started"
    assert {task.last_status for task in world.made} == {"STOPPED"}
    assert [each.job_id for each in world.jobs()] == [other["id"]]
    assert mine() == []


def test_the_settings_of_the_pace_keep_to_what_aws_documents() -> None:
    """
    Fargate allows 20 launches a second. A launch's lease is longer than a write and a RunTask.
    """
    assert 1 / launcher.LAUNCH_INTERVAL <= 20
    call = aws.ATTEMPTS * (aws.CONNECT_TIMEOUT + aws.READ_TIMEOUT) + 3
    assert time_limits.LAUNCH_LEASE.total_seconds() > 2 * call
    assert deletion.AGAIN.total_seconds() < 60
