"""What DynamoDB refuses for its size or its rate is an answer with a name, and has an alarm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib import log
from chalicelib.domain.errors import TooLargeToStore
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run
from chalicelib.tables.transaction import Transaction
from tests.reliability.wire import refused
from tests.yard import Yard

ITEM_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"


@contextmanager
def refusing(yard: Yard, operation: str, error: dict[str, Any]) -> Iterator[None]:
    """Every call of one operation is answered with an error."""

    def answer(model: Any, **_: Any) -> Any:
        http, parsed = refused(model.name, error["Code"], error.get("Message", ""), 400)
        return http, parsed | {"CancellationReasons": error.get("reasons", [])}

    events = yard.system.database.client.meta.events
    events.register(f"before-call.dynamodb.{operation}", answer)
    try:
        yield
    finally:
        events.unregister(f"before-call.dynamodb.{operation}", answer)


def cancelled(code: str, message: str = "") -> dict[str, Any]:
    """A transaction of which the second item was refused."""
    reasons = [{"Code": "None"}, {"Code": code, "Message": message}, {"Code": "None"}]
    return {"Code": "TransactionCanceledException", "Message": "cancelled", "reasons": reasons}


def logged(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Level and AWS's code of the lines that the alarm counts."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [
        (line["level"], line["aws_code"]) for line in lines if line["message"] == log.STORE_REFUSED
    ]


@pytest.mark.parametrize(
    ("operation", "error", "status", "code"),
    [
        ("TransactWriteItems", cancelled("ThrottlingError"), 503, "unavailable"),
        ("TransactWriteItems", cancelled("ProvisionedThroughputExceeded"), 503, "unavailable"),
        ("TransactWriteItems", cancelled("TransactionConflict"), 503, "unavailable"),
        ("TransactWriteItems", {"Code": "RequestLimitExceeded"}, 503, "unavailable"),
        ("TransactWriteItems", {"Code": "ThrottlingException"}, 503, "unavailable"),
        (
            "TransactWriteItems",
            cancelled("ItemCollectionSizeLimitExceeded", "Collection size exceeded."),
            413,
            "too_large_to_store",
        ),
        (
            "TransactWriteItems",
            cancelled("ValidationError", ITEM_TOO_LARGE),
            413,
            "too_large_to_store",
        ),
        (
            "TransactWriteItems",
            {"Code": "ItemCollectionSizeLimitExceededException"},
            413,
            "too_large_to_store",
        ),
        (
            "GetItem",
            {"Code": "ProvisionedThroughputExceededException"},
            503,
            "unavailable",
        ),
    ],
)
def test_a_trigger_that_dynamodb_refuses_is_answered_by_name(
    yard: Yard,
    capsys: pytest.CaptureFixture[str],
    operation: str,
    error: dict[str, Any],
    status: int,
    code: str,
) -> None:
    """The alarm's line has AWS's own code, and nothing was stored."""
    job = yard.create()
    capsys.readouterr()
    with refusing(yard, operation, error):
        answer = yard.call("POST", f"/jobs/{job['id']}/runs")
    assert (answer.status, answer.envelope["code"]) == (status, code)
    reasons = [reason["Code"] for reason in error.get("reasons", []) if reason["Code"] != "None"]
    level = "warning" if status == 503 else "error"
    assert logged(capsys) == [(level, *(reasons or [error["Code"]]))]
    assert yard.runs(job) == []


@pytest.mark.parametrize("code", ["ThrottlingException", "TransactionConflictException"])
def test_an_update_that_dynamodb_refuses_is_answered_by_name(
    yard: Yard, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    """
    A write of one item, here that of the cursor behind a slot that is due, is refused by other
    codes than a transaction.
    """
    job = yard.create(schedule="*/5 * * * *")
    yard.clock.move(minutes=5)
    with refusing(yard, "UpdateItem", {"Code": code}):
        answer = yard.call("PATCH", f"/jobs/{job['id']}", {"schedule": "0 3 * * *"})
    assert (answer.status, answer.envelope["code"]) == (503, "unavailable")
    assert logged(capsys) == [("warning", code)]


def test_an_item_of_over_400_kb_is_refused_by_name(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    """Put, updated, or in a transaction; moto refuses it as DynamoDB does."""
    job = yard.create()
    run = yard.stored(yard.trigger(job))
    record = yard.stored_job(job)
    huge = {"name": "x" * 410_000}

    def put() -> Any:
        run.command = ["x" * 410_000]
        return yard.system.database.put(run)

    def update() -> Any:
        return yard.system.database.update(record, [Job.spec.set(huge)])

    def transact() -> Any:
        transaction = Transaction(yard.system.database)
        transaction.update("job", record, [Job.spec.set(huge)], Job.pk.exists())
        transaction.check("run", Run, (run.pk, run.sk), Run.pk.exists())
        return transaction.commit()

    acts: list[Callable[[], Any]] = [put, update, transact]
    for act in acts:
        with pytest.raises(TooLargeToStore):
            act()
        assert [level for level, _ in logged(capsys)] == ["error"]
    assert yard.call("GET", f"/jobs/{job['id']}").data["name"] == job["name"]


def test_what_is_wrong_with_a_call_stays_a_defect(yard: Yard) -> None:
    """A validation error that speaks of no size is ours."""
    job = yard.create()
    with refusing(yard, "TransactWriteItems", cancelled("ValidationError", "bad expression")):
        assert yard.call("POST", f"/jobs/{job['id']}/runs").status == 500
