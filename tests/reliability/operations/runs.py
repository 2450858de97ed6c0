"""Requests that trigger, read and cancel runs."""

from __future__ import annotations

from datetime import timedelta

from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from tests.reliability.operations.operation import (
    Act,
    cancel_request,
    interrupted_run,
    launch_unanswered,
    operation,
    request,
    run_path,
    throttle_launch,
    wait_for_a_retry,
)
from tests.reliability.world import World


@operation(api=True)
def trigger(world: World) -> Act:
    job = world.job(name="a")
    return request(world, "POST", f"/jobs/{job['id']}/runs", {"env": {"A": "b"}})


@operation(api=True)
def trigger_one_that_must_not_overlap(world: World) -> Act:
    job = world.job(name="a", concurrency_policy="forbid")
    return request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True)
def trigger_one_that_waits_for_its_turn(world: World) -> Act:
    job = world.job(name="a", concurrency_policy="queue")
    world.yard.trigger(job)
    return request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True)
def cancel_one_that_waits_for_its_turn(world: World) -> Act:
    job = world.job(name="a", concurrency_policy="queue")
    world.yard.trigger(job)
    return cancel_request(world, world.yard.trigger(job))


@operation(api=True, again=True)
def trigger_with_a_key(world: World) -> Act:
    job = world.job(name="a")
    path = f"/jobs/{job['id']}/runs"
    return request(world, "POST", path, headers={"Idempotency-Key": "k"})


@operation(api=True)
def trigger_without_capacity(world: World) -> Act:
    job = world.job(name="a")
    world.ecs.refuse_next(Failure("RESOURCE:ENI"), times=2)
    return request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True)
def trigger_what_ecs_throttles(world: World) -> Act:
    job = world.job(name="a")
    throttle_launch(world)
    return request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True, bus=True)
def trigger_what_ecs_refuses(world: World) -> Act:
    job = world.job(name="a", max_retries=1)
    world.ecs.refuse_next(EcsError("AccessDeniedException", "No."), times=2)
    return request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True)
def get_of_one_whose_events_were_lost(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    return request(world, "GET", run_path(run))


@operation(api=True)
def get_running(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    return request(world, "GET", run_path(run))


@operation(api=True)
def get_of_a_task_that_is_missing(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.visible_after = timedelta(seconds=30)
    return request(world, "GET", run_path(run))


@operation(api=True)
def status(world: World) -> Act:
    job = world.job(name="a")
    world.yard.finish(world.yard.trigger(job))
    run = world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=1)
    return request(world, "GET", f"/jobs/{job['id']}/status")


@operation(api=True)
def list_runs(world: World) -> Act:
    job = world.job(name="a")
    for code in (0, 1):
        run = world.yard.trigger(job)
        world.ecs.stop(world.yard.task_of(run), exit_code=code)
    world.yard.take_events()
    return request(world, "GET", f"/jobs/{job['id']}/runs")


@operation(api=True, bus=True)
def cancel_pending(world: World) -> Act:
    return cancel_request(world, world.yard.trigger(world.job(name="a")))


@operation(api=True)
def cancel_running(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    return cancel_request(world, run)


@operation(api=True, bus=True)
def cancel_waiting_for_a_retry(world: World) -> Act:
    return cancel_request(world, wait_for_a_retry(world, world.job(name="a", max_retries=1)))


@operation(api=True, bus=True)
def cancel_interrupted(world: World) -> Act:
    """It waits to be launched again."""
    return cancel_request(world, interrupted_run(world, times=1, capacity="spot"))


@operation(api=True)
def get_interrupted(world: World) -> Act:
    """The interruption was not heard of yet."""
    run = world.yard.trigger(world.job(name="a", capacity="spot"))
    world.interrupt(world.yard.task_of(run))
    world.yard.take_events()
    return request(world, "GET", run_path(run))


@operation(api=True)
def cancel_just_launched(world: World) -> Act:
    """Its task exists, but its ARN is not recorded yet."""
    run = launch_unanswered(world, world.job(name="a"))
    world.yard.take_events()
    return cancel_request(world, run)


@operation(api=True)
def cancel_of_one_that_has_finished_meanwhile(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    return cancel_request(world, run)
