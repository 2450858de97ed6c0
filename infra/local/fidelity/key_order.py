"""The keys of a DynamoDB table and of its indexes, in order, and ranges of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

Where = tuple[str, ...]
"""Range key, then the table's own keys: the order of an index, and where an item is in it."""
ItemKey = tuple[str, str]
LAST = chr(0x10FFFF)


@dataclass(slots=True)
class Place:
    """One item, and where it stands in each order: index → (hash key, where)."""

    item: Item
    at: dict[str | None, tuple[str, Where]] = field(default_factory=dict)
    size: int | None = None


class Order:
    """The keys of one table, in the order of the table (None) and of each index (its name)."""

    def __init__(self, table: Table) -> None:
        self._hash_key, self._range_key = table.hash_key_attr, table.range_key_attr
        schemas: dict[str | None, list[dict[str, str]]] = {None: table.schema}
        schemas |= {one.name: one.schema for one in table.all_indexes()}
        self.schemas = {
            name: tuple(key["AttributeName"] for key in schema) for name, schema in schemas.items()
        }
        kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
        self.is_plain = all(
            len(names) == 2 and all(kinds[name] == "S" for name in names)
            for names in self.schemas.values()
        )
        self._places: dict[ItemKey, Place] = {}
        self._sorted: dict[str | None, dict[str, list[Where]]] = {name: {} for name in self.schemas}
        if self.is_plain:
            for item in table.all_items():
                self.note(item)

    def note(self, item: Item) -> None:
        """It was written."""
        key = _key(item)
        place = self._places.setdefault(key, Place(item))
        place.item, place.size = item, None
        for index, (hash_name, range_name) in self.schemas.items():
            hash_value, range_value = _text(item, hash_name), _text(item, range_name)
            now = None
            if hash_value is not None and range_value is not None:
                now = hash_value, (range_value, *key)
            if place.at.get(index) != now:
                self._remove(index, place)
                if now is not None:
                    place.at[index] = now
                    insort(self._sorted[index].setdefault(now[0], []), now[1])

    def drop(self, item: Item) -> None:
        """It was deleted."""
        place = self._places.pop(_key(item), None)
        if place is not None:
            for index in self.schemas:
                self._remove(index, place)

    def _remove(self, index: str | None, place: Place) -> None:
        before = place.at.pop(index, None)
        if before is not None:
            keys = self._sorted[index][before[0]]
            del keys[bisect_left(keys, before[1])]
            if not keys:
                del self._sorted[index][before[0]]

    def places(
        self,
        index: str | None,
        hash_value: str,
        bounds: Callable[[list[Where]], tuple[int, int]],
        start: dict[str, Any] | None,
        *,
        is_forward: bool,
    ) -> Iterator[Place]:
        """Those within `bounds`, in order, after the key `start`."""
        keys = self._sorted[index].get(hash_value, [])
        low, high = bounds(keys)
        if start is not None:
            names = (self.schemas[index][1], self._hash_key, self._range_key)
            after = tuple(start[str(name)]["S"] for name in names)
            if is_forward:
                low = max(low, bisect_right(keys, after))
            else:
                high = min(high, bisect_left(keys, after))
        for at in range(low, high) if is_forward else range(high - 1, low - 1, -1):
            yield self._places[keys[at][1], keys[at][2]]


def bounds_of(
    comparison: str | None, values: list[str]
) -> Callable[[list[Where]], tuple[int, int]]:
    """Which of the sorted keys a condition on the range key takes: from, and up to."""

    def bounds(keys: list[Where]) -> tuple[int, int]:
        def below(value: str) -> int:
            return bisect_left(keys, value, key=_first)

        def up_to(value: str) -> int:
            return bisect_right(keys, value, key=_first)

        match (comparison or "").upper():
            case "":
                return 0, len(keys)
            case "=" | "EQ":
                return below(values[0]), up_to(values[0])
            case "<" | "LT":
                return 0, below(values[0])
            case "<=" | "LE":
                return 0, up_to(values[0])
            case ">" | "GT":
                return up_to(values[0]), len(keys)
            case ">=" | "GE":
                return below(values[0]), len(keys)
            case "BETWEEN":
                return below(values[0]), up_to(values[1])
            case "BEGINS_WITH":
                return below(values[0]), below(values[0] + LAST)
        raise ValueError(f"{comparison} is not a comparison of range keys")

    return bounds


def _first(where: Where) -> str:
    return where[0]


def _key(item: Item) -> ItemKey:
    return item.hash_key.value, item.range_key.value if item.range_key else ""


def _text(item: Item, name: str) -> str | None:
    found = item.attrs.get(name)
    return found.value if found is not None and found.type == "S" else None
