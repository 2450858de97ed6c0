"""
Every operation of Jobyard that makes AWS calls, each from a prepared world.

The crash points and the throttling of each are enumerated from these: a call that an operation
comes to make is a case more, without anyone writing it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.cloud import aws
from chalicelib.domain import ids
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from infra.local.fidelity.tasks import Task
from tests.reliability.wire import Death
from tests.reliability.world import World
from tests.yard import IMAGE, Answer

Act = Callable[[], Any]
PASSES = "CannotPullContainerError: i/o timeout"
"""A failure to start that another launch may not meet."""


@dataclass(frozen=True)
class Operation:
    """`prepare` readies a world and answers the act itself."""

    name: str
    prepare: Callable[[World], Act]
    bus: bool = False
    """Whether terminal runs are announced in it."""
    again: bool = False
    """Whether the caller asks again after a failure, because that is safe."""
    api: bool = False
    """Whether the act is one HTTP request, and answers its Answer."""


OPERATIONS: list[Operation] = []


def operation(**traits: bool) -> Callable[[Callable[[World], Act]], Callable[[World], Act]]:
    def register(prepare: Callable[[World], Act]) -> Callable[[World], Act]:
        OPERATIONS.append(Operation(prepare.__name__, prepare, **traits))
        return prepare

    return register


def _request(world: World, method: str, path: str, body: Any = None, **more: Any) -> Act:
    return lambda: world.yard.call(method, path, body, **more)


def _just_before(world: World, call: str, happen: Callable[[], object]) -> None:
    """Before the next such call somebody else does something, once."""
    note = world.wire.made

    def look(name: str, params: dict[str, Any]) -> None:
        if name == call:
            world.wire.made = note
            Context().run(world.wire.meanwhile, happen)
        note(name, params)

    world.wire.made = look


def _dying_at(world: World, call: str, act: Callable[[], object]) -> None:
    """Do it, and die before that call is made."""

    def die(_: int, name: str) -> None:
        if name == call:
            raise Death(name)

    with suppress(Death), world.wire.failing(asking=die):
        act()


def _path(run: dict[str, Any]) -> str:
    return f"/jobs/{run['job_id']}/runs/{run['id']}"


DAILY = "0 13 * * *"
"""Its first slot is an hour after START: due when a preparation says so, and else not."""


# --- jobs -----------------------------------------------------------------------------------


@operation(api=True)
def create(world: World) -> Act:
    return _request(world, "POST", "/jobs", {"name": "a", "image": IMAGE})


@operation(api=True)
def create_scheduled(world: World) -> Act:
    # two rules: a day may match by its date or by its weekday
    body = {"name": "a", "image": IMAGE, "schedule": "0 13 1 * 1"}
    return _request(world, "POST", "/jobs", body)


@operation(api=True, again=True)
def create_with_a_key(world: World) -> Act:
    body = {"name": "a", "image": IMAGE, "schedule": DAILY}
    return _request(world, "POST", "/jobs", body, headers={"Idempotency-Key": "k"})


@operation(api=True)
def create_losing_its_name(world: World) -> Act:
    """Another job takes the name between the look and the transaction."""
    _just_before(world, "ecs.RegisterTaskDefinition", lambda: world.job(name="a"))
    return _request(world, "POST", "/jobs", {"name": "a", "image": IMAGE, "schedule": DAILY})


def _update(world: World, before: dict[str, Any], patch: dict[str, Any], **later: float) -> Act:
    job = world.job(name="a", **before)
    world.observe()
    world.clock.move(**later)
    return _request(world, "PATCH", f"/jobs/{job['id']}", patch)


@operation(api=True, again=True)
def update_container(world: World) -> Act:
    return _update(world, {}, {"command": ["b"]})


@operation(api=True, again=True)
def update_container_while_running(world: World) -> Act:
    job = world.job(name="a")
    world.yard.trigger(job)
    return _request(world, "PATCH", f"/jobs/{job['id']}", {"command": ["b"], "name": "b"})


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
    return _request(world, "DELETE", f"/jobs/{job['id']}")


@operation(api=True, bus=True)
def delete_with_runs(world: World) -> Act:
    job = world.job(name="a", schedule="0 13 1 * 1", max_retries=1)
    world.yard.finish(world.yard.trigger(job))
    _waiting_for_a_retry(world, job)
    world.yard.trigger(job)
    _unanswered_launch(world, job)
    running = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(running))
    key = {"Idempotency-Key": "k"}
    world.yard.call("POST", f"/jobs/{job['id']}/runs", headers=key)
    return _request(world, "DELETE", f"/jobs/{job['id']}")


# --- runs -----------------------------------------------------------------------------------


@operation(api=True)
def trigger(world: World) -> Act:
    job = world.job(name="a")
    return _request(world, "POST", f"/jobs/{job['id']}/runs", {"env": {"A": "b"}})


@operation(api=True)
def trigger_one_that_must_not_overlap(world: World) -> Act:
    job = world.job(name="a", concurrency_policy="forbid")
    return _request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True, again=True)
def trigger_with_a_key(world: World) -> Act:
    job = world.job(name="a")
    path = f"/jobs/{job['id']}/runs"
    return _request(world, "POST", path, headers={"Idempotency-Key": "k"})


@operation(api=True)
def trigger_without_capacity(world: World) -> Act:
    job = world.job(name="a")
    world.ecs.refuse_next(Failure("RESOURCE:ENI"), times=2)
    return _request(world, "POST", f"/jobs/{job['id']}/runs")


def _throttle(world: World) -> None:
    """The next RunTask is throttled on every attempt: no task is made, and that is known."""
    world.ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"), times=aws.ATTEMPTS)


@operation(api=True)
def trigger_what_ecs_throttles(world: World) -> Act:
    job = world.job(name="a")
    _throttle(world)
    return _request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True, bus=True)
def trigger_what_ecs_refuses(world: World) -> Act:
    job = world.job(name="a", max_retries=1)
    world.ecs.refuse_next(EcsError("AccessDeniedException", "No."), times=2)
    return _request(world, "POST", f"/jobs/{job['id']}/runs")


@operation(api=True)
def get_of_one_whose_events_were_lost(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    return _request(world, "GET", _path(run))


@operation(api=True)
def get_running(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    return _request(world, "GET", _path(run))


@operation(api=True)
def get_of_a_task_that_is_missing(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.visible_after = timedelta(seconds=30)
    return _request(world, "GET", _path(run))


@operation(api=True)
def status(world: World) -> Act:
    job = world.job(name="a")
    world.yard.finish(world.yard.trigger(job))
    run = world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=1)
    return _request(world, "GET", f"/jobs/{job['id']}/status")


@operation(api=True)
def list_runs(world: World) -> Act:
    job = world.job(name="a")
    for code in (0, 1):
        run = world.yard.trigger(job)
        world.ecs.stop(world.yard.task_of(run), exit_code=code)
    world.yard.take_events()
    return _request(world, "GET", f"/jobs/{job['id']}/runs")


@operation(api=True)
def list_jobs(world: World) -> Act:
    world.job(name="a")
    return _request(world, "GET", "/jobs")


@operation(api=True)
def get_job(world: World) -> Act:
    return _request(world, "GET", f"/jobs/{world.job(name='a')['id']}")


def _cancel(world: World, run: dict[str, Any]) -> Act:
    return _request(world, "POST", f"{_path(run)}/cancel")


@operation(api=True, bus=True)
def cancel_pending(world: World) -> Act:
    return _cancel(world, world.yard.trigger(world.job(name="a")))


@operation(api=True)
def cancel_running(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    return _cancel(world, run)


def _waiting_for_a_retry(world: World, job: dict[str, Any]) -> dict[str, Any]:
    run = world.yard.trigger(job)
    world.yard.finish(run, exit_code=1)
    return run


@operation(api=True, bus=True)
def cancel_waiting_for_a_retry(world: World) -> Act:
    return _cancel(world, _waiting_for_a_retry(world, world.job(name="a", max_retries=1)))


def _unanswered_launch(world: World, job: dict[str, Any]) -> dict[str, Any]:
    """A run whose trigger died with RunTask made and its answer unread."""

    def die(_: int, name: str) -> None:
        if name == "ecs.RunTask":
            raise Death(name)

    before = {run.run_id for run in world.runs()}
    try:
        with world.wire.failing(answered=die):
            world.yard.trigger(job)
    except Death:
        pass
    run = next(run for run in world.runs() if run.run_id not in before)
    return {"id": run.run_id, "job_id": run.job_id}


@operation(api=True)
def cancel_just_launched(world: World) -> Act:
    """Its task is there, and nobody knows its ARN yet."""
    run = _unanswered_launch(world, world.job(name="a"))
    world.yard.take_events()
    return _cancel(world, run)


@operation(api=True)
def cancel_of_one_that_has_finished_meanwhile(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    return _cancel(world, run)


# --- schedules ------------------------------------------------------------------------------


def _fire(world: World, **spec: Any) -> tuple[dict[str, Any], Act]:
    job = world.job(name="a", **({"schedule": DAILY} | spec))
    world.observe()
    world.clock.move(hours=1, seconds=2)
    return job, lambda: world.yard.fire(job)


@operation(again=True)
def fire(world: World) -> Act:
    return _fire(world)[1]


@operation(again=True)
def fire_late(world: World) -> Act:
    """Slots of an hour and a half are due: one starts, the others are recorded as missed."""
    _, act = _fire(world, schedule="*/30 * * * *")
    world.clock.move(minutes=35)
    return act


@operation(again=True, bus=True)
def fire_forbidden(world: World) -> Act:
    job, act = _fire(world, concurrency_policy="forbid")
    run = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(run))
    return act


@operation(again=True)
def fire_free(world: World) -> Act:
    """What was in flight has ended, and its event was lost: it must not block the slot."""
    job, act = _fire(world, concurrency_policy="forbid")
    run = world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    return act


@operation(again=True)
def fire_replacing(world: World) -> Act:
    job, act = _fire(world, concurrency_policy="replace", max_retries=1)
    _waiting_for_a_retry(world, job)
    run = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(run))
    return act


@operation(again=True)
def fire_whose_task_is_recorded_by_its_event(world: World) -> Act:
    """The task's event is handled between RunTask and the write that records the task."""
    _, act = _fire(world)

    def start() -> None:
        world.ecs.start(world.ecs.tasks[0].arn)
        world.deliver(world.yard.take_events())

    _just_before(
        world,
        "ecs.RunTask",
        lambda: _just_before(world, "dynamodb.TransactWriteItems", start),
    )
    return act


# --- events ---------------------------------------------------------------------------------


def _event(world: World, move: Callable[[str], None], **spec: Any) -> Act:
    run = world.yard.trigger(world.job(name="a", **spec))
    move(world.yard.task_of(run))
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_running(world: World) -> Act:
    return _event(world, world.ecs.start)


@operation(again=True, bus=True)
def event_stopped(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.stop(arn, exit_code=0))


@operation(again=True, bus=True)
def event_failed(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.stop(arn, exit_code=3))


@operation(again=True)
def event_failed_with_a_retry(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.stop(arn, exit_code=3), max_retries=1)


@operation(again=True)
def event_that_could_not_start(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.fail_to_start(arn, PASSES))


@operation(again=True)
def event_of_a_cancelled_one(world: World) -> Act:
    """It stopped, and with it what a newer slot waits for."""
    _, act = _fire(world, concurrency_policy="replace")
    (job,) = world.jobs()
    run = world.yard.trigger({"id": job.job_id})
    act()
    world.ecs.stop(world.yard.task_of(run), exit_code=143)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_before_the_launch_was_answered(world: World) -> Act:
    _unanswered_launch(world, world.job(name="a"))
    world.ecs.start(world.ecs.tasks[0].arn)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_of_a_stray_task(world: World) -> Act:
    """Its run is gone."""
    _stray(world)
    world.ecs.start(world.ecs.tasks[0].arn)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


# --- the sweep ------------------------------------------------------------------------------


def _sweep(world: World, **later: float) -> Act:
    world.yard.take_events()
    world.clock.move(**later)
    world.observe()
    return world.sweep


@operation()
def sweep_nothing(world: World) -> Act:
    world.job(name="a")
    return _sweep(world)


@operation()
def sweep_an_unanswered_launch(world: World) -> Act:
    _unanswered_launch(world, world.job(name="a"))
    return _sweep(world, minutes=2)


@operation()
def sweep_a_launch_that_was_never_made(world: World) -> Act:
    job = world.job(name="a")

    def die(_: int, name: str) -> None:
        if name == "ecs.RunTask":
            raise Death(name)

    try:
        with world.wire.failing(asking=die):
            world.yard.trigger(job)
    except Death:
        pass
    return _sweep(world, minutes=2)


@operation()
def sweep_a_throttled_launch(world: World) -> Act:
    """It was throttled when it was triggered, and is again."""
    job = world.job(name="a")
    _throttle(world)
    world.yard.trigger(job)
    _throttle(world)
    return _sweep(world, minutes=1)


@operation()
def sweep_a_launch_unanswered_for_an_hour(world: World) -> Act:
    _unanswered_launch(world, world.job(name="a"))
    world.ecs.start(world.ecs.tasks[0].arn)
    return _sweep(world, minutes=55)


@operation()
def sweep_a_retry(world: World) -> Act:
    _waiting_for_a_retry(world, world.job(name="a", max_retries=1))
    return _sweep(world, minutes=2)


@operation(bus=True)
def sweep_a_lost_event(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    return _sweep(world, minutes=2)


@operation()
def sweep_what_ran_too_long(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a", timeout_seconds=60, max_retries=1))
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    world.exits = lambda task: None
    return _sweep(world, minutes=2)


@operation()
def sweep_what_does_not_start(world: World) -> Act:
    world.yard.trigger(world.job(name="a"))
    return _sweep(world, minutes=61)


@operation(bus=True)
def sweep_what_ecs_forgot(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    arn = world.yard.task_of(run)
    world.ecs.stop(arn, exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=61)
    world.sweep()
    return _sweep(world, minutes=11)


@operation()
def sweep_a_stop_that_was_not_heard(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"), operation="StopTask")
    world.ecs.refuse_next(
        EcsError("ThrottlingException", "Rate exceeded"), operation="StopTask", times=2
    )
    _cancel(world, run)()
    return _sweep(world, minutes=2)


@operation()
def sweep_a_cancelled_launch(world: World) -> Act:
    run = _unanswered_launch(world, world.job(name="a"))
    _cancel(world, run)()
    return _sweep(world, minutes=2)


@operation()
def sweep_due_slots(world: World) -> Act:
    _fire(world, schedule="*/20 * * * *")
    return _sweep(world, minutes=2)


@operation()
def sweep_due_slots_of_a_job_that_changes(world: World) -> Act:
    """The job is renamed while its slots start, so its cursor must be read again."""
    job, _ = _fire(world, schedule="*/20 * * * *")
    sweep = _sweep(world, minutes=2)
    rename = _request(world, "PATCH", f"/jobs/{job['id']}", {"name": "b"})
    _just_before(world, "ecs.RunTask", rename)
    return sweep


@operation()
def sweep_a_held_run(world: World) -> Act:
    job, act = _fire(world, concurrency_policy="replace")
    run = world.yard.trigger(job)
    act()
    world.ecs.stop(world.yard.task_of(run), exit_code=143)
    return _sweep(world, minutes=2)


@operation(bus=True)
def sweep_an_unfinished_delete(world: World) -> Act:
    job = world.job(name="a", schedule=DAILY)
    world.yard.finish(world.yard.trigger(job))
    run = world.yard.trigger(job)
    world.yard.call("DELETE", f"/jobs/{job['id']}")
    world.ecs.stop(world.yard.task_of(run), exit_code=143)
    return _sweep(world, minutes=2)


@operation()
def sweep_a_delete_that_died(world: World) -> Act:
    """Its rules are still there."""
    job = world.job(name="a", schedule="0 13 1 * 1")
    _dying_at(world, "events.ListRules", _request(world, "DELETE", f"/jobs/{job['id']}"))
    return _sweep(world, minutes=2)


@operation(bus=True)
def sweep_an_unsent_event(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)

    def die(_: int, name: str) -> None:
        if name == "events.PutEvents":
            raise Death(name)

    try:
        with world.wire.failing(asking=die):
            world.deliver(world.yard.take_events())
    except Death:
        pass
    return _sweep(world, minutes=2)


# --- the audit ------------------------------------------------------------------------------


def _stray(world: World) -> Task:
    """A task that carries our mark, and whose run is not there."""
    job = world.job(name="a")
    definition = world.jobs()[0].task_definition
    world.on.ecs.run(
        task_definition=definition,
        client_token="stray",
        started_by=f"{job['id']}/{ids.new_run(world.clock())}/1",
        overrides={},
        tags=[],
    )
    task = world.ecs.tasks[-1]
    world.strays.add(task.arn)
    return task


@operation()
def audit_tasks(world: World) -> Act:
    """A stray one; one that nobody was told of; one whose run is over and that was not stopped."""
    _stray(world)
    world.exits = lambda task: None if task.arn in world.strays else 0
    world.clock.move(minutes=10)
    return world.audit


@operation()
def audit_a_task_that_nobody_recorded(world: World) -> Act:
    """Whoever launched it died before the answer, its events were lost, and no sweep came."""
    _unanswered_launch(world, world.job(name="a"))
    world.ecs.start(world.ecs.tasks[0].arn)
    world.yard.take_events()
    world.observe()
    world.clock.move(minutes=6)
    return world.audit


@operation(bus=True)
def audit_tasks_that_stop_meanwhile(world: World) -> Act:
    """
    Two stop between ListTasks and DescribeTasks: one ends its run, and one that a newer slot
    waits for was told to stop, which ECS did not hear.
    """
    job, fire = _fire(world, concurrency_policy="replace")
    other = world.job(name="b")
    for run in (world.yard.trigger(job), world.yard.trigger(other)):
        world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    throttled = EcsError("ThrottlingException", "Rate exceeded")
    world.ecs.refuse_next(throttled, operation="StopTask", times=3)  # botocore asks three times
    fire()
    world.observe()
    world.clock.move(minutes=6)

    def stop() -> None:
        for task in world.ecs.tasks:
            world.ecs.stop(task.arn, exit_code=0)
        world.yard.take_events()

    _just_before(world, "ecs.DescribeTasks", stop)
    return world.audit


@operation()
def audit_leftovers(world: World) -> Act:
    """Of a create that died: task definition, log group, rules, and no job."""
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
    """Somebody removed one, changed another, and took a third one's target away."""
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
    """An update died between the registration and its own transaction."""
    job = world.job(name="a")
    update = _request(world, "PATCH", f"/jobs/{job['id']}", {"command": ["b"]})
    _dying_at(world, "dynamodb.UpdateItem", update)
    world.clock.move(minutes=61)
    return world.audit


def answered(act: Act) -> Answer | None:
    """The act's answer, where it has one."""
    answer = act()
    return answer if isinstance(answer, Answer) else None
