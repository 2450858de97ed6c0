"""
Every call to DynamoDB is made here, or in `transaction`, over one connection for all models.

Reads are consistent, but those of a global index. Losing a race is an answer: `create` and
`update` say False, `Transaction.commit` says which conditions failed. Throttling and outages
become `Unavailable`. tests/test_architecture.py holds that no other module calls DynamoDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import Connection, TableConnection
from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.models import Model

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


@contextmanager
def translated(what: str) -> Iterator[None]:
    """
    Turn DynamoDB's being throttled or down into `Unavailable`; `what` completes "could not …".

    PynamoDB keeps what botocore raised as the cause of an exception of its own.
    """
    try:
        yield
    except PynamoDBException as error:
        cause = error.cause
        if isinstance(cause, (ClientError, BotoCoreError)) and aws.is_unavailable(cause):
            raise aws.unavailable(what) from error
        raise


def _code(error: PynamoDBException) -> str | None:
    """AWS's code; None where there was no answer, which PynamoDB's own property stumbles over."""
    return aws.error_code(error.cause) if isinstance(error.cause, ClientError) else None


def get(model: type[M], pk: str, sk: str) -> M | None:
    """One record, or None."""
    connect()
    with translated("read a record"):
        try:
            return model.get(pk, sk, consistent_read=True)
        except model.DoesNotExist:
            return None


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
    turn = 0
    while wanted:
        answer = call("BatchGetItem", {"RequestItems": wanted})
        for table, items in answer["Responses"].items():
            for item in items:
                found[table, item["pk"]["S"], item["sk"]["S"]] = item
        wanted = answer.get("UnprocessedKeys") or {}
        if wanted:
            _wait_for_room(turn)
            turn += 1
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
    with translated("read a list"):
        yield from results


def keys_in(
    index: GlobalSecondaryIndex[Any],
    partition: str,
    where: Condition | None = None,
    *,
    limit: int | None = None,
) -> list[Key]:
    """
    (pk, sk) of what a partition of a global index holds, in its order, at most `limit`.

    `where` is a condition on the index's sort key. A global index lags behind its table: read
    the records again before acting on them.
    """
    connect()
    with translated("read an index"):
        found = index.query(partition, where, limit=limit, page_size=limit)
        return [(record.pk, record.sk) for record in found]


def scan(model: type[M]) -> Iterator[M]:
    """Every record of a table, in no order, page by page; its model must be bound."""
    with translated("read a table"):
        yield from model.scan(consistent_read=True)


def create(record: Model) -> bool:
    """Store a new record; its model must be bound. False: its key is taken."""
    with translated("store a record"):
        try:
            record.save(type(record).pk.does_not_exist())  # type: ignore[attr-defined]  # all have pk
        except PynamoDBException as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            return False
    return True


def delete(record: Model) -> None:
    """Remove a record, also where it is gone already; its model must be bound."""
    with translated("remove a record"):
        record.delete()


def just_below(key: str) -> str:
    """The end of a range of sort keys that leaves out `key` and what sorts behind it."""
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}\x7f"


def update(record: Model, actions: list[Action], condition: Condition | None) -> bool:
    """
    Change `record` where it is still as `condition` says, and bring the object up to date.

    False: it is not, and nothing was changed. While a transaction on the item is under way
    DynamoDB refuses, and botocore does not retry that: it is tried again, with jitter. Without a
    condition the record is made where it is not there.
    """
    connect()
    for turn in range(CONFLICT_RETRIES):
        with translated("store a change"):
            try:
                record.update(actions, condition=condition)
            except PynamoDBException as error:
                code = _code(error)
                if code == "ConditionalCheckFailedException":
                    return False
                if code != "TransactionConflictException":
                    raise
            else:
                return True
        if not wait_for_conflict(turn):
            break
    raise contended()


def wait_for_conflict(turn: int) -> bool:
    """Wait for a conflict on an item to pass, with jitter; False: there is no time left to."""
    return aws.pause(turn, first=0.02, longest=0.5)


def _wait_for_room(turn: int) -> None:
    """Wait before what DynamoDB left unprocessed is sent again; the deadline ends that."""
    if not aws.pause(turn, first=0.05, longest=1.0):
        raise aws.unavailable("read or write all records in time")


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
        turn = 0
        while wanted:
            wanted = call("BatchWriteItem", {"RequestItems": wanted}).get("UnprocessedItems") or {}
            if wanted:
                _wait_for_room(turn)
                turn += 1
