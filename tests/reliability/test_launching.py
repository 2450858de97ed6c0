"""
When a launch is repeated: within seconds if every attempt was throttled; otherwise with the same
token and after its lease.

The attempts are botocore's own: each is answered, or not, on its way to ECS.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from chalicelib.cloud import aws
from chalicelib.domain import time_limits
from infra.local.fidelity.run_task import EcsError
from tests.reliability import invariants
from tests.reliability.world import World

THROTTLE, SILENCE, LOST, DOWN = "throttled", "not answered", "made, not answered", "500"


@contextlib.contextmanager
def attempts(world: World, *outcomes: str) -> Iterator[list[str]]:
    """Give RunTask's attempts these outcomes in order; yields those that are left."""
    left = list(outcomes)

    def meet(request: Any, **_: object) -> AWSResponse | None:
        outcome = left.pop(0) if left else None
        if outcome == THROTTLE:
            world.ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"))
        elif outcome == DOWN:
            body = b'{"__type": "ServerException", "message": "Service Unavailable."}'
            return AWSResponse(request.url, 500, HTTPHeaders(), MockRawResponse(body))
        elif outcome is not None:
            if outcome == LOST:
                botocore_stubber("before-send.ecs.RunTask", request)
            raise ReadTimeoutError(endpoint_url=request.url)
        return None

    hooks = world.on.clients.get("ecs").meta.events
    hooks.register_first("before-send.ecs.RunTask", meet)
    try:
        yield left
    finally:
        hooks.unregister("before-send.ecs.RunTask", meet)


def the_run(world: World) -> Any:
    (run,) = world.runs()
    return run


def test_a_launch_that_was_only_throttled_waits_for_seconds(world: World) -> None:
    """ECS throttled every attempt, so no task was made, and another launch begins."""
    world.fresh()
    job = world.job(name="a")
    with attempts(world, *[THROTTLE] * aws.ATTEMPTS) as left:
        world.yard.trigger(job)
    assert left == []
    run = the_run(world)
    assert (run.status, run.requested_at, run.launch) == ("pending", None, 2)
    assert run.look_at - world.clock() == timedelta(seconds=5)
    assert "Rate exceeded" in run.refusal["message"]
    world.clock.move(seconds=5)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)


@pytest.mark.parametrize(
    "outcomes",
    [
        (SILENCE, THROTTLE, THROTTLE),
        (THROTTLE, LOST, THROTTLE),
        (LOST, THROTTLE, THROTTLE),
        (DOWN, THROTTLE, THROTTLE),
        (THROTTLE, THROTTLE, DOWN),
        (THROTTLE, THROTTLE, SILENCE),
        (THROTTLE, THROTTLE, LOST),
    ],
)
def test_an_unanswered_request_keeps_the_number_of_its_launch(
    world: World, outcomes: tuple[str, ...]
) -> None:
    """The same token is sent again after the lease, so at most one task is made."""
    world.fresh()
    job = world.job(name="a")
    with attempts(world, *outcomes) as left:
        world.yard.trigger(job)
    assert left == []
    world.yard.take_events()
    run = the_run(world)
    assert (run.status, run.requested_at, run.launch) == ("pending", world.clock(), 1)
    assert run.look_at - world.clock() == time_limits.LAUNCH_LEASE
    world.clock.move(minutes=1)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)


def test_a_throttled_request_does_not_prove_that_an_earlier_one_made_no_task(world: World) -> None:
    """
    The earlier request made the task; the sweep, which is throttled, must not begin a new launch.
    """
    world.fresh()
    job = world.job(name="a")
    with attempts(world, *[LOST] * aws.ATTEMPTS):
        world.yard.trigger(job)
    world.yard.take_events()
    for _ in range(2):
        world.clock.move(minutes=1)
        with attempts(world, *[THROTTLE] * aws.ATTEMPTS):
            world.sweep()
        run = the_run(world)
        assert (run.launch, run.requested_at is None) == (1, False)
        assert run.look_at - world.clock() == time_limits.LAUNCH_LEASE
    world.clock.move(minutes=1)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)


def test_a_delayed_launcher_does_not_record_that_no_task_was_made(world: World) -> None:
    """Its lease ended and the sweep repeated the launch, so its own throttling proves nothing."""
    world.fresh()
    job = world.job(name="a")

    with contextlib.ExitStack() as later:

        def meanwhile(_: int, name: str) -> None:
            if name == "ecs.RunTask":
                world.clock.move(minutes=1)
                Context().run(world.wire.meanwhile, lambda: sweep_unanswered(world))
                later.enter_context(attempts(world, *[THROTTLE] * aws.ATTEMPTS))

        with world.wire.failing(asking=meanwhile):
            world.yard.trigger(job)
    run = the_run(world)
    assert (run.launch, run.requested_at is None) == (1, False)
    assert "Rate exceeded" in run.refusal["message"]
    assert len(world.made) == 1
    world.yard.take_events()
    world.clock.move(minutes=1)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)


def sweep_unanswered(world: World) -> None:
    """Another function's sweep, which takes over the launch and gets no answer."""
    with attempts(world, *[LOST] * aws.ATTEMPTS):
        world.sweep()


def test_of_two_launchers_only_the_one_with_the_lease_calls_run_task(world: World) -> None:
    """The sweep's copy of the run is old: taking the lease is conditional on a current one."""
    world.fresh()
    job = world.job(name="a")
    with attempts(world, *[THROTTLE] * aws.ATTEMPTS):
        world.yard.trigger(job)
    old = the_run(world)
    world.clock.move(seconds=5)
    world.on.lifecycle.launch(the_run(world))
    world.on.lifecycle.launch(old)
    assert [len(world.made), int(the_run(world).launch)] == [1, 2]
    invariants.hold_in_the_end(world)
