"""What a world contains, read without AWS calls: tables, tasks, rules and log groups."""

from __future__ import annotations

import base64
from typing import Any, TypeVar

from moto.dynamodb.models import dynamodb_backends
from moto.ecs.models import ecs_backends
from moto.events.models import events_backends
from moto.logs.models import logs_backends
from pynamodb.models import Model

from chalicelib.system import System
from chalicelib.tables.item_reading import record_of
from chalicelib.tables.month_costs import MonthCost
from chalicelib.tables.records import AuditEntry, Job, JobKey, Name
from chalicelib.tables.run_records import Live, Run, RunKey, Stats
from chalicelib.tables.usage import UsedJobs, UsedRuns
from infra.local import REGION
from infra.local.fidelity.events import RULES_PER_BUS
from infra.local.provision import ACCOUNT
from tests.yard import Yard

M = TypeVar("M", bound=Model)


def _plain(value: Any) -> dict[str, Any]:
    """A value as boto answers it: moto converts the outermost alone, and no base64."""
    found: dict[str, Any] = value.to_json()
    if isinstance(found.get("B"), str):
        return {"B": base64.b64decode(found["B"])}
    return {"L": [_plain(each) for each in found["L"]]} if "L" in found else found


class Contents:
    """Reads what a yard contains from moto's memory, and changes it as a person would by hand."""

    yard: Yard

    @property
    def on(self) -> System:
        return self.yard.system

    def _table(self, name: str) -> Any:
        return dynamodb_backends[ACCOUNT][REGION].tables[name]

    @property
    def _definitions(self) -> dict[str, dict[int, Any]]:
        found: dict[str, dict[int, Any]] = ecs_backends[ACCOUNT][REGION].task_definitions
        return found

    @property
    def _rules(self) -> dict[str, Any]:
        found: dict[str, Any] = events_backends[ACCOUNT][REGION].event_buses["default"].rules
        return found

    @property
    def _groups(self) -> dict[str, Any]:
        found: dict[str, Any] = logs_backends[ACCOUNT][REGION].groups
        return found

    def _raw(self, table: str) -> list[dict[str, Any]]:
        return [
            {name: _plain(value) for name, value in item.attrs.items()}
            for item in self._table(table).all_items()
        ]

    def _records(self, table: str, model: type[M], prefix: str) -> list[M]:
        return [
            model.from_raw_data(raw)
            for raw in self._raw(table)
            if raw["sk"]["S"].startswith(prefix)
        ]

    def put(self, record: Run | Live) -> None:
        """Store a record without any condition, for histories of thousands."""
        self._table(self.on.settings.runs_table).put_item(record.serialize())

    def put_job(self, job: Job) -> None:
        """A job as it is, past every condition, and without its name, counts and rules."""
        self._table(self.on.settings.jobs_table).put_item(job.serialize())

    def remove_job(self, job: Job) -> None:
        """The same, backwards."""
        self.on.database.delete_many(Job, [(job.pk, job.sk)])

    def jobs(self) -> list[Job]:
        """Every job, also those that are being deleted."""
        return self._records(self.on.settings.jobs_table, Job, "job_")

    def names(self) -> list[Name]:
        return self._records(self.on.settings.jobs_table, Name, "name#")

    def job_keys(self) -> list[JobKey]:
        return self._records(self.on.settings.jobs_table, JobKey, "key#")

    def entries(self) -> list[AuditEntry]:
        """The audit trail."""
        return self._records(self.on.settings.jobs_table, AuditEntry, "entry_")

    def runs(self) -> list[Run]:
        return self._records(self.on.settings.runs_table, Run, "run_")

    def live(self) -> list[Live]:
        return self._records(self.on.settings.runs_table, Live, "live#")

    def run_keys(self) -> list[RunKey]:
        return self._records(self.on.settings.runs_table, RunKey, "key#")

    def stats(self) -> list[Stats]:
        raw = self._raw(self.on.settings.runs_table)
        return [record_of(Stats, item) for item in raw if item["sk"]["S"] == "stats"]

    def used(self) -> list[UsedJobs | UsedRuns]:
        """What workspaces use of their quotas."""
        settings = self.on.settings
        return [
            *self._records(settings.jobs_table, UsedJobs, "usage"),
            *self._records(settings.runs_table, UsedRuns, "usage"),
        ]

    def miscount(self, number: int) -> None:
        """Change what every workspace uses as a person would by hand."""
        for used in self.used():
            used.number, used.changes = number, int(used.changes) + 1
            self._table(self.on.table_names[used.table]).put_item(used.serialize())

    def month_costs(self) -> list[MonthCost]:
        return self._records(self.on.settings.runs_table, MonthCost, "cost#")

    def rules(self) -> dict[str, dict[str, Any]]:
        """The expression, the state and the targets of each rule."""
        return {
            name: {
                "ScheduleExpression": rule.scheduled_expression,
                "State": rule.state,
                "Targets": rule.targets,
            }
            for name, rule in self._rules.items()
        }

    def room_for_rules(self, rules: int = RULES_PER_BUS) -> None:
        """Set how many rules the bus has room for."""
        self.yard.aws.events.rules_per_bus = rules

    def remove_rule(self, name: str) -> None:
        """Remove a rule as a person would by hand."""
        del self._rules[name]

    def change_rule(self, name: str, expression: str | None) -> None:
        """Change a rule as a person would by hand; None removes its targets."""
        if expression is None:
            self._rules[name].targets.clear()
        else:
            self._rules[name].scheduled_expression = expression

    def groups(self) -> list[str]:
        return list(self._groups)

    def definitions(self) -> list[str]:
        """The ARNs of the active task definitions."""
        return [
            definition.arn
            for revisions in self._definitions.values()
            for definition in revisions.values()
            if definition.status == "ACTIVE"
        ]
