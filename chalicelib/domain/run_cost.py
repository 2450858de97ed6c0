"""
What runs cost, estimated as AWS bills their tasks. Pure; amounts are billionths of a dollar.

Fargate bills a task from the start of the pull of its image until it is STOPPED, by the second and
for at least a minute (https://aws.amazon.com/fargate/pricing/). Its public address is estimated
over the same time. Enhanced Container Insights has metrics of each task, billed by the hour. What
is billed by job (Container Insights, `enabled`) or by the stage is in no run's cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from chalicelib.domain.capacity import SPOT

if TYPE_CHECKING:
    from chalicelib.domain.ecs_task import Task

AT_LEAST = 60
"""Seconds that Fargate bills for each task."""
SECOND = timedelta(seconds=1)


class Rates(NamedTuple):
    """The prices of a run's tasks, which it keeps from when it was claimed."""

    hour: int
    """Of each task, by the second."""
    begun_hour: int
    """Of each task, for each hour that it begins."""
    date: str
    """Of the prices."""


class Bill(NamedTuple):
    """What tasks cost; stored as a list of the two."""

    seconds: int
    nano_usd: int | None
    """None: not known, since the price is not."""


class RunLike(Protocol):
    """What of a run the estimate reads; tables.run_records.Run is one."""

    rates: Any
    capacity: Any
    billed: Any
    pull_started_at: Any
    past_attempts: Any
    live: Any
    observed_at: Any


def rates(
    spec: Mapping[str, Any], region: str, *, has_address: bool, has_task_metrics: bool
) -> list[Any] | None:
    """The prices that a run of a job keeps, as they are stored; None: prices.py has none."""
    from chalicelib.domain import prices  # at first use: only claims need it

    hour = prices.task_hour(region, spec["architecture"], spec["cpu"], spec["memory_mib"])
    if hour is None:
        return None
    address = prices.nano(prices.ADDRESS_HOUR) if has_address else 0
    metrics = prices.task_metrics_hour() if has_task_metrics else 0
    return list(Rates(hour + address, metrics, prices.PRICE_DATE))


def bill(kept: list[Any] | None, began: datetime, ended: datetime) -> Bill:
    """What one task costs that was billed from `began` to `ended`."""
    seconds = max(AT_LEAST, -((began - ended) // SECOND))
    if kept is None:
        return Bill(seconds, None)
    prices = Rates(*kept)
    by_the_second = (seconds * prices.hour * 2 + 3600) // 7200  # rounded half up
    return Bill(seconds, by_the_second + -(-seconds // 3600) * prices.begun_hour)


def together(*bills: Bill) -> Bill:
    """The sum; its amount is not known if one of them is not."""
    amounts = [one.nano_usd for one in bills]
    known = None if None in amounts else sum(filter(None, amounts))
    return Bill(sum(one.seconds for one in bills), known)


def with_task(run: RunLike, task: Task, now: datetime) -> list[Any] | None:
    """
    What the current attempt has cost, as it is stored, now that a task of it has stopped.

    A task whose image was never pulled is not billed.
    """
    began = task.pull_started_at or task.started_at or run.pull_started_at
    return until(run, began, task.terminated_at or now)


def until(run: RunLike, began: datetime | None, ended: datetime) -> list[Any] | None:
    """
    The same, for a task that was billed from `began` (None: it was not) to `ended`. What Spot costs
    is not known: its prices change.
    """
    if began is None:
        return run.billed  # type: ignore[no-any-return]  # as it is stored
    spent = [] if run.billed is None else [Bill(*run.billed)]
    rates = None if run.capacity == SPOT else run.rates
    return list(together(*spent, bill(rates, began, ended)))


def of_attempt(run: RunLike) -> Bill | None:
    """What the run's current attempt has cost, so far while its task is up; None: nothing yet."""
    is_up = run.live is not None and run.pull_started_at is not None
    billed = until(run, run.pull_started_at, run.observed_at) if is_up else run.billed
    return None if billed is None else Bill(*billed)


def of_past(attempt: Mapping[str, Any]) -> Bill | None:
    """What an attempt cost that has ended, from its record."""
    billed = attempt.get("billed")
    return None if billed is None else Bill(*billed)


def of_run(run: RunLike) -> Bill | None:
    """What all attempts of a run have cost; None: none of them had a task that is billed."""
    bills = list(_bills(run))
    return together(*bills) if bills else None


def _bills(run: RunLike) -> Iterator[Bill]:
    for one in (*map(of_past, run.past_attempts or []), of_attempt(run)):
        if one is not None:
            yield one
