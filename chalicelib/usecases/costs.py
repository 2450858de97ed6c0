"""What the runs of a project's jobs cost in a month, as an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.clock import Clock
from chalicelib.tables.month_costs import MonthCost, MonthCosts, month_of


@dataclass(frozen=True, slots=True)
class ProjectCost:
    """What each job's runs of a month cost, the dearest first; deleted jobs are among them."""

    month: str
    jobs: Sequence[MonthCost]


@dataclass(slots=True)
class Costs:
    """The costs of every project, as a caller may see them."""

    month_costs: MonthCosts
    clock: Clock

    def of_month(self, project: str, month: str | None) -> ProjectCost:
        """Of the runs that ended in a month, YYYY-MM in UTC; None: the present one."""
        month = month or month_of(self.clock.now())
        found = self.month_costs.of_project(project, month)
        dearest = sorted(found, key=lambda cost: (-(cost.nano_usd or 0), cost.job_id))
        return ProjectCost(month, dearest)
