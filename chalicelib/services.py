"""What the use-cases act through, each built at first use: handed to them by the handlers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache

from chalicelib.cloud.bus import Bus
from chalicelib.cloud.ecs import Ecs
from chalicelib.cloud.logs import Logs
from chalicelib.cloud.metrics import Metrics
from chalicelib.cloud.rules import Rules
from chalicelib.settings import Settings, settings


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
    def ecs(self) -> Ecs:
        return Ecs(self.settings)

    @cached_property
    def logs(self) -> Logs:
        return Logs()

    @cached_property
    def metrics(self) -> Metrics:
        return Metrics()

    @cached_property
    def rules(self) -> Rules:
        return Rules(self.settings)

    @cached_property
    def bus(self) -> Bus:
        return Bus(self.settings)


@lru_cache(maxsize=1)
def services() -> Services:
    """This process's services."""
    return Services(settings())
