"""What a caller can ask of jobs: create, get, list, update, delete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.domain import ids, jitter
from chalicelib.domain.actor import Actor
from chalicelib.domain.change import Change
from chalicelib.domain.errors import Conflict
from chalicelib.domain.preconditions import ANY, IfMatch
from chalicelib.engine import contention
from chalicelib.engine.deletion import Deletion
from chalicelib.engine.job_resources import JobResources
from chalicelib.engine.scheduler import Scheduler, first_slot, work_at
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import ACTIVE, SWEEP, Job, JobKey
from chalicelib.usecases.idempotency import Once, key_reused
from chalicelib.usecases.paging import Fits, Page, take
from chalicelib.usecases.quotas import Quotas
from chalicelib.usecases.runs import active

if TYPE_CHECKING:
    from chalicelib.domain.job_spec import JobPatch, JobSpec

INLINE_DELETE = 4.0
"""Seconds that a DELETE spends on clearing up before it leaves the rest to the sweep."""


@dataclass(slots=True)
class Jobs:
    """The jobs of every project, as a caller may see and change them."""

    jobs_table: JobsTable
    job_resources: JobResources
    scheduler: Scheduler
    deletion: Deletion
    quotas: Quotas
    clock: Clock

    def get(self, project: str, job_id: str) -> Job:
        """An active job of this project."""
        return active(self.jobs_table.get(project, job_id), job_id)

    def list_page(
        self,
        project: str,
        *,
        limit: int | None,
        before: str | None,
        name: str | None,
        tags: list[str],
        fits: Fits[Job],
    ) -> Page[Job]:
        """Jobs newest first, and the job id to go on before; all of `tags` must be a job's."""
        found: Iterable[Job]
        if name is not None:
            found = [j for j in self._named(project, name) if before is None or j.job_id < before]
        else:
            wanted = None if tags or limit is None else limit + 1
            found = self.jobs_table.newest(project, before=before, limit=wanted)
        matching = (job for job in found if set(tags) <= set(job.spec["tags"]))
        page, more = take(matching, limit, fits, self.clock)
        return Page(page, page[-1].job_id if more else None)

    def _named(self, project: str, name: str) -> list[Job]:
        owner = self.jobs_table.name_owner(project, name)
        job = self.jobs_table.get(project, owner.job_id) if owner else None
        return [job] if job is not None and job.is_active else []

    def create(self, project: str, spec: JobSpec, once: Once | None, by: Actor) -> tuple[Job, bool]:
        """
        Create a job: the job, and whether this call made it.

        1. Look whether the name is free, and what the Idempotency-Key made before.
        2. Make its resources in AWS: task definition, log group, rules. Where the bus has no room
           for its rules, the job has none, and the sweep wakes it.
        3. Store it, with its name and key, in one transaction.

        Dying before 3 leaves resources in AWS whose names carry the id of a job that does not
        exist: the audit removes them. A rule that fires meanwhile finds no job.
        """
        now = self.clock.now()
        if once is not None:
            owner, key = self.jobs_table.name_owner_and_key(project, spec.name, once.key_id)
            if (made := once.made_by(key, now)) is not None:
                return self._replayed(project, made), False
        else:
            owner = self.jobs_table.name_owner(project, spec.name)
        if owner is not None:
            return self._replayed_or_taken(project, spec, once, now), False
        self.quotas.check_jobs(project)

        job_id = ids.new_job(now)
        stored = spec.model_dump(mode="json")
        definition = self.job_resources.register(job_id, stored)
        self.job_resources.make_log_group(job_id)
        rules = self.job_resources.wanted_rules(job_id, project, stored)
        try:
            wake = self.job_resources.put_new_rules(job_id, project, stored, rules)
            job = _new_job(project, job_id, stored, definition, self.clock.now(), wake)
            record = once.record(JobKey, project, job_id, now) if once else None
            given = spec.model_dump(exclude_defaults=True)
            change = Change(by, "create_job", job_id, job.name, job.created_at, job_id, given)
            failed = self.jobs_table.create(job, record, now, change)
        except Conflict:
            self.job_resources.take_back(job_id, definition, rules)
            raise
        if not failed:
            log.info("job created", job_id=job_id, project=project)
            return job, True
        self.job_resources.take_back(job_id, definition, rules)
        if failed == {"quota"}:
            raise self.quotas.jobs_used_up(project)
        return self._replayed_or_taken(project, spec, once, now), False

    def _replayed_or_taken(
        self, project: str, spec: JobSpec, once: Once | None, now: datetime
    ) -> Job:
        """
        What the Idempotency-Key made; without one, the name is taken.

        The key is read once more, because BatchGetItem does not read the name and the key at one
        moment: a request with the same key may have stored both in between.
        """
        key = None if once is None else self.jobs_table.key(project, once.key_id)
        made = None if once is None else once.made_by(key, now)
        if made is None:
            raise _name_taken(spec.name)
        return self._replayed(project, made)

    def _replayed(self, project: str, job_id: str) -> Job:
        job = self.jobs_table.get(project, job_id)
        if job is None or not job.is_active:
            raise key_reused("the job that it made was deleted")
        return job

    def update(
        self, project: str, job_id: str, patch: JobPatch, by: Actor, if_match: IfMatch = ANY
    ) -> Job:
        """
        Change a job; it takes effect on the next run.

        `if_match` is checked on the version that is read, and 3 stores only over that version.

        1. Where the schedule or the jitter changes, advance the job as it was first: a slot that is
           due already keeps its run. The new schedule begins with the first slot after now. Jitter
           alone changes when the next slot starts, also one that has come and waits for it.
        2. Register the container if it changed, and put the rules that changed, or all of a job
           that has none. Where the bus has no room for them, the sweep wakes the job from here on.
        3. Store the new version, on condition that the job is still the one that was read; else
           all is done again, after a pause, on what it is now.
        4. Remove the rules that are not needed any more.

        Dying after 2 leaves rules that fire at minutes at which nothing is due, which does nothing;
        the sweep advances what is due, and the audit corrects the rules. Dying after 3 leaves a job
        that both the sweep and a rule wake, until the audit.
        """
        from chalicelib.domain.job_spec import apply_patch, stored_spec

        asked: tuple[int, dict[str, Any], datetime] | None = None
        for _ in contention.tries(self.clock):
            job = self.get(project, job_id)
            if asked == (job.version, job.spec, job.updated_at):
                return job  # botocore repeated a write whose answer was lost
            if_match.check(int(job.version))
            current = stored_spec(job.spec)
            old = current.model_dump(mode="json")
            spec = apply_patch(current, patch).model_dump(mode="json")
            if spec == old:
                return job
            # one moment for both: a slot that comes due in between would belong to neither schedule
            now = self.clock.now()
            is_due = job.next_due_at is not None and job.next_due_at <= now
            if is_due and _start_times(job_id, spec) != _start_times(job_id, old):
                self.scheduler.advance(job, now)
                continue
            if self._stored(job, old, spec, now, by):
                return job
            asked = (int(job.version) + 1, spec, now)
        raise contention.gave_up()

    def _stored(
        self, job: Job, old: dict[str, Any], spec: dict[str, Any], now: datetime, by: Actor
    ) -> bool:
        from chalicelib.domain.job_spec import CONTAINER_FIELDS

        changes: dict[str, Any] = {"spec": spec, "updated_at": now}
        if any(spec[name] != old[name] for name in CONTAINER_FIELDS):
            changes["task_definition"] = self.job_resources.register(job.job_id, spec)
        before = self.job_resources.rules_of(job)
        after = self.job_resources.wanted_rules(job.job_id, job.pk, spec)
        try:
            new = [rule for rule in after if rule not in before]
            made = self.job_resources.put_rules(job.job_id, job.pk, new)
            is_swept = spec["schedule"] is not None and (not after or made < len(new))
            changes |= _woken(job, spec, SWEEP if is_swept else None, now)
            changed = [name for name in spec if spec[name] != old[name]]
            change = Change(by, "update_job", job.job_id, spec["name"], now, job.job_id, changed)
            failed = self.jobs_table.update(job, changes, change)
        except Conflict:
            self.job_resources.put_back(job, before, after, changes.get("task_definition"))
            raise
        if failed == {"name"}:
            self.job_resources.put_back(job, before, after, changes.get("task_definition"))
            raise _name_taken(spec["name"])
        if failed:
            return False
        needed = [] if is_swept else [rule["Name"] for rule in after]
        there = {rule["Name"]: rule for rule in [*before, *new[:made]]}
        self.job_resources.remove_rules([there[name] for name in there if name not in needed])
        log.info("job updated", job_id=job.job_id, version=int(job.version), wake=job.woken_by)
        return True

    def delete(self, project: str, job_id: str, by: Actor, if_match: IfMatch = ANY) -> None:
        """
        Delete a job: gone for every reader at once, then cleared up within bounded turns.

        One transaction makes it invisible and frees its name, on condition that it is still the
        version that was read and that `if_match` allowed. What follows may die anywhere: the job
        keeps its `work_at`, and the sweep goes on.
        """
        for _ in contention.tries(self.clock):
            job = self.get(project, job_id)
            if_match.check(int(job.version))
            now = self.clock.now()
            change = Change(by, "delete_job", job_id, job.name, now, job_id)
            if self.jobs_table.mark_deleting(job, now, change):
                log.info("job deleted", job_id=job_id)
                left = log.and_continue("delete left to the sweep", job_id=job_id)
                with left, self.clock.deadline(INLINE_DELETE):
                    self.deletion.turn(job)
                return
        raise contention.gave_up()


def _woken(job: Job, spec: dict[str, Any], wake: str | None, now: datetime) -> dict[str, Any]:
    """What of a job changes with its schedule, and with what wakes it."""
    changes: dict[str, Any] = {}
    next_slot = job.next_slot
    if _schedule(spec) != _schedule(job.spec):
        next_slot = first_slot(spec, now)
        changes |= {"next_slot": next_slot, "schedule_version": job.schedule_version + 1}
    delay = jitter.delay(job.job_id, spec)
    if changes or wake != job.wake or delay != job.delay:
        changes |= {"wake": wake, "work_at": work_at(next_slot, wake, delay)}
    return changes


def _new_job(
    project: str,
    job_id: str,
    spec: dict[str, Any],
    definition: str,
    now: datetime,
    wake: str | None,
) -> Job:
    next_slot = first_slot(spec, now)
    return Job(
        project,
        job_id,
        spec=spec,
        version=1,
        task_definition=definition,
        state=ACTIVE,
        schedule_version=1,
        next_slot=next_slot,
        wake=wake,
        work_at=work_at(next_slot, wake, jitter.delay(job_id, spec)),
        gate=0,
        created_at=now,
        updated_at=now,
    )


def _name_taken(name: str) -> Conflict:
    return Conflict(
        f"Another job of this project is named {name!r}. Names are unique: choose another.",
        code="job_name_taken",
    )


def _schedule(spec: dict[str, Any]) -> tuple[Any, ...]:
    """What decides which slots a job has."""
    return spec["schedule"], spec["timezone"], spec["paused"]


def _start_times(job_id: str, spec: dict[str, Any]) -> tuple[Any, ...]:
    """What decides when a job is due."""
    return *_schedule(spec), jitter.delay(job_id, spec)
