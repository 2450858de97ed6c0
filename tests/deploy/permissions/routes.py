"""
Operations that the reliability tests leave out: every route of app.py with its kinds of calls.

What the other functions do is here too, as Lambda calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import app
from chalicelib.domain import stack_request
from infra.local.provision import ACCOUNT
from tests.deploy.permissions.policies import STAGE
from tests.reliability.operations import DAILY, Act, Operation
from tests.reliability.operations.operation import just_before
from tests.reliability.world import World
from tests.stacks.events import stack_event
from tests.yard import PROJECT, WORKSPACE, Context

EXTRA: list[Operation] = []


def extra(prepare: Callable[[World], Act]) -> Callable[[World], Act]:
    EXTRA.append(Operation(prepare.__name__, prepare))
    return prepare


def _all(world: World, *requests: tuple[Any, ...], **headers: str) -> Act:
    """Send the requests one after the other; each must succeed."""

    def act() -> None:
        for method, path, *body in requests:
            answer = world.yard.call(method, path, *body, headers=headers)
            assert answer.status < 300, (method, path, answer.envelope)

    return act


def _written(world: World) -> tuple[str, str]:
    """The paths of a job and its run, whose task has written a line."""
    job = world.job(name="a")
    run = world.yard.trigger(job)
    task = world.yard.task_of(run)
    world.ecs.start(task)
    world.deliver(world.yard.take_events())
    group, stream = world.on.settings.log_group(job["id"]), f"run/main/{task.rpartition('/')[2]}"
    logs = world.on.clients.get("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    at = int(world.clock().timestamp() * 1000)
    line = {"timestamp": at, "message": "hello"}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[line])
    return f"/jobs/{job['id']}", f"/jobs/{job['id']}/runs/{run['id']}"


@extra
def read_everything(world: World) -> Act:
    job, run = _written(world)
    reads = ["/jobs", job, f"{job}/status", f"{job}/runs", run, "/upcoming", f"{job}/upcoming"]
    reads.append("/audit")
    reads.append("/cost")

    def act() -> None:
        for path in reads:
            assert world.yard.call("GET", path).status == 200, path
        for query in ({}, {"status": "failed"}, {"status": "running"}):
            assert world.yard.call("GET", "/runs", query=query).status == 200, query
        activity = {"include": "activity"}
        assert world.yard.call("GET", "/jobs", query=activity).status == 200
        asked = {"expression": DAILY}
        assert world.yard.call("GET", "/schedule", query=asked).status == 200

    return act


@extra
def read_logs_and_metrics(world: World) -> Act:
    """A run's logs are read from its stream and by a filter, a job's by filters."""
    job, run = _written(world)

    def act() -> None:
        for path in (f"{run}/logs", f"{job}/logs"):
            for query in ({}, {"filter": "hello"}, {"limit": 1}):
                answer = world.yard.call("GET", path, query=query)
                assert [line["message"] for line in answer.data["logs"]] == ["hello"], path
        for path in (f"{run}/metrics", f"{job}/metrics"):
            assert world.yard.call("GET", path).status in (200, 207)

    return act


@extra
def read_what_needs_no_token(world: World) -> Act:
    def act() -> None:
        documents = ("/openapi.json", "/jobs.schema.json")
        for path in ("/health", *documents, "/console", "/console/base.css"):
            assert world.yard.call("GET", path, base="").status == 200

    return act


@extra
def put_and_patch(world: World) -> Act:
    path = f"/jobs/{world.job(name='a', schedule=DAILY)['id']}"
    return _all(
        world,
        ("PUT", path, {"name": "b", "command": ["b"]}),
        ("PATCH", path, {"name": "c", "tags": ["team=data"]}),
        ("PATCH", path, {"schedule": None}),
        ("DELETE", path),
    )


@extra
def change_a_schedule_of_which_slots_were_missed(world: World) -> Act:
    path = f"/jobs/{world.job(name='a', schedule='*/5 * * * *')['id']}"
    world.clock.move(minutes=17)
    return _all(world, ("PATCH", path, {"schedule": DAILY}))


@extra
def cancel_by_delete(world: World) -> Act:
    _, run = _written(world)
    return _all(world, ("DELETE", run))


@extra
def repeat_with_a_key(world: World) -> Act:
    create = ("POST", "/jobs", {"name": "b", "image": "busybox"})
    trigger = ("POST", f"/jobs/{world.job(name='a')['id']}/runs")
    return _all(world, create, create, trigger, trigger, **{"Idempotency-Key": "k"})


@extra
def use_a_token_not_seen_for_a_while(world: World) -> Act:
    """The token is read from the table, and the day of its last use is written."""
    world.clock.move(hours=25)
    return _all(world, ("GET", "/jobs"))


@extra
def handle_a_task_event(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    (event, *_) = world.yard.take_events()[::-1]
    return lambda: app.task_changed(event, Context())


@extra
def handle_a_fire(world: World) -> Act:
    return _fire(world)


@extra
def handle_a_fire_of_a_job_on_spot(world: World) -> Act:
    return _fire(world, capacity="spot")


def _fire(world: World, **spec: Any) -> Act:
    job = world.job(name="a", schedule=DAILY, **spec)
    world.clock.move(hours=1, seconds=2)
    event = {"project": f"{WORKSPACE}#{PROJECT}", "job": job["id"], "time": "2026-11-23T13:00:00Z"}
    return lambda: app.fire(event, Context())


@extra
def handle_the_minute(world: World) -> Act:
    world.job(name="a", schedule=DAILY)
    return lambda: app.sweep(_SCHEDULED, Context())


@extra
def handle_parts_of_the_minute(world: World) -> Act:
    """A slot is claimed in a part of a shard, and launched by the part that launches."""
    world.room_for_rules(0)
    world.job(name="a", schedule=DAILY)
    world.clock.move(hours=1)
    world.hands_out()

    def act() -> None:
        app.sweep(_SCHEDULED, Context())
        for part in world.yard.parts[::-1]:
            app.sweep_part(part, Context())

    return act


@extra
def handle_a_part_with_a_job_that_changes(world: World) -> Act:
    """It is tagged while its slot is claimed, so it must be read again."""
    world.room_for_rules(0)
    path = f"/jobs/{world.job(name='a', schedule=DAILY)['id']}"
    world.clock.move(hours=1)
    world.hands_out()
    just_before(
        world,
        "dynamodb.TransactWriteItems",
        lambda: world.yard.call("PATCH", path, {"tags": ["a"]}),
    )
    return world.sweep


@extra
def handle_the_ten_minutes(world: World) -> Act:
    world.job(name="a", schedule=DAILY)
    return lambda: app.audit(_SCHEDULED, Context())


@extra
def handle_the_requests_of_a_stack(world: World) -> Act:
    """The job has a role of its own, and a slot is due when the job is changed."""
    role = f"arn:aws:iam::{ACCOUNT}:role/jobyard/{STAGE}/{WORKSPACE}/example"
    mine = {"TaskRoleArn": role, "Schedule": DAILY}

    def request(kind: str, **more: Any) -> Any:
        event = stack_event(kind, request_id=kind, properties=mine, **more)
        return world.on.stack_jobs.apply(stack_request.read(event))

    def act() -> None:
        made = request("Create").job_id
        world.clock.move(hours=2)
        old = {**mine, "Schedule": "0 14 * * *"}
        request("Update", physical_id=made, old_properties=old)
        request("Delete", physical_id=made)

    return act


_SCHEDULED: dict[str, Any] = {
    "version": "0",
    "account": "123456789012",
    "region": "eu-central-1",
    "detail": {},
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "time": "2026-11-23T12:00:00Z",
    "id": "1",
    "resources": [],
}
