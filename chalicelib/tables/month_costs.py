"""
What the runs of a job cost in a month, summed in the transaction in which a run's last task ends.

A run counts whole in the month in which it ended. The sum is kept twice. In the job's counts it is
a number that is named after its month, so that it begins at zero by itself, and lists of jobs and
the status show it without another read. In a record per project, month and job it outlives the
job, and one query finds those of a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pynamodb.attributes import TTLAttribute, UnicodeAttribute
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain import run_cost
from chalicelib.tables.database import Database
from chalicelib.tables.records import SortedRecord, maybe, whole
from chalicelib.tables.run_records import Run, Stats
from chalicelib.tables.transaction import Transaction

KEPT = timedelta(days=800)
"""How long the sum of a month is kept after its last run: two years and a reserve."""
_SHOWN = 3
"""Earlier months whose numbers are removed from a job's counts, which stay small."""


class MonthCost(SortedRecord):
    """
    `pk` = project, `sk = cost#YYYY-MM#job_…`: what the runs of a job cost that ended in a month.

    Made by the first of them. It stays when its job is deleted, since the money was spent.
    """

    table = "runs"
    job_name = UnicodeAttribute()
    """As the run had it that ended last."""
    runs = whole(default=0)
    """How many had a task that is billed."""
    unpriced = whole(default=0)
    """How many of them have no estimate, since their price is not known."""
    nano_usd = maybe(whole(null=True))
    """Of the others, in billionths of a dollar; absent: there are none."""
    expires = TTLAttribute()

    @property
    def job_id(self) -> str:
        return self.sk.split("#")[2]


@dataclass(slots=True)
class MonthCosts:
    """Reads the sums of a project's months."""

    database: Database

    def of_project(self, project: str, month: str) -> list[MonthCost]:
        """What the runs of each of a project's jobs cost that ended in a month, YYYY-MM."""
        return list(
            self.database.query(MonthCost, project, sort=MonthCost.sk.startswith(f"cost#{month}#"))
        )


def month_of(at: datetime) -> str:
    """The month, in UTC, as YYYY-MM."""
    return f"{at:%Y-%m}"


def in_month(stats: Stats, at: datetime) -> int:
    """What a job's runs cost, in billionths of a dollar, in the month of `at`."""
    return stats.sums.get(_name(at), 0)


def added(transaction: Transaction, run: Run) -> list[Action]:
    """
    Add the cost of a run that is over to the sums of its month: the record is written by
    `transaction`, and the actions on the job's counts are returned.
    """
    cost = run_cost.of_run(run)
    if cost is None:
        return []
    ended = run.finished_at
    assert ended is not None  # a run that is over has ended
    record = MonthCost(run.project, f"cost#{month_of(ended)}#{run.job_id}")
    actions = [
        MonthCost.runs.add(1),
        MonthCost.job_name.set(run.job_name),
        MonthCost.expires.set(ended + KEPT),
    ]
    if cost.nano_usd is None:
        transaction.update("cost", record, [*actions, MonthCost.unpriced.add(1)], None)
        return []
    transaction.update("cost", record, [*actions, MonthCost.nano_usd.add(cost.nano_usd)], None)
    return [Path(_name(ended)).add(cost.nano_usd), *_earlier(ended)]


def _earlier(at: datetime) -> list[Action]:
    """The actions that remove the numbers of the months before."""
    gone: list[Action] = []
    month: date | datetime = at
    for _ in range(_SHOWN):
        month = month.replace(day=1) - timedelta(days=1)
        gone.append(Path(_name(month)).remove())
    return gone


def _name(at: date | datetime) -> str:
    return f"{Stats.sums_are_named}{at:%Y%m}"
