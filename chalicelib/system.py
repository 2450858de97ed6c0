"""
The composition root: builds each part of the system once and hands it the parts that it uses. A
class declares these as the fields of its dataclass, with the names that they have here. A part is
imported and built at its first use, so that a cold function pays for what its first request needs
and for nothing else. Nothing is global: two systems can live in one process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import MISSING, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chalicelib.clock import Clock
from chalicelib.settings import Settings, read_settings

if TYPE_CHECKING:
    from chalicelib.cloud.aws import Clients
    from chalicelib.cloud.bus import Bus
    from chalicelib.cloud.ecs import Ecs
    from chalicelib.cloud.functions import Functions
    from chalicelib.cloud.logs import Logs
    from chalicelib.cloud.metrics import Metrics
    from chalicelib.cloud.response_url import ResponseUrl
    from chalicelib.cloud.rules import Rules
    from chalicelib.engine.announcements import Announcements
    from chalicelib.engine.audit import Audit
    from chalicelib.engine.deletion import Deletion
    from chalicelib.engine.due_runs import DueRuns
    from chalicelib.engine.job_resources import JobResources
    from chalicelib.engine.launcher import Launcher
    from chalicelib.engine.lifecycle import Lifecycle
    from chalicelib.engine.scheduler import Scheduler
    from chalicelib.engine.shard_sweep import ShardSweep
    from chalicelib.engine.sweep import Sweep
    from chalicelib.engine.usage_audit import UsageAudit
    from chalicelib.tables.database import Database
    from chalicelib.tables.due_runs import DueRunsTable
    from chalicelib.tables.jobs import JobsTable
    from chalicelib.tables.leases import LeasesTable
    from chalicelib.tables.month_costs import MonthCosts
    from chalicelib.tables.project_runs import ProjectRuns
    from chalicelib.tables.runs import RunsTable
    from chalicelib.tables.tokens import TokensTable
    from chalicelib.tables.trail import TrailTable
    from chalicelib.tables.usage import UsageTable
    from chalicelib.usecases.access import Tokens
    from chalicelib.usecases.activity import Activities
    from chalicelib.usecases.costs import Costs
    from chalicelib.usecases.jobs import Jobs
    from chalicelib.usecases.logs import JobLogs
    from chalicelib.usecases.metrics import JobMetrics
    from chalicelib.usecases.project_runs import RunsOfProjects
    from chalicelib.usecases.quotas import Quotas
    from chalicelib.usecases.runs import Runs
    from chalicelib.usecases.schedules import Schedules
    from chalicelib.usecases.stack_jobs import StackJobs
    from chalicelib.usecases.trail import Trail


class System:
    """One Jobyard."""

    clients: Clients
    database: Database
    jobs_table: JobsTable
    runs_table: RunsTable
    due_runs_table: DueRunsTable
    project_runs: ProjectRuns
    month_costs: MonthCosts
    tokens_table: TokensTable
    leases_table: LeasesTable
    trail_table: TrailTable
    usage_table: UsageTable
    ecs: Ecs
    functions: Functions
    rules: Rules
    bus: Bus
    cloudwatch_logs: Logs
    cloudwatch_metrics: Metrics
    response_url: ResponseUrl
    announcements: Announcements
    lifecycle: Lifecycle
    scheduler: Scheduler
    job_resources: JobResources
    deletion: Deletion
    due_runs: DueRuns
    launcher: Launcher
    shard_sweep: ShardSweep
    sweep: Sweep
    usage_audit: UsageAudit
    audit: Audit
    quotas: Quotas
    tokens: Tokens
    runs: Runs
    runs_of_projects: RunsOfProjects
    jobs: Jobs
    activities: Activities
    costs: Costs
    schedules: Schedules
    trail: Trail
    stack_jobs: StackJobs
    logs: JobLogs
    metrics: JobMetrics

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.region = settings.region
        self.table_names = settings.table_names

    @classmethod
    def of_environment(cls) -> System:
        """As the deployment describes it; KeyError names a variable that is missing."""
        return cls(read_settings(os.environ), Clock())

    def __getattr__(self, name: str) -> Any:
        """A part that is not built yet."""
        try:
            module, _, made = _PARTS[name].partition(":")
        except KeyError:
            raise AttributeError(name) from None
        part = getattr(import_module(f"chalicelib.{module}"), made)
        if isinstance(part, type):
            needed = (f.name for f in fields(part) if f.init and f.default is MISSING)
            part = part(**{field: getattr(self, field) for field in needed})
        # of two threads that build a part at once the first one's stays
        return vars(self).setdefault(name, part)

    @property
    def find_runs(self) -> Callable[[str, set[str]], dict[str, tuple[str, int]]]:
        return self.runs_table.of_tasks


_PARTS = {
    "clients": "cloud.aws:Clients",
    "database": "tables.database:Database",
    "jobs_table": "tables.jobs:JobsTable",
    "runs_table": "tables.runs:RunsTable",
    "due_runs_table": "tables.due_runs:DueRunsTable",
    "month_costs": "tables.month_costs:MonthCosts",
    "project_runs": "tables.project_runs:ProjectRuns",
    "tokens_table": "tables.tokens:TokensTable",
    "leases_table": "tables.leases:LeasesTable",
    "trail_table": "tables.trail:TrailTable",
    "usage_table": "tables.usage:UsageTable",
    "ecs": "cloud.ecs:Ecs",
    "functions": "cloud.functions:Functions",
    "rules": "cloud.rules:Rules",
    "bus": "cloud.bus:Bus",
    "cloudwatch_logs": "cloud.logs:Logs",
    "cloudwatch_metrics": "cloud.metrics:Metrics",
    "response_url": "cloud.response_url:ResponseUrl",
    "event_of": "http.views:run_event",
    "announcements": "engine.announcements:Announcements",
    "lifecycle": "engine.lifecycle:Lifecycle",
    "scheduler": "engine.scheduler:Scheduler",
    "job_resources": "engine.job_resources:JobResources",
    "deletion": "engine.deletion:Deletion",
    "due_runs": "engine.due_runs:DueRuns",
    "launcher": "engine.launcher:Launcher",
    "shard_sweep": "engine.shard_sweep:ShardSweep",
    "sweep": "engine.sweep:Sweep",
    "usage_audit": "engine.usage_audit:UsageAudit",
    "audit": "engine.audit:Audit",
    "quotas": "usecases.quotas:Quotas",
    "tokens": "usecases.access:Tokens",
    "runs": "usecases.runs:Runs",
    "runs_of_projects": "usecases.project_runs:RunsOfProjects",
    "jobs": "usecases.jobs:Jobs",
    "activities": "usecases.activity:Activities",
    "costs": "usecases.costs:Costs",
    "schedules": "usecases.schedules:Schedules",
    "trail": "usecases.trail:Trail",
    "stack_jobs": "usecases.stack_jobs:StackJobs",
    "logs": "usecases.logs:JobLogs",
    "metrics": "usecases.metrics:JobMetrics",
}
