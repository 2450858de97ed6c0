"""Several conditional writes, of which DynamoDB makes all or none."""

from __future__ import annotations

from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.tables.database import Database
from chalicelib.tables.expressions import key_of
from chalicelib.tables.records import Record


class Transaction:
    """
    Writes that happen together or not at all, each under a label.

    Several writes may have the same label; at most 100 writes fit (TransactWriteItems).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._labels: list[str] = []
        self._items: list[dict[str, Any]] = []

    def check(
        self, label: str, model: type[Record], key: tuple[str, str], condition: Condition
    ) -> None:
        self._add("ConditionCheck", label, model, key, condition=condition)

    def delete(self, label: str, record: Record, condition: Condition | None) -> None:
        self._add("Delete", label, type(record), key_of(record), condition=condition)

    def put(self, label: str, record: Record, condition: Condition | None) -> None:
        what = {"key": "Item", "attributes": record.serialize(), "condition": condition}
        self._add("Put", label, type(record), key_of(record), **what)

    def update(
        self, label: str, record: Record, actions: list[Action], condition: Condition | None
    ) -> None:
        what = {"actions": actions, "condition": condition}
        self._add("Update", label, type(record), key_of(record), **what)

    def _add(self, kind: str, label: str, model: type[Record], at: Any, **what: Any) -> None:
        self._labels.append(label)
        self._items.append({kind: self._database.arguments(model, at, **what)})

    def __len__(self) -> int:
        return len(self._items)

    def commit(self) -> frozenset[str]:
        """Store it all: the labels whose condition failed, empty when it was stored."""
        failed = self._database.send_transaction(self._items)
        return frozenset(self._labels[position] for position in failed)
