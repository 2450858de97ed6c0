"""Requests that create, change and delete jobs."""

from __future__ import annotations

from typing import Any

from tests.reliability.operations.operation import (
    DAILY,
    Act,
    just_before,
    launch_unanswered,
    operation,
    request,
    wait_for_a_retry,
)
from tests.reliability.world import World
from tests.yard import IMAGE


@operation(api=True)
def create(world: World) -> Act:
    return request(world, "POST", "/jobs", {"name": "a", "image": IMAGE})


@operation(api=True)
def create_scheduled(world: World) -> Act:
    # Two rules: a day may match by its date or by its weekday.
    body = {"name": "a", "image": IMAGE, "schedule": "0 13 1 * 1"}
    return request(world, "POST", "/jobs", body)


@operation(api=True, again=True)
def create_with_a_key(world: World) -> Act:
    body = {"name": "a", "image": IMAGE, "schedule": DAILY}
    return request(world, "POST", "/jobs", body, headers={"Idempotency-Key": "k"})


@operation(api=True)
def create_losing_its_name(world: World) -> Act:
    """Another job takes the name between the read and the transaction."""
    just_before(world, "ecs.RegisterTaskDefinition", lambda: world.job(name="a"))
    return request(world, "POST", "/jobs", {"name": "a", "image": IMAGE, "schedule": DAILY})


def _update(world: World, before: dict[str, Any], patch: dict[str, Any], **later: float) -> Act:
    job = world.job(name="a", **before)
    world.observe()
    world.clock.move(**later)
    return request(world, "PATCH", f"/jobs/{job['id']}", patch)


@operation(api=True, again=True)
def update_container(world: World) -> Act:
    return _update(world, {}, {"command": ["b"]})


@operation(api=True, again=True)
def update_container_while_running(world: World) -> Act:
    job = world.job(name="a")
    world.yard.trigger(job)
    return request(world, "PATCH", f"/jobs/{job['id']}", {"command": ["b"], "name": "b"})


@operation(api=True, again=True)
def update_name(world: World) -> Act:
    return _update(world, {}, {"name": "b"})


@operation(api=True, again=True)
def update_schedule(world: World) -> Act:
    return _update(world, {"schedule": "0 13 1 * 1"}, {"schedule": "0 14 * * *"})


@operation(api=True, again=True)
def update_schedule_with_a_slot_due(world: World) -> Act:
    return _update(world, {"schedule": DAILY}, {"schedule": "0 14 * * *"}, minutes=61)


@operation(api=True, again=True)
def update_jitter_while_a_slot_waits_for_it(world: World) -> Act:
    """Its rule moves, and the slot starts sooner."""
    spec = {"schedule": DAILY, "jitter_seconds": 3_600}
    return _update(world, spec, {"jitter_seconds": 60}, minutes=61)


@operation(api=True, again=True)
def update_schedule_while_a_slot_waits_for_its_jitter(world: World) -> Act:
    spec = {"schedule": DAILY, "jitter_seconds": 3_600}
    return _update(world, spec, {"schedule": "0 14 * * *"}, minutes=61)


@operation(api=True, again=True)
def update_to_a_schedule(world: World) -> Act:
    return _update(world, {}, {"schedule": "0 13 1 * 1", "name": "b"})


@operation(api=True, again=True)
def update_to_on_demand(world: World) -> Act:
    return _update(world, {"schedule": "0 13 1 * 1"}, {"schedule": None})


@operation(api=True, again=True)
def pause(world: World) -> Act:
    return _update(world, {"schedule": DAILY}, {"paused": True})


@operation(api=True, again=True)
def unpause(world: World) -> Act:
    return _update(world, {"schedule": DAILY, "paused": True}, {"paused": False}, minutes=61)


@operation(api=True)
def delete(world: World) -> Act:
    job = world.job(name="a", schedule=DAILY)
    return request(world, "DELETE", f"/jobs/{job['id']}")


@operation(api=True, bus=True)
def delete_with_runs(world: World) -> Act:
    job = world.job(name="a", schedule="0 13 1 * 1", max_retries=1)
    world.yard.finish(world.yard.trigger(job))
    wait_for_a_retry(world, job)
    world.yard.trigger(job)
    launch_unanswered(world, job)
    running = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(running))
    key = {"Idempotency-Key": "k"}
    world.yard.call("POST", f"/jobs/{job['id']}/runs", headers=key)
    return request(world, "DELETE", f"/jobs/{job['id']}")


@operation(api=True)
def list_jobs(world: World) -> Act:
    world.job(name="a")
    return request(world, "GET", "/jobs")


@operation(api=True)
def get_job(world: World) -> Act:
    return request(world, "GET", f"/jobs/{world.job(name='a')['id']}")
