"""
DynamoDB's Query from sorted keys, where moto 5.2 reads and sorts the whole table for each.

A sweep makes 32 queries, most of which find nothing: with moto's Query a local stack becomes slower
with each run that it has ever had. Here the keys of each table and index are kept in order while
items are written, and a Query reads its range alone. What is not plain (keys that are not strings,
indexes without a range key, QueryFilter) is left to moto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import (
    RESULT_SIZE_LIMIT,
    GlobalSecondaryIndex,
    SecondaryIndex,
    Table,
)

from infra.local.fidelity.key_order import Order, Place, bounds_of

Answer = tuple[list[Item], int, dict[str, Any] | None]


class Queries:
    """The orders of all tables, and moto's methods that write and query, with them."""

    def __init__(self) -> None:
        self._orders: WeakKeyDictionary[Table, Order] = WeakKeyDictionary()

    def _order(self, table: Table) -> Order:
        order = self._orders.get(table)
        if order is None:
            order = self._orders[table] = Order(table)
        return order

    def clear(self, table: Table) -> None:
        """Delete all items of it."""
        table.items.clear()
        self._orders.pop(table, None)

    def put_item(self, original: Callable[..., Item]) -> Callable[..., Item]:
        def put_item(table: Table, *args: Any, **more: Any) -> Item:
            order = self._order(table)
            item = original(table, *args, **more)
            if order.is_plain:
                order.note(item)
            return item

        return put_item

    def delete_item(self, original: Callable[..., Item | None]) -> Callable[..., Item | None]:
        def delete_item(table: Table, *args: Any, **more: Any) -> Item | None:
            item = original(table, *args, **more)
            order = self._order(table)
            if item is not None and order.is_plain:
                order.drop(item)
            return item

        return delete_item

    def update_item(self, original: Callable[..., Item]) -> Callable[..., Item]:
        def update_item(backend: Any, table_name: str, *args: Any, **more: Any) -> Item:
            item = original(backend, table_name, *args, **more)
            order = self._order(backend.get_table(table_name))
            if order.is_plain:
                order.note(item)
            return item

        return update_item

    def query(self, original: Callable[..., Answer]) -> Callable[..., Answer]:
        def query(
            table: Table,
            hash_key: DynamoType | None,
            range_comparison: str | None,
            range_objs: list[DynamoType],
            limit: int | None,
            exclusive_start_key: dict[str, Any] | None,
            scan_index_forward: bool,
            projection_expressions: list[list[str]] | None,
            index_name: str | None = None,
            consistent_read: bool = False,
            filter_expression: Any = None,
            **more: Any,
        ) -> Answer:
            order = self._order(table)
            if not self._is_plain(table, order, index_name, consistent_read, more):
                return original(
                    table,
                    hash_key,
                    range_comparison,
                    range_objs,
                    limit,
                    exclusive_start_key,
                    scan_index_forward,
                    projection_expressions,
                    index_name,
                    consistent_read,
                    filter_expression,
                    **more,
                )
            assert hash_key is not None
            places = order.places(
                index_name,
                hash_key.value,
                bounds_of(range_comparison, [one.value for one in range_objs]),
                exclusive_start_key,
                is_forward=scan_index_forward is not False,
            )
            found, is_over = _page(places, limit)
            last = None if is_over else table._get_last_evaluated_key(found[-1], index_name)
            scanned = len(found)
            names = self._projection(table, index_name)
            if names is not None:
                found = [_part(item, names) for item in found]
            if filter_expression is not None:
                found = [item for item in found if filter_expression.expr(item)]
            if projection_expressions:
                found = [_projected(item, projection_expressions) for item in found]
            return found, scanned, last

        return query

    def _is_plain(
        self,
        table: Table,
        order: Order,
        index_name: str | None,
        is_consistent: bool,
        more: dict[str, Any],
    ) -> bool:
        """Neither something that is not done here nor something that moto refuses."""
        conditions = more.pop("hash_key_conditions", None), more.pop("range_key_conditions", None)
        is_plain = order.is_plain and index_name in order.schemas and not more
        hashes, ranges = conditions
        is_plain = is_plain and len(hashes or ()) == 1 and len(ranges or ()) <= 1
        if is_plain and index_name is not None and is_consistent:
            is_plain = not isinstance(table.get_index(index_name), GlobalSecondaryIndex)
        more["hash_key_conditions"], more["range_key_conditions"] = conditions
        return bool(is_plain)

    def _projection(self, table: Table, index_name: str | None) -> frozenset[str] | None:
        """Attributes that the index has; None for all."""
        if index_name is None:
            return None
        return _attributes(table.get_index(index_name))


def _attributes(index: SecondaryIndex) -> frozenset[str] | None:
    kind = index.projection.get("ProjectionType")
    if kind not in ("KEYS_ONLY", "INCLUDE"):
        return None
    extra = index.projection.get("NonKeyAttributes", []) if kind == "INCLUDE" else []
    return frozenset((*index.table_key_attrs, *index.schema_key_attrs, *extra))


def _page(places: Iterator[Place], limit: int | None) -> tuple[list[Item], bool]:
    """A page of `limit` items or 1 MB, and whether nothing comes after it."""
    found: list[Item] = []
    size = 0
    for place in places:
        if place.size is None:
            place.size = place.item.size()
        size += place.size
        if len(found) == limit or (found and size > RESULT_SIZE_LIMIT):
            return found, False
        found.append(place.item)
    return found, True


def _projected(item: Item, expressions: list[list[str]]) -> Item:
    if any(len(path) > 1 for path in expressions):
        return item.project(expressions)
    return _part(item, frozenset(path[0] for path in expressions))


def _part(item: Item, names: frozenset[str]) -> Item:
    """An item with these of the attributes."""
    part = object.__new__(Item)
    part.hash_key, part.range_key = item.hash_key, item.range_key
    part.attrs = {name: value for name, value in item.attrs.items() if name in names}  # type: ignore[assignment]
    return part
