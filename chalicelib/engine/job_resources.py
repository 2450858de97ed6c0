"""A job's resources in AWS besides its record: task definition, log group, rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import log
from chalicelib.cloud import task_definitions
from chalicelib.cloud.ecs import ContainerRefused, Ecs
from chalicelib.cloud.logs import Logs
from chalicelib.cloud.rules import Rules
from chalicelib.domain.errors import FieldError, InvalidFields
from chalicelib.settings import STAGE_TAG, Settings
from chalicelib.tables.records import SWEEP, Job

Rule = dict[str, Any]

_SIZEABLE: dict[str, Any] = {"env": {}, "secrets": {}, "command": None, "entrypoint": None}
"""The fields whose size the caller chooses, each with its smallest value."""
_A_LOT = task_definitions.MAX_BYTES // 10
"""
A field of at least this many bytes is named in the error. A definition that is too large has at
least one such field, since its other fields take less than a tenth of it.
"""


@dataclass(slots=True)
class JobResources:
    """Makes a job's resources before it is stored, and removes them if it is not stored."""

    ecs: Ecs
    rules: Rules
    cloudwatch_logs: Logs
    settings: Settings

    def register(self, job_id: str, spec: Mapping[str, Any]) -> str:
        """Register a job's container: the revision's ARN. 422 for what ECS does not take."""
        definition = task_definitions.render(job_id, spec, self.settings)
        size = task_definitions.size(definition)
        if size > task_definitions.MAX_BYTES:
            raise self._too_large(job_id, spec, size)
        try:
            return self.ecs.register(definition)
        except ContainerRefused as refusal:
            why = f"ECS refused the container: {refusal}"
            raise InvalidFields([FieldError("image", why)]) from refusal

    def _too_large(self, job_id: str, spec: Mapping[str, Any], size: int) -> InvalidFields:
        """The error that names every large field of the definition, the largest first."""
        takes: dict[str, int] = {}
        for name, least in _SIZEABLE.items():
            without = task_definitions.render(job_id, {**spec, name: least}, self.settings)
            takes[name] = size - task_definitions.size(without)
        largest = sorted((name for name in takes if takes[name] >= _A_LOT), key=lambda n: -takes[n])
        of_definition = f"of the {size} bytes of the job's task definition; at most "
        return InvalidFields(
            [
                FieldError(
                    name, f"takes {takes[name]} {of_definition}{task_definitions.MAX_BYTES} fit"
                )
                for name in largest
            ]
        )

    def make_log_group(self, job_id: str) -> None:
        tags = {STAGE_TAG: self.settings.stage, "jobyard:job": job_id}
        self.cloudwatch_logs.create_group(
            self.settings.log_group(job_id), self.settings.log_retention_days, tags
        )

    def rules_of(self, job: Job) -> list[Rule]:
        """The rules that a stored job has, unless somebody outside has changed them."""
        return [] if job.wake == SWEEP else self.rules.render(job.job_id, job.pk, job.spec)

    def wanted_rules(self, job_id: str, project: str, spec: Mapping[str, Any]) -> list[Rule]:
        """The rules that a job with this spec should have, as far as the bus has room."""
        return self.rules.render(job_id, project, spec) if self.settings.wake != SWEEP else []

    def put_rules(self, job_id: str, project: str, rules: list[Rule]) -> int:
        """Make rules, or make them as they should be: how many there was room for."""
        return self.rules.put(job_id, project, rules)

    def put_new_rules(
        self, job_id: str, project: str, spec: Mapping[str, Any], rules: list[Rule]
    ) -> str | None:
        """Make a new job's rules, all or none: what wakes it then, as `Job.wake` says it."""
        has_rules = bool(rules) and self.rules.put_all(job_id, project, rules)
        return SWEEP if spec["schedule"] is not None and not has_rules else None

    def remove_rules(self, rules: list[Rule]) -> None:
        self.rules.remove([rule["Name"] for rule in rules])

    def take_back(self, job_id: str, definition: str, rules: list[Rule]) -> None:
        """Remove what was made for a job that was not stored; the audit removes the rest."""
        with log.and_continue("left to the audit", job_id=job_id):
            self.remove_rules(rules)
            self.cloudwatch_logs.delete_group(self.settings.log_group(job_id))
            self.ecs.retire([definition])

    def put_back(
        self, job: Job, before: list[Rule], after: list[Rule], definition: str | None
    ) -> None:
        """
        Undo what was made for a change that was not stored; the audit corrects the rest.

        `definition`: the revision that was registered for it, if any.
        """
        with log.and_continue("left to the audit", job_id=job.job_id):
            self.put_rules(job.job_id, job.pk, [rule for rule in before if rule not in after])
            self.remove_rules(after[len(before) :])
            if definition is not None:
                self.ecs.retire([definition])
