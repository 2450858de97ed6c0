"""Counts AWS calls, and the capacity that DynamoDB reports for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.shadow import Shadow

READS = ("GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems")
SERVICES = ("ecs", "events", "lambda", "logs", "cloudwatch")


@dataclass(slots=True)
class Bill:
    """The AWS calls of an operation and their capacity units."""

    calls: Counter[str] = field(default_factory=Counter)
    """The number of calls of each operation."""
    read_units: float = 0.0
    write_units: float = 0.0

    @property
    def words(self) -> str:
        """The calls in words, such as `2 Query, DescribeTasks`."""
        return ", ".join(
            name if count == 1 else f"{count} {name}" for name, count in sorted(self.calls.items())
        )


class Meter:
    """Listens to the AWS clients of the product."""

    def __init__(self, shadow: Shadow | None) -> None:
        """`shadow` finds the units of transactions; without it, only calls are counted."""
        import app

        system = app.app.system
        self._dynamodb = system.database.client
        self._clients = [
            self._dynamodb,
            *(system.clients.get(service) for service in SERVICES),
        ]
        self._shadow = shadow

    def bill(self, act: Callable[[], Any]) -> Bill:
        """Run `act` and return its calls and units."""
        with self._listening() as bill:
            act()
        return bill

    @contextmanager
    def _listening(self) -> Iterator[Bill]:
        bill = Bill()

        def asked(model: Any, **_: Any) -> None:
            bill.calls[model.name] += 1

        before: list[Any] = []

        def wants_capacity(params: dict[str, Any], model: Any, **_: Any) -> None:
            params["ReturnConsumedCapacity"] = "TOTAL"
            if model.name == "TransactWriteItems" and self._shadow is not None:
                before[:] = [params, self._shadow.before(params)]

        def answered(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            found = parsed.get("ConsumedCapacity") or []
            units = sum(
                one["CapacityUnits"] for one in (found if isinstance(found, list) else [found])
            )
            if model.name in READS:
                bill.read_units += units
            elif model.name != "TransactWriteItems":
                bill.write_units += units
            elif self._shadow is not None:
                bill.write_units += self._shadow.units(*before)

        hooks: list[tuple[str, Callable[..., None]]] = [
            ("provide-client-params.dynamodb.*", wants_capacity),
            ("after-call.dynamodb.*", answered),
        ]
        for client in self._clients:
            client.meta.events.register("before-call.*.*", asked)
        for name, hook in hooks:
            self._dynamodb.meta.events.register(name, hook)
        try:
            yield bill
        finally:
            for client in self._clients:
                client.meta.events.unregister("before-call.*.*", asked)
            for name, hook in hooks:
                self._dynamodb.meta.events.unregister(name, hook)
