"""Writes that happen together or not at all: the other half of the door to DynamoDB, see `db`."""

from __future__ import annotations

from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.tables import db


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

    def check(self, label: str, model: type[Model], key: db.Key, condition: Condition) -> None:
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
        for turn in range(db.CONFLICT_RETRIES):
            with db.translated("store a change"):
                try:
                    self._send()
                except TransactWriteError as error:
                    codes = [why.code if why else None for why in error.cancellation_reasons]
                    failed = {
                        label
                        for label, code in zip(labels, codes, strict=False)
                        if code == "ConditionalCheckFailed"
                    }
                    if failed:
                        return frozenset(failed)
                    if not _passes(codes):
                        raise
                else:
                    return frozenset()
            if not db.wait_for_conflict(turn):
                break
        raise db.contended()

    def _send(self) -> None:
        connection = db.connect()
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
