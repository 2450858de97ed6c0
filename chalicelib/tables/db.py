"""
The four ways the tables are read and written, with one connection for all models.

Reads are consistent. Losing a race is an answer: `update` says False, `Transaction.commit` says
which conditions failed. Throttling and outages become `Unavailable`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import Connection, TableConnection
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.cloud import aws
from chalicelib.errors import Unavailable
from chalicelib.settings import settings
from chalicelib.tables.connection import GuardedConnection
from chalicelib.tables.records import JOBS_TABLE, RUNS_TABLE

M = TypeVar("M", bound=Model)
Key = tuple[str, str]

CONFLICT_RETRIES = 12

_connection: Connection | None = None


def connect() -> Connection:
    """The one connection, and with it the models' table names: at first use, not at import."""
    global _connection
    if _connection is None:
        names = settings()
        connection = GuardedConnection(
            region=names.region,
            connect_timeout_seconds=aws.CONNECT_TIMEOUT,
            read_timeout_seconds=aws.READ_TIMEOUT,
            retry_configuration={"total_max_attempts": aws.ATTEMPTS, "mode": "standard"},
            max_pool_connections=32,
        )
        for models, table in ((JOBS_TABLE, names.jobs_table), (RUNS_TABLE, names.runs_table)):
            for model in models:
                bind(model, table, connection)
        _connection = connection
    return _connection


def bind(model: type[Model], table: str, connection: Connection) -> None:
    """Make `model` live in `table`, reached through `connection`."""
    model.Meta.table_name = table
    model._connection = None
    made: TableConnection = model._get_connection()
    for meta in made.connection._tables.values():
        if meta.table_name not in connection._tables:
            connection.add_meta_table(meta)
    made.connection = connection


def _unavailable(error: PynamoDBException, what: str) -> Exception:
    cause = error.cause
    if isinstance(cause, (ClientError, BotoCoreError)) and aws.is_unavailable(cause):
        return aws.unavailable(what)
    return error


def _code(error: PynamoDBException) -> str | None:
    """AWS's code; None where there was no answer, which PynamoDB's own property stumbles over."""
    return aws.error_code(error.cause) if isinstance(error.cause, ClientError) else None


def get(model: type[M], pk: str, sk: str) -> M | None:
    """One record, or None."""
    connect()
    try:
        return model.get(pk, sk, consistent_read=True)
    except model.DoesNotExist:
        return None
    except PynamoDBException as error:
        raise _unavailable(error, "read a record") from error


def get_many(keys: Sequence[tuple[type[Model], str, str]]) -> list[Any]:
    """
    At most 100 records of either table in one BatchGetItem, in the order of `keys`; None where
    there is none.

    What DynamoDB leaves unprocessed is asked for again, until the caller's deadline.
    """
    connect()
    names = {model.Meta.table_name for model, _, _ in keys}
    wanted: dict[str, Any] = {name: {"ConsistentRead": True, "Keys": []} for name in names}
    for model, pk, sk in dict.fromkeys(keys):
        wanted[model.Meta.table_name]["Keys"].append({"pk": {"S": pk}, "sk": {"S": sk}})
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    delay = 0.05
    while wanted:
        answer = call("BatchGetItem", {"RequestItems": wanted})
        for table, items in answer["Responses"].items():
            for item in items:
                found[table, item["pk"]["S"], item["sk"]["S"]] = item
        wanted = answer.get("UnprocessedKeys") or {}
        if wanted:
            time.sleep(random.uniform(0, delay))
            delay = min(delay * 2, 1.0)
    records = []
    for model, pk, sk in keys:
        raw = found.get((model.Meta.table_name, pk, sk))
        records.append(model.from_raw_data(raw) if raw else None)
    return records


def call(operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An operation that PynamoDB's models do not offer, on the same connection."""
    try:
        return connect().dispatch(operation, arguments)
    except (ClientError, BotoCoreError) as error:
        if aws.is_unavailable(error):
            raise aws.unavailable(f"finish DynamoDB's {operation}") from error
        raise


def query(
    model: type[M],
    pk: str,
    *,
    between: tuple[str, str] | None = None,
    index: str | None = None,
    newest_first: bool = False,
    limit: int | None = None,
    where: Condition | None = None,
) -> Iterator[M]:
    """
    The records of a partition whose sort key lies in `between`, both ends included, page by page.

    `limit` is how many are read a page, not how many come; the caller stops iterating. Through a
    local index the read is as consistent as through the table.
    """
    connect()
    key = None
    if between is not None:
        attribute = getattr(model, index if index else "sk")
        key = attribute.between(*between)
    results = model.query(
        pk,
        key,
        where,
        consistent_read=True,
        index_name=index,
        scan_index_forward=not newest_first,
        page_size=limit,
    )
    try:
        yield from results
    except PynamoDBException as error:
        raise _unavailable(error, "read a list") from error


def just_below(key: str) -> str:
    """The end of a range of sort keys that leaves out `key` and what sorts behind it."""
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}\x7f"


def update(record: Model, actions: list[Action], condition: Condition) -> bool:
    """
    Change `record` where it is still as `condition` says, and bring the object up to date.

    False: it is not, and nothing was changed. While a transaction on the item is under way
    DynamoDB refuses, and botocore does not retry that: it is tried again, with jitter.
    """
    connect()
    for turn in range(CONFLICT_RETRIES):
        try:
            record.update(actions, condition=condition)
        except PynamoDBException as error:
            code = _code(error)
            if code == "ConditionalCheckFailedException":
                return False
            if code != "TransactionConflictException":
                raise _unavailable(error, "store a change") from error
        else:
            return True
        if not _waited(turn):
            break
    raise contended()


def _waited(turn: int) -> bool:
    """Wait for a conflict on an item to pass, with jitter; False: there is no time left to."""
    if aws.remaining() <= 0.5:
        return False
    time.sleep(random.uniform(0, min(0.02 * 2**turn, 0.5)))
    return True


def contended() -> Unavailable:
    return Unavailable("Too many changes to the same job at once. Try again.", retry_after=1)


def changes_to_actions(model: type[Model], changes: dict[str, Any]) -> list[Action]:
    """`{"attribute": value}` as update actions; None removes the attribute."""
    return [
        getattr(model, name).remove() if value is None else getattr(model, name).set(value)
        for name, value in changes.items()
    ]


def delete_many(table: str, keys: Sequence[Key]) -> None:
    """Remove records, 25 a call; asks again for what DynamoDB leaves unprocessed."""
    for start in range(0, len(keys), 25):
        wanted: dict[str, Any] = {
            table: [
                {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
                for pk, sk in keys[start : start + 25]
            ]
        }
        delay = 0.05
        while wanted:
            wanted = call("BatchWriteItem", {"RequestItems": wanted}).get("UnprocessedItems") or {}
            if wanted:
                time.sleep(random.uniform(0, delay))
                delay = min(delay * 2, 1.0)


class Transaction:
    """
    Writes that happen together or not at all, each under a label.

    PynamoDB sends checks, then deletes, puts and updates, whatever the order of calls, and
    DynamoDB gives its reasons in the order sent; labels keep that out of the callers' way.
    """

    def __init__(self) -> None:
        self._checks: list[tuple[str, Any]] = []
        self._deletes: list[tuple[str, Any]] = []
        self._puts: list[tuple[str, Any]] = []
        self._updates: list[tuple[str, Any]] = []

    def check(self, label: str, model: type[Model], key: Key, condition: Condition) -> None:
        self._checks.append((label, (model, key, condition)))

    def delete(self, label: str, record: Model, condition: Condition | None) -> None:
        self._deletes.append((label, (record, condition)))

    def put(self, label: str, record: Model, condition: Condition) -> None:
        self._puts.append((label, (record, condition)))

    def update(
        self, label: str, record: Model, actions: list[Action], condition: Condition
    ) -> None:
        self._updates.append((label, (record, actions, condition)))

    def commit(self) -> frozenset[str]:
        """
        Store it all: the labels whose condition failed, empty when it was stored.

        A conflict with another transaction on the same item proves that nothing was stored, so
        it is tried again, with jitter, until the deadline; botocore does not retry it.
        """
        labels = [
            label
            for group in (self._checks, self._deletes, self._puts, self._updates)
            for label, _ in group
        ]
        for turn in range(CONFLICT_RETRIES):
            try:
                self._send()
            except TransactWriteError as error:
                codes = [reason.code if reason else None for reason in error.cancellation_reasons]
                failed = {
                    label
                    for label, code in zip(labels, codes, strict=False)
                    if code == "ConditionalCheckFailed"
                }
                if failed:
                    return frozenset(failed)
                if not _passes(codes):
                    raise _unavailable(error, "store a change") from error
                if not _waited(turn):
                    break
            else:
                return frozenset()
        raise contended()

    def _send(self) -> None:
        connection = connect()
        with TransactWrite(connection=connection) as transaction:
            for _, (model, key, condition) in self._checks:
                transaction.condition_check(model, key[0], key[1], condition=condition)
            for _, (record, condition) in self._deletes:
                transaction.delete(record, condition=condition)
            for _, (record, condition) in self._puts:
                transaction.save(record, condition=condition)
            for _, (record, actions, condition) in self._updates:
                transaction.update(record, actions=actions, condition=condition)


def _passes(codes: list[str | None]) -> bool:
    """Whether a cancelled transaction may do better in a moment."""
    told = {code for code in codes if code is not None}
    return bool(told) and told <= {
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
