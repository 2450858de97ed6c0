"""
DynamoDB as it behaves for several callers at once, where moto 5.2 falls short.

- moto answers requests of a threaded server without a lock, and a transaction that fails puts
  back its tables as they were when it began: whatever others wrote meanwhile is lost. Here every
  request runs alone, and a transaction evaluates all its conditions before it writes anything.
- That also spares the copy that moto makes of every table a transaction touches (0.2 s at 3,000
  items).
- A Query reads its range of the sorted keys, not the whole table (queries.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.core import responses as core_responses
from moto.dynamodb import responses
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ConditionalCheckFailed,
    MultipleTransactionsException,
    ResourceNotFoundException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from infra.local.fidelity import updates
from infra.local.fidelity.overlay import Overlay
from infra.local.fidelity.queries import Queries

MAX_ITEMS = 100


class DynamoDbFidelity(Overlay):
    """One lock for every request, and transactions that check first and write then."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._queries = Queries()

    @classmethod
    def install(cls) -> DynamoDbFidelity:
        """Put it over moto's DynamoDB; replaces an earlier one."""
        cls._take_off()
        fidelity = cls()
        fidelity._wrap(DynamoHandler, "call_action", fidelity._one_at_a_time)
        queries = fidelity._queries
        fidelity._wrap(Table, "put_item", queries.put_item)
        fidelity._wrap(Table, "delete_item", queries.delete_item)
        fidelity._wrap(Table, "query", queries.query)
        fidelity._wrap(DynamoDBBackend, "transact_write_items", _check_then_write)
        fidelity._wrap(DynamoDBBackend, "update_item", updates.at_once)
        fidelity._wrap(DynamoDBBackend, "update_item", queries.update_item)
        fidelity._wrap(DynamoHandler, "serialized", updates.as_it_stands)
        fidelity._replace(responses, "dynamo_to_dict", updates.plain)
        fidelity._replace(core_responses, "method_names_from_class", updates.names_of_methods)
        fidelity._replace(responses, "UpdateExpressionParser", updates.CachedParser)
        return fidelity

    def clear(self, table: Table) -> None:
        """Delete all items of a table at once."""
        with self._lock:
            self._queries.clear(table)

    def _wrap(
        self, owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        self._replace(owner, name, wrap(getattr(owner, name)))

    def _one_at_a_time(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call_action(handler: Any) -> Any:
            with self._lock:
                return original(handler)

        return call_action


def _check_then_write(_: Callable[..., Any]) -> Callable[..., Any]:
    def transact_write_items(backend: DynamoDBBackend, transact_items: list[Any]) -> None:
        if len(transact_items) > MAX_ITEMS:
            raise TooManyTransactionsException
        operations = [_operation(backend, item) for item in transact_items]
        named = [
            (operation["TableName"], str(sorted(key.items()))) for _, operation, key in operations
        ]
        if len(set(named)) < len(named):
            raise MultipleTransactionsException
        failed = [_condition(backend, operation, key) for _, operation, key in operations]
        if any(code is not None for code, _, _ in failed):
            raise TransactionCanceledException(failed)
        _write(backend, operations)

    return transact_write_items


def _operation(backend: DynamoDBBackend, item: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """(kind, request, key of the item) of one part of a transaction."""
    if len(item) != 1:
        raise TransactWriteSingleOpException
    ((kind, request),) = item.items()
    table = backend.get_table(request["TableName"])
    if kind != "Put":
        return kind, request, request["Key"]
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    return kind, request, {name: request["Item"][name] for name in names}


def _condition(
    backend: DynamoDBBackend, request: dict[str, Any], key: dict[str, Any]
) -> tuple[str | None, str | None, Any]:
    """What TransactionCanceledException says of one part; three times None if it may be written."""
    current = backend.get_item(request["TableName"], key)
    expression = request.get("ConditionExpression")
    condition = get_filter_expression(
        expression,
        request.get("ExpressionAttributeNames"),
        request.get("ExpressionAttributeValues"),
    )
    if expression is None or condition.expr(current):
        return None, None, None
    shown = None
    if current and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        shown = current.to_json()["Attributes"]
    return "ConditionalCheckFailed", ConditionalCheckFailed().message, shown


def _write(backend: DynamoDBBackend, operations: list[tuple[str, Any, dict[str, Any]]]) -> None:
    """Write all, or, where one is invalid in itself, none."""
    before = []
    for _, request, key in operations:
        found = backend.get_item(request["TableName"], key)
        attributes = found.to_json()["Attributes"] if found else None
        before.append((request["TableName"], key, attributes))
    try:
        for kind, request, key in operations:
            _write_one(backend, kind, request, key)
    except Exception:
        for name, key, item in before:
            if item is not None:
                backend.put_item(name, item)
            else:
                backend.delete_item(name, key)
        raise


def _write_one(
    backend: DynamoDBBackend, kind: str, request: dict[str, Any], key: dict[str, Any]
) -> None:
    name = request["TableName"]
    if name not in backend.tables:
        raise ResourceNotFoundException
    if kind == "Put":
        backend.put_item(name, request["Item"])
    elif kind == "Delete":
        backend.delete_item(name, key)
    elif kind == "Update":
        backend.update_item(
            name,
            key,
            update_expression=request["UpdateExpression"],
            expression_attribute_names=request.get("ExpressionAttributeNames") or {},
            expression_attribute_values=request.get("ExpressionAttributeValues") or {},
        )
