"""
DynamoDB's updates and answers without what moto 5.2 spends most of their time on.

moto parses an update three times over and walks its syntax tree ten times, and walks every answer
once more through botocore's model, although it is JSON already. Nearly all updates only set,
remove or add to whole attributes: those are applied here at once. Whatever is more than that, or
would be refused, is left to moto, so that it is moto that refuses.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from moto.core.utils import method_names_from_class
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DDBType, DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_to_dict
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]

Plan = tuple[tuple[str, str, str], ...]
"""(SET, REMOVE or ADD; placeholder of the name; placeholder of the value, or nothing)."""

MOST = 400_000
"""Bytes of an item from which on moto is asked whether it is too large."""
ITEM_OPERATIONS = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)

_ACTIONS = {
    "SET": r"#\w+ ?= ?:\w+",
    "REMOVE": r"#\w+",
    "ADD": r"#\w+ :\w+",
}
_CLAUSES = re.compile(
    "|".join(rf"({verb}) ({action}(?:, ?{action})*)" for verb, action in _ACTIONS.items())
)


def plain(value: Any) -> Any:
    """In place of moto's `dynamo_to_dict`: the same, with the usual kinds of value first."""
    kind = type(value)
    if kind is DynamoType:
        if value.type in ("S", "N", "BOOL"):
            return {value.type: value.value}
        if value.type in ("M", "L"):
            return {value.type: plain(value.value)}
    elif kind is dict or kind is LimitedSizeDict:
        return {name: plain(inner) for name, inner in value.items()}
    elif kind is list:
        return [plain(inner) for inner in value]
    return dynamo_to_dict(value)


names_of_methods = lru_cache(method_names_from_class)
"""In place of moto's, which lists all methods of a service's class for each request."""


class CachedParser:
    """In place of moto's parser where its tree is only read."""

    make = staticmethod(lru_cache(1024)(UpdateExpressionParser.make))


def at_once(original: Callable[..., Item]) -> Callable[..., Item]:
    """`update_item` of moto's backend."""

    def update_item(
        backend: DynamoDBBackend,
        table_name: str,
        key: dict[str, dict[str, Any]],
        update_expression: str,
        expression_attribute_names: dict[str, str],
        expression_attribute_values: dict[str, dict[str, Any]],
        **more: Any,
    ) -> Item:
        names, values = expression_attribute_names or {}, expression_attribute_values or {}
        table = backend.get_table(table_name)
        item = backend.get_item(table_name, key)
        plan = _plan(update_expression or "")
        condition = get_filter_expression(more.get("condition_expression"), names, values)
        if (
            plan is not None
            and not (more.get("attribute_updates") or more.get("expected"))
            and condition.expr(item)
            and (attributes := _applied(plan, item, table, names, values)) is not None
        ):
            if item is None:
                item = backend.put_item(table_name, dict(key))
                attributes |= item.attrs
            dict.clear(item.attrs)
            dict.update(
                item.attrs, attributes
            )  # past moto's look at the size, attribute by attribute
            return item
        return original(
            backend,
            table_name,
            key,
            update_expression,
            expression_attribute_names,
            expression_attribute_values,
            **more,
        )

    return update_item


@lru_cache(1024)
def _plan(expression: str) -> Plan | None:
    """What an update does, attribute by attribute; None where it does anything else."""
    found: list[tuple[str, str, str]] = []
    verbs = []
    at = 0
    while at < len(expression):
        clause = _CLAUSES.match(expression, at)
        if clause is None:
            return None
        verb, actions = [group for group in clause.groups() if group is not None]
        for action in actions.split(","):
            name, _, value = action.strip().replace("=", " ").partition(" ")
            found.append((verb, name, value.strip()))
        verbs.append(verb)
        at = clause.end() + 1
        if at <= len(expression) and expression[at - 1] != " ":
            return None
    names = [name for _, name, _ in found]
    is_valid = len(set(verbs)) == len(verbs) and len(set(names)) == len(names)
    return tuple(found) if found and is_valid else None


def _applied(
    plan: Plan,
    item: Item | None,
    table: Table,
    names: dict[str, str],
    values: dict[str, dict[str, Any]],
) -> dict[str, DynamoType] | None:
    """The attributes that come of it; None where DynamoDB might refuse them."""
    if table.stream_shard is not None or len(set(names.values())) < len(names):
        return None
    attributes = dict(item.attrs) if item else {}
    for verb, name_placeholder, placeholder in plan:
        name = names.get(name_placeholder)
        if name is None or name in table.table_key_attrs:
            return None
        if verb == "REMOVE":
            attributes.pop(name, None)
            continue
        if placeholder not in values:
            return None
        value = DynamoType(values[placeholder])
        if verb == "ADD":
            current = attributes.get(name)
            if value.type != DDBType.NUMBER:
                return None
            if current is not None:
                if current.type != DDBType.NUMBER:
                    return None
                value = current + value
        attributes[name] = value
    size = sum(len(name) + value.size() for name, value in attributes.items())
    return attributes if size < MOST else None


def as_it_stands(original: Callable[..., Any]) -> Callable[..., Any]:
    """`serialized` of moto's handler: an item's JSON needs no model."""

    def serialized(handler: Any, result: Any) -> Any:
        if handler._get_action() not in ITEM_OPERATIONS or not isinstance(result.result, dict):
            return original(handler, result)
        headers = {"Content-Type": "application/x-amz-json-1.0", **handler.response_headers}
        return 200, headers, json.dumps(result.result, default=_as_base64)

    return serialized


def _as_base64(binary: bytes) -> str:
    return base64.b64encode(binary).decode()
