"""CloudFormation's requests about jobs that are resources of stacks."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chalicelib.domain import stack_request
from chalicelib.domain.errors import JobyardError
from tests.reliability.operations.operation import (
    DAILY,
    Act,
    just_before,
    launch_unanswered,
    operation,
)
from tests.reliability.world import World
from tests.stacks.events import stack_event


def _request(world: World, kind: str, request_id: str = "r", **more: Any) -> Act:
    """A request of CloudFormation, which Lambda may deliver more than once."""
    request = stack_request.read(stack_event(kind, request_id=request_id, **more))

    def act() -> None:
        with suppress(JobyardError):  # a refusal is an answer that CloudFormation gets
            world.on.stack_jobs.apply(request)

    return act


def _made(world: World, **properties: Any) -> str:
    """Create a job through a stack, and return its id."""
    _request(world, "Create", "made", properties=properties)()
    world.observe()
    return world.jobs()[-1].job_id


@operation(again=True)
def stack_create(world: World) -> Act:
    return _request(world, "Create", properties={"Schedule": "0 13 1 * 1"})


@operation(again=True)
def stack_update(world: World) -> Act:
    made = _made(world, Schedule=DAILY)
    return _request(
        world,
        "Update",
        physical_id=made,
        properties={"Schedule": "0 14 * * *", "Command": ["b"]},
        old_properties={"Schedule": DAILY},
    )


@operation(again=True)
def stack_update_with_a_slot_due(world: World) -> Act:
    act = stack_update(world)
    world.clock.move(minutes=61)
    return act


@operation(again=True)
def stack_update_whose_due_task_is_recorded_by_its_event(world: World) -> Act:
    """The task's event is handled between RunTask and the write that records the task."""
    act = stack_update_with_a_slot_due(world)

    def start() -> None:
        world.ecs.start(world.ecs.tasks[-1].arn)
        world.deliver(world.yard.take_events())

    just_before(
        world,
        "ecs.RunTask",
        lambda: just_before(world, "dynamodb.TransactWriteItems", start),
    )
    return act


@operation(again=True)
def stack_update_after_slots_were_missed(world: World) -> Act:
    act = stack_update(world)
    world.clock.move(hours=25, minutes=1)
    return act


@operation(again=True)
def stack_replace(world: World) -> Act:
    """Another name makes a second job, whatever happens to the first."""
    made = _made(world, Schedule=DAILY)
    return _request(
        world,
        "Update",
        physical_id=made,
        properties={"Name": "b", "Schedule": DAILY},
        old_properties={"Schedule": DAILY},
    )


@operation(again=True)
def stack_roll_back_a_replacement(world: World) -> Act:
    """The replacement has made a job whose id CloudFormation does not know."""
    stack_replace(world)()
    first, _ = sorted(job.job_id for job in world.jobs())
    return _request(
        world,
        "Update",
        "back",
        physical_id=first,
        properties={"Schedule": DAILY},
        old_properties={"Name": "b", "Schedule": DAILY},
    )


@operation(again=True)
def stack_delete(world: World) -> Act:
    made = _made(world, Schedule=DAILY)
    job = {"id": made}
    world.yard.trigger(job)
    launch_unanswered(world, job)
    return _request(world, "Delete", physical_id=made, properties={"Schedule": DAILY})


@operation(again=True)
def stack_delete_while_the_event_of_a_stopped_task_is_lost(world: World) -> Act:
    made = _made(world)
    run = world.yard.trigger({"id": made})
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    return _request(world, "Delete", physical_id=made)


@operation(again=True)
def stack_delete_what_an_unanswered_create_has_made(world: World) -> Act:
    _made(world, Schedule=DAILY)
    return _request(world, "Delete", physical_id="not-created-made")
