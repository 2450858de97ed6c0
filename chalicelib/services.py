"""What the use-cases act through, each built at first use: handed to them by the handlers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from chalicelib.lazy import lazily
from chalicelib.settings import Settings, settings

if TYPE_CHECKING:
    from chalicelib.cloud import bus, ecs, logs, metrics, rules
else:
    bus, ecs, logs, metrics, rules = lazily(
        "cloud.bus", "cloud.ecs", "cloud.logs", "cloud.metrics", "cloud.rules"
    )


def utc_now() -> datetime:
    """Now, at DynamoDB's and the API's grain: milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Services:
    """The cloud, the clock and the settings of this process."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self.now = now

    @cached_property
    def ecs(self) -> ecs.Ecs:
        return ecs.Ecs(self.settings)

    @cached_property
    def logs(self) -> logs.Logs:
        return logs.Logs()

    @cached_property
    def metrics(self) -> metrics.Metrics:
        return metrics.Metrics()

    @cached_property
    def rules(self) -> rules.Rules:
        return rules.Rules(self.settings)

    @cached_property
    def bus(self) -> bus.Bus:
        return bus.Bus(self.settings)


@lru_cache(maxsize=1)
def services() -> Services:
    """This process's services."""
    return Services(settings())
