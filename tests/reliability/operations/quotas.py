"""What counts against the quotas of a workspace: requests, fires, events and the audit."""

from __future__ import annotations

from tests.reliability.operations import runs
from tests.reliability.operations.operation import (
    DAILY,
    Act,
    fire_when_due,
    just_before,
    launch_unanswered,
    operation,
    request,
    wait_for_a_retry,
)
from tests.reliability.world import World
from tests.yard import IMAGE


def within(world: World, **quotas: int) -> None:
    """Set quotas, and none that is not given."""
    settings = world.on.settings
    none = {"max_runs_in_flight": 0, "max_jobs": 0}
    world.set_up(event_bus=settings.event_bus, shards=settings.shards, **{**none, **quotas})


def _second_trigger(world: World, quota: int) -> Act:
    within(world, max_runs_in_flight=quota)
    job = world.job(name="a")
    world.yard.trigger(job)
    return request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True)
def trigger_within_a_quota(world: World) -> Act:
    return _second_trigger(world, quota=2)


@operation(api=True, again=True)
def trigger_with_a_key_within_a_quota(world: World) -> Act:
    within(world, max_runs_in_flight=1)
    path = f"/jobs/{world.job(name='a')['id']}/runs"
    return request(world, "POST", path, headers={"Idempotency-Key": "k"})


@operation(api=True)
def trigger_over_the_quota(world: World) -> Act:
    return _second_trigger(world, quota=1)


@operation(again=True)
def fire_within_a_quota(world: World) -> Act:
    within(world, max_runs_in_flight=1)
    return fire_when_due(world)[1]


@operation(again=True, bus=True)
def fire_over_the_quota(world: World) -> Act:
    """The slot is skipped, and people are told."""
    within(world, max_runs_in_flight=1)
    job, act = fire_when_due(world)
    world.yard.trigger(job)
    return act


@operation(again=True)
def end_of_a_counted_run(world: World) -> Act:
    within(world, max_runs_in_flight=2)
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    events = world.yard.take_events()
    return lambda: world.deliver(events)


@operation(again=True)
def sweep_of_runs_from_before_the_quota(world: World) -> Act:
    """It counts what is in flight; one of them launches again, one's launch got no answer."""
    job = world.job(name="a", max_retries=1)
    wait_for_a_retry(world, job)
    launch_unanswered(world, job)
    within(world, max_runs_in_flight=1)
    world.clock.move(minutes=12)
    return world.sweep


@operation(api=True)
def cancel_of_a_counted_run(world: World) -> Act:
    within(world, max_runs_in_flight=1)
    return runs.cancel_running(world)


@operation(api=True, again=True)
def create_within_a_quota(world: World) -> Act:
    within(world, max_jobs=1)
    body = {"name": "a", "image": IMAGE}
    return request(world, "POST", "/jobs", body, headers={"Idempotency-Key": "k"})


@operation(api=True)
def create_over_the_quota(world: World) -> Act:
    """It finds room before it makes anything in AWS, and none when it is stored."""
    within(world, max_jobs=1)
    just_before(world, "ecs.RegisterTaskDefinition", lambda: world.job(name="a"))
    return request(world, "POST", "/jobs", {"name": "b", "image": IMAGE, "schedule": DAILY})


@operation(api=True)
def delete_of_a_counted_job(world: World) -> Act:
    within(world, max_runs_in_flight=1, max_jobs=1)
    job = world.job(name="a")
    run = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(run))
    return request(world, "DELETE", f"/jobs/{job['id']}")


@operation(again=True)
def audit_of_quotas(world: World) -> Act:
    """It counts a job from before the quota, and puts both numbers right."""
    job = world.job(name="a")
    within(world, max_runs_in_flight=3, max_jobs=3)
    world.job(name="b")
    world.yard.trigger(job)
    world.miscount(7)
    return world.audit
