"""
If IAM denies a call, the function that made it logs the denial as a message of its own.

A denial does not pass, so it is neither a warning nor just any error. The tests deny each call in
turn, so that no handling of an error can hide a denial.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from chalice.test import Client
from pynamodb.exceptions import PynamoDBException

import app
from chalicelib import log
from tests.reliability import invariants
from tests.reliability.cases import MOST
from tests.reliability.operations import DAILY, OPERATIONS, Operation, answered
from tests.reliability.wire import HttpAnswer, refused
from tests.reliability.world import World
from tests.yard import PROJECT, WORKSPACE

ACCOUNT = "123456789012"
MESSAGE = (
    f"User: arn:aws:sts::{ACCOUNT}:assumed-role/jobyard-test-sweep/a is not authorized to perform "
    f"that on resource: arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/t with an explicit deny"
)


def deny(name: str, code: str = "AccessDeniedException") -> Any:
    return refused(name, code, MESSAGE, 400, retries=0)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_denied_call_of_every_operation_is_logged_as_one(
    world: World, operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line has the operation and the code; the answer says `internal` and no details."""
    for number in range(1, MOST):
        act = operation.prepare(world.fresh(bus=operation.bus))
        capsys.readouterr()

        def deny_there(count: int, name: str, at: int = number) -> Any:
            return deny(name) if count == at else None

        raised: Exception | None = None
        with world.wire.failing(asking=deny_there) as wire:
            try:
                answer = answered(act)
            except (ClientError, PynamoDBException) as error:
                raised = error
        if wire.count < number:
            return
        name = wire.names[number - 1].partition(".")[2]
        if raised is not None:  # the handler of an event or a fire logs it, see below
            assert not operation.api
            with log.and_continue("handled"):
                raise raised
        out = lines(capsys)
        found = [line for line in out if line["message"] == log.ACCESS_DENIED]
        assert name in [line["operation"] for line in found], (name, out)
        for line in found:
            assert (line["aws_code"], line["level"]) == ("AccessDeniedException", "error"), line
            assert line["doing"]
        assert not [line for line in out if line["level"] == "error" and line not in found]
        if raised is None and answer is not None and answer.status not in (200, 201, 409):
            assert (answer.status, answer.envelope["code"]) == (500, "internal")
        assert raised is not None or answer is None or ACCOUNT not in str(answer.envelope)
    raise AssertionError("the operation never ended")


@pytest.mark.parametrize(
    ("what", "call", "doing"),
    [
        ("sweep", "dynamodb.Query", "jobs not swept"),
        ("sweep", "dynamodb.BatchGetItem", "jobs not swept"),
        ("audit", "dynamodb.GetItem", "audit interrupted"),
        ("audit", "ecs.ListTasks", "audit interrupted"),
        ("audit", "events.ListRules", "audit interrupted"),
    ],
)
def test_a_sweep_or_audit_that_may_not_do_its_work_says_what_it_left_undone(
    world: World, what: str, call: str, doing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that lacks an action shows itself so; with the action everything goes on."""
    world.fresh()
    world.job(name="a", schedule=DAILY)
    world.observe()
    world.clock.move(hours=2)
    capsys.readouterr()
    with world.wire.failing(asking=lambda _, name: deny(name) if name == call else None):
        getattr(world, what)()
    found = [line for line in lines(capsys) if line["message"] == log.ACCESS_DENIED]
    assert found[0]["doing"] == doing
    assert found[0]["operation"] == call.partition(".")[2]
    assert what != "audit" or found[0]["part"]
    invariants.hold_in_the_end(world)


def ended_unseen(world: World) -> dict[str, Any]:
    """A run whose task has stopped and whose event was lost: the next sweep finds it."""
    world.fresh()
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=2)
    return run


def test_a_denied_transaction_keeps_its_code(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """PynamoDB has the code in the cause of its own exception."""
    run = ended_unseen(world)
    capsys.readouterr()
    put = "dynamodb.TransactWriteItems"
    with world.wire.failing(asking=lambda _, name: deny(name) if name == put else None):
        world.sweep()
    (found,) = [line for line in lines(capsys) if line["level"] == "error"]
    assert (found["message"], found["doing"]) == (log.ACCESS_DENIED, "run not swept")
    assert (found["operation"], found["aws_code"]) == (
        "TransactWriteItems",
        "AccessDeniedException",
    )
    assert (found["job_id"], found["run_id"]) == (run["job_id"], run["id"])
    assert found["aws_message"] == MESSAGE


def test_another_error_of_a_write_keeps_its_code_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is an error with its own message, not a denial."""
    ended_unseen(world)
    capsys.readouterr()

    def invalid(_: int, name: str) -> Any:
        is_write = name == "dynamodb.TransactWriteItems"
        return refused(name, "ValidationException", "Bad.", 400) if is_write else None

    with world.wire.failing(asking=invalid):
        world.sweep()
    (found,) = [line for line in lines(capsys) if line["level"] == "error"]
    assert (found["message"], found["aws_code"]) == ("run not swept", "ValidationException")


HANDLERS: dict[str, Callable[[Client, str, dict[str, Any]], Any]] = {
    "task_changed": lambda client, job, event: client.lambda_.invoke(
        "task_changed", client.events.generate_cw_event(**event)
    ),
    "fire": lambda client, job, _: client.lambda_.invoke(
        "fire",
        {"project": f"{WORKSPACE}#{PROJECT}", "job": job, "time": "2026-11-23T13:00:00Z"},
    ),
}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_that_is_denied_logs_it_and_fails_so_that_it_is_called_again(
    world: World, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise there would be only Lambda's own line, without ids and fields."""
    world.fresh()
    job = world.job(name="a", schedule=DAILY)
    run = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(run))
    raw = world.yard.take_events()[-1]
    event = {"source": raw["source"], "detail_type": raw["detail-type"], "detail": raw["detail"]}
    event |= {"resources": raw["resources"], "region": raw["region"]}
    capsys.readouterr()
    read = "dynamodb.GetItem"
    with (
        Client(app.app) as client,
        world.wire.failing(asking=lambda _, call: deny(call) if call == read else None),
        pytest.raises(PynamoDBException),
    ):
        HANDLERS[name](client, job["id"], event)
    (found,) = [line for line in lines(capsys) if line["level"] == "error"]
    assert (found["message"], found["operation"]) == (log.ACCESS_DENIED, "GetItem")
    assert job["id"] in (found.get("job_id") or found["started_by"])


def test_a_launch_that_is_denied_is_logged_besides_failing_its_run(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run's own error says why, without the account's id."""
    world.fresh()
    job = world.job(name="a")
    capsys.readouterr()
    launch = "ecs.RunTask"
    with world.wire.failing(asking=lambda _, name: deny(name) if name == launch else None):
        run = world.yard.trigger(job)
    (found,) = [line for line in lines(capsys) if line["level"] == "error"]
    assert (found["message"], found["operation"]) == (log.ACCESS_DENIED, "RunTask")
    assert found["run_id"] == run["id"]
    failed = world.yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")
    assert "not authorized" in failed["error"]["message"]
    assert ACCOUNT not in str(failed["error"])


@pytest.mark.parametrize("how", ["error", "entry"])
def test_a_bus_that_may_not_be_written_is_logged_as_denied(
    world: World, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    PutEvents raises an error, or reports it for an entry in an answer of 200; the event waits.
    """
    world.fresh(bus=True)
    run = world.yard.trigger(world.job(name="a"))
    entry = {"ErrorCode": "AccessDeniedException", "ErrorMessage": MESSAGE}
    answer = {"FailedEntryCount": 1, "Entries": [entry], "ResponseMetadata": {}}
    capsys.readouterr()

    def deny_events(_: int, name: str) -> Any:
        if name != "events.PutEvents":
            return None
        return deny(name) if how == "error" else (HttpAnswer(200), answer)

    with world.wire.failing(asking=deny_events):
        world.yard.finish(run)
    (found,) = [line for line in lines(capsys) if line["level"] == "error"]
    assert (found["message"], found["operation"]) == (log.ACCESS_DENIED, "PutEvents")
    assert (found["doing"], found["run_id"]) == ("event postponed", run["id"])
    invariants.hold_in_the_end(world)


def test_a_metric_that_may_not_be_read_is_logged_as_denied(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """GetMetricData answers 200 with the status Forbidden for the series."""
    world.fresh()
    job = world.job(name="a")
    client = world.on.clients.get("cloudwatch")

    def forbid(**_: object) -> Any:
        results = [
            {"Id": f"s{n}", "Timestamps": [], "Values": [], "StatusCode": "Forbidden"}
            for n in range(4)
        ]
        return HttpAnswer(200), {"MetricDataResults": results, "ResponseMetadata": {}}

    client.meta.events.register("before-call.cloudwatch.GetMetricData", forbid)
    capsys.readouterr()
    try:
        answer = world.yard.call("GET", f"/jobs/{job['id']}/metrics")
    finally:
        client.meta.events.unregister("before-call.cloudwatch.GetMetricData", forbid)
    assert answer.status == 207
    (found,) = [line for line in lines(capsys) if line["level"] == "error"]
    assert (found["message"], found["operation"]) == (log.ACCESS_DENIED, "GetMetricData")


def test_the_handlers_use_the_services_of_this_world(world: World) -> None:
    """Otherwise the tests above would have tested another system."""
    assert app.app.system is world.on
