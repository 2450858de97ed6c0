"""Turns of the audit."""

from __future__ import annotations

from infra.local.fidelity.run_task import EcsError
from tests.reliability.operations.operation import (
    DAILY,
    Act,
    die_at,
    fire_when_due,
    just_before,
    launch_unanswered,
    operation,
    request,
    stray_task,
)
from tests.reliability.wire import Death
from tests.reliability.world import World


@operation()
def audit_tasks(world: World) -> Act:
    """One task has no run."""
    stray_task(world)
    world.exits = lambda task: None if task.arn in world.strays else 0
    world.clock.move(minutes=10)
    return world.audit


@operation()
def audit_a_task_that_nobody_recorded(world: World) -> Act:
    """Its launcher died before RunTask's answer, its events were lost, and no sweep ran."""
    launch_unanswered(world, world.job(name="a"))
    world.ecs.start(world.ecs.tasks[0].arn)
    world.yard.take_events()
    world.observe()
    world.clock.move(minutes=6)
    return world.audit


@operation(bus=True)
def audit_tasks_that_stop_meanwhile(world: World) -> Act:
    """
    Two tasks stop between ListTasks and DescribeTasks: one ends its run, and the other delays a
    newer slot because ECS throttled its StopTask.
    """
    job, fire = fire_when_due(world, concurrency_policy="replace")
    other = world.job(name="b")
    for run in (world.yard.trigger(job), world.yard.trigger(other)):
        world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    throttled = EcsError("ThrottlingException", "Rate exceeded")
    world.ecs.refuse_next(throttled, operation="StopTask", times=3)  # botocore tries three times
    fire()
    world.observe()
    world.clock.move(minutes=6)

    def stop() -> None:
        for task in world.ecs.tasks:
            world.ecs.stop(task.arn, exit_code=0)
        world.yard.take_events()

    just_before(world, "ecs.DescribeTasks", stop)
    return world.audit


@operation()
def audit_leftovers(world: World) -> Act:
    """A create died and left a task definition, a log group and rules, but no job."""
    world.job(name="kept", schedule=DAILY)

    def die(_: int, name: str) -> None:
        if name == "dynamodb.TransactWriteItems":
            raise Death(name)

    try:
        with world.wire.failing(asking=die):
            world.job(name="a", schedule="0 13 1 * 1")
    except Death:
        pass
    world.observe()
    world.clock.move(minutes=61)
    world.yard.fire({"id": world.jobs()[0].job_id})
    world.yard.take_events()
    return world.audit


@operation()
def audit_rules(world: World) -> Act:
    """Somebody removed one rule, changed another, and removed the target of a third."""
    for name in ("a", "b", "c"):
        world.job(name=name, schedule="0 14 * * *")
    world.observe()
    first, second, third = world.rules()
    world.remove_rule(first)
    world.change_rule(second, "cron(0 1 * * ? *)")
    world.change_rule(third, None)
    return world.audit


@operation()
def audit_old_revisions(world: World) -> Act:
    job = world.job(name="a")
    world.yard.trigger(job)
    for command in ("b", "c"):
        world.yard.call("PATCH", f"/jobs/{job['id']}", {"command": [command]})
    world.clock.move(minutes=61)
    return world.audit


@operation()
def audit_a_revision_that_was_never_stored(world: World) -> Act:
    """An update died between the registration and its own write."""
    job = world.job(name="a")
    update = request(world, "PATCH", f"/jobs/{job['id']}", {"command": ["b"]})
    die_at(world, "dynamodb.TransactWriteItems", update)
    world.clock.move(minutes=61)
    return world.audit
