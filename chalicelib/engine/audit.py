"""
The audit: what exists in AWS against what the tables say should. The sweep repairs what the tables
know about; the audit finds what they do not: a task whose launcher died, rules and definitions of a
job that was never stored, a rule that somebody removed by hand. Names contain the job's id, and the
id its age, so that what is just being made is left alone.

It works page by page and stores after each where to go on, so the next turn continues one that ran
out of time or died. Every repair may be made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.aws import StaleToken
from chalicelib.cloud.ecs import Ecs
from chalicelib.cloud.logs import Logs
from chalicelib.cloud.rules import Rules
from chalicelib.domain import ecs_task, ids
from chalicelib.domain.errors import Unavailable
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.engine.scheduler import work_at
from chalicelib.engine.usage_audit import UsageAudit
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import SWEEP, Job
from chalicelib.tables.runs import RunsTable

TURN = 240.0
"""Seconds; the function has five minutes."""
ENOUGH = 8.0
"""Seconds left under which no further page is begun."""
TASK_AGE = timedelta(minutes=5)
"""Younger tasks may not have been recorded yet."""
OWNER_AGE = timedelta(hours=1)
"""Younger jobs may not have been stored yet."""
HOURLY = timedelta(minutes=55)

Page = Callable[..., str | None]


@dataclass(slots=True)
class Audit:
    """One turn of the audit, page by page."""

    jobs_table: JobsTable
    runs_table: RunsTable
    lifecycle: Lifecycle
    ecs: Ecs
    rules: Rules
    cloudwatch_logs: Logs
    usage_audit: UsageAudit
    settings: Settings
    clock: Clock

    def turn(self, *, seconds: float = TURN) -> dict[str, int]:
        """
        One turn, every 10 minutes: tasks each time, the rest once an hour; pages done by part.
        """
        parts: list[tuple[str, Page, timedelta]] = [
            ("tasks", self._audit_tasks, timedelta(0)),
            ("rules", self._audit_rules, HOURLY),
            ("schedules", self._audit_schedules, HOURLY),
            ("definitions", self._audit_definitions, HOURLY),
            ("log-groups", self._audit_log_groups, HOURLY),
        ]
        if self.settings.has_quotas:
            parts.append(("uncounted-jobs", self.usage_audit.count_jobs, HOURLY))
            parts.append(("usage", self.usage_audit.check, HOURLY))
        done = {}
        with self.clock.deadline(seconds):
            for name, page, every in parts:
                with log.and_continue("audit interrupted", part=name):
                    done[name] = self._part(name, page, every)
        return done

    def _part(self, name: str, page: Page, every: timedelta) -> int:
        place = self.jobs_table.place(name)
        now = self.clock.now()
        if place.token is None and place.done_at is not None and place.done_at > now - every:
            return 0
        pages = 0
        token = place.token
        while self.clock.remaining() > ENOUGH:
            try:
                token = page(token)
            except StaleToken:
                token = None
                continue
            pages += 1
            self.jobs_table.keep_place(place, token, now if token is None else None)
            if token is None:
                break
        return pages

    def _audit_tasks(self, token: str | None) -> str | None:
        """
        Handle each task as its event would be: one that is not the current attempt of a live run is
        stopped, one whose launch got no answer is adopted.
        """
        arns, more = self.ecs.running(token)
        if not arns:
            return more
        old = []
        for task in self.ecs.describe(arns).tasks.values():
            is_old = task.created_at is None or self.clock.now() - task.created_at > TASK_AGE
            if ecs_task.owner(task.started_by) is not None and is_old:
                old.append(task)
        for task in old:
            with _one("task not audited", task=task.arn):
                self.lifecycle.apply_task(task)
        return more

    def _audit_rules(self, token: str | None) -> str | None:
        """Remove rules that no active job should have, and correct the others."""
        rules, token = self.rules.all(token, 50)
        jobs = self.jobs_table.of_ids([self.rules.job_of(rule["Name"]) for rule in rules])
        for rule in rules:
            job_id = self.rules.job_of(rule["Name"])
            with _one("rule not audited", rule=rule["Name"]):
                self._audit_rule(rule, job_id, jobs[job_id])
        return token

    def _audit_rule(self, rule: dict[str, Any], job_id: str, job: Job | None) -> None:
        name = rule["Name"]
        if job is None:
            if _age(job_id, self.clock.now()) > OWNER_AGE:
                log.warning("rule without a job removed", rule=name)
                self.rules.remove([name])
            return
        wanted = {r["Name"]: r for r in self._wanted(job)}
        if name not in wanted:
            if not self._left_to_the_sweep(job):
                return  # it has changed meanwhile: the next audit looks again
            log.warning("rule removed", rule=name)
            self.rules.remove([name])
        elif not self._as_wanted(rule, wanted[name], job):
            log.warning("rule put right", rule=name)
            self.rules.put(job.job_id, job.pk, [wanted[name]])

    def _wanted(self, job: Job) -> list[dict[str, Any]]:
        if not job.is_active or job.wake == SWEEP or self.settings.wake == SWEEP:
            return []
        return self.rules.render(job.job_id, job.pk, job.spec)

    def _left_to_the_sweep(self, job: Job) -> bool:
        """
        Before its rules go, have the sweep wake a job whose schedule they woke until now.

        False: somebody changed the job meanwhile.
        """
        if job.next_slot is None or job.wake == SWEEP or not job.is_active:
            return True
        return self.jobs_table.change_wake(job, SWEEP, work_at(job.next_slot, SWEEP, job.delay))

    def _as_wanted(self, rule: dict[str, Any], wanted: dict[str, Any], job: Job) -> bool:
        if any(rule.get(name) != value for name, value in wanted.items()):
            return False
        return self.rules.targets(rule["Name"]) == [self.rules.target(job.job_id, job.pk)]

    def _audit_schedules(self, token: str | None) -> str | None:
        """
        Schedules that lack a rule get it, or are left to the sweep where the bus has no room; a
        page is a shard of the jobs with a slot to come.

        A job that was paused or changed meanwhile is rendered as it is when it is read.
        """
        number = int(token or 0)
        keys = self.jobs_table.all_in_shard(number)
        has_room = True
        for job in self.jobs_table.get_many(keys):
            if job.wake == SWEEP and not has_room:
                continue  # hundreds would be refused one by one
            with _one("schedule not audited", job_id=job.job_id):
                has_room = self._audit_schedule(job)
        return str(number + 1) if number + 1 < self.settings.shards else None

    def _audit_schedule(self, job: Job) -> bool:
        """False: the bus has no room for its rules."""
        if self.settings.wake == SWEEP or not job.is_active:
            self._left_to_the_sweep(job)
            return True
        if job.wake == SWEEP:
            return self._given_rules(job)
        wanted = self._wanted(job)
        there = {rule["Name"] for rule in self.rules.of_job(job.job_id)} if wanted else set()
        lacking = [rule for rule in wanted if rule["Name"] not in there]
        if not lacking:
            return True
        log.warning("rules put back", job_id=job.job_id, rules=len(lacking))
        if self.rules.put(job.job_id, job.pk, lacking) == len(lacking):
            return True
        if self._left_to_the_sweep(job):
            self.rules.remove([rule["Name"] for rule in wanted])
        return False

    def _given_rules(self, job: Job) -> bool:
        """
        Make the rules of a job that the sweep wakes: first the rules, then the note that they do.

        In between both wake it. False: the bus has no room for all of them, and it has none.
        """
        wanted = self.rules.render(job.job_id, job.pk, job.spec)
        if not self.rules.put_all(job.job_id, job.pk, wanted):
            return False
        if not self.jobs_table.change_wake(job, None, work_at(job.next_slot, None, job.delay)):
            self.rules.remove([rule["Name"] for rule in wanted])
        return True

    def _audit_definitions(self, token: str | None) -> str | None:
        """Revisions that are neither current nor used by a live run are retired."""
        arns, token = self.ecs.definitions(token)
        jobs = self.jobs_table.of_ids([self.ecs.job_of(arn) for arn in arns])
        for arn in arns:
            with _one("task definition not audited", task_definition=arn):
                if self._is_unused(arn, jobs[self.ecs.job_of(arn)]):
                    log.info("task definition retired", task_definition=arn)
                    self.ecs.retire([arn])
        return token

    def _is_unused(self, arn: str, job: Job | None) -> bool:
        if job is None:
            return _age(self.ecs.job_of(arn), self.clock.now()) > OWNER_AGE
        if not job.is_active or arn == job.task_definition:
            return False  # a delete retires its own
        if _revision(arn) > _revision(job.task_definition):
            # it may belong to an update that is just being stored
            registered = self.ecs.registered_at(arn)
            if registered is None or self.clock.now() - registered < OWNER_AGE:
                return False
        return all(run.task_definition != arn for run in self.runs_table.live_runs(job))

    def _audit_log_groups(self, token: str | None) -> str | None:
        """Log groups without a job are removed."""
        prefix = self.settings.log_group("job_")
        names, token = self.cloudwatch_logs.list_groups(prefix, token)
        job_ids = [name.rpartition("/")[2] for name in names]
        for name, job_id in self._without_job(names, job_ids):
            if _age(job_id, self.clock.now()) > OWNER_AGE:
                with _one("log group not removed", group=name):
                    log.warning("log group without a job removed", group=name)
                    self.cloudwatch_logs.delete_group(name)
        return token

    def _without_job(self, names: Sequence[str], job_ids: Sequence[str]) -> list[tuple[str, str]]:
        jobs = self.jobs_table.of_ids(job_ids)
        pairs = zip(names, job_ids, strict=True)
        return [(name, job_id) for name, job_id in pairs if jobs[job_id] is None]


def _age(job_id: str, now: datetime) -> timedelta:
    """How long ago a job's id was made; timedelta.max for what is not a job's id."""
    made_at = ids.made_at(job_id)
    return timedelta.max if made_at is None else now - made_at


@contextmanager
def _one(message: str, **ids: str) -> Iterator[None]:
    """
    Log the failure of one item and go on with the others. If AWS throttles or is down, the part
    ends here, and the next turn goes on with the same page.
    """
    try:
        yield
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - one item that cannot be handled must not stop all others
        log.exception(message, **ids)


def _revision(arn: str) -> int:
    return int(arn.rpartition(":")[2])
