"""Every read and every conditional write of the jobs table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition

from chalicelib.domain.change import Change
from chalicelib.settings import Settings
from chalicelib.tables.database import Database
from chalicelib.tables.expressions import actions_of, just_below
from chalicelib.tables.recent_runs import none_yet
from chalicelib.tables.records import ACTIVE, DELETING, Job, JobKey, Name, Place
from chalicelib.tables.run_records import Stats
from chalicelib.tables.shards import shard
from chalicelib.tables.trail import entry_in_project
from chalicelib.tables.transaction import Transaction
from chalicelib.tables.usage import count_job, count_new_job

_FIRST, _LAST = "job_", "job_~"


def name_key(name: str) -> str:
    """Sort key of a name's record: hashed, so that no name can look like another kind of key."""
    return f"name#{hashlib.sha256(name.encode()).hexdigest()}"


@dataclass(slots=True)
class JobsTable:
    """Jobs, their names and Idempotency-Keys, and the audit's position."""

    database: Database
    settings: Settings

    def get(self, project: str, job_id: str) -> Job | None:
        """A job, also one that is being deleted."""
        return self.database.get(Job, project, job_id)

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[Job]:
        """Those of (project, job) that exist."""
        found = self.database.get_many([(Job, project, job_id) for project, job_id in keys])
        return [job for job in found if job is not None]

    def get_with_stats(self, project: str, job_id: str) -> tuple[Job | None, Stats | None]:
        """A job and its counts, in one call."""
        job, stats = self.database.get_many([(Job, project, job_id), (Stats, job_id, "stats")])
        return job, stats

    def name_owner(self, project: str, name: str) -> Name | None:
        """The record that says which job has the name."""
        return self.database.get(Name, project, name_key(name))

    def name_owner_and_key(
        self, project: str, name: str, key_id: str
    ) -> tuple[Name | None, JobKey | None]:
        """Which job has the name, and what an Idempotency-Key created, in one call."""
        found, key = self.database.get_many(
            [(Name, project, name_key(name)), (JobKey, project, key_id)]
        )
        return found, key

    def key(self, project: str, key_id: str) -> JobKey | None:
        """What an Idempotency-Key created; `key_id` is the sort key of its record."""
        return self.database.get(JobKey, project, key_id)

    def use_key(self, key: JobKey, now: datetime) -> bool:
        """Store what a request with an Idempotency-Key came to; False: its record is there."""
        return self.database.put(key, _unused(now))

    def newest(self, project: str, *, before: str | None, limit: int | None) -> Iterator[Job]:
        """The active jobs of a project, newest first, those older than the id `before` if given."""
        between = Job.sk.between(_FIRST, just_below(before) if before else _LAST)
        found = self.database.query(Job, project, sort=between, newest_first=True, limit=limit)
        return (job for job in found if job.is_active)

    def create(self, job: Job, key: JobKey | None, now: datetime, change: Change) -> frozenset[str]:
        """
        Store a new job with its name, its counts and its entry in the audit trail; the labels that
        failed: `name`, `key`, `quota` (the workspace's is used up).
        """
        job.work_shard = self._shard_of(job, job.work_at)
        transaction = Transaction(self.database)
        count_new_job(transaction, job, self.settings)
        transaction.put("job", job, Job.pk.does_not_exist())
        name = Name(job.pk, name_key(job.name), job_id=job.job_id)
        transaction.put("name", name, Name.pk.does_not_exist())
        stats = Stats(job.job_id, "stats", project=job.pk, recent=none_yet())
        transaction.put("stats", stats, Stats.pk.does_not_exist())
        if key is not None:
            transaction.put("key", key, _unused(now))
        transaction.put("entry", entry_in_project(job.pk, change), None)
        return transaction.commit()

    def update(self, job: Job, changes: dict[str, Any], change: Change) -> frozenset[str]:
        """
        Store a new version of a job that is still the one that was read, with its entry in the
        audit trail, and swap the record of its name where the name changed. The labels that failed:
        `job` (changed meanwhile, or gone), `name` (taken); none: stored, and `job` is up to date.
        """
        changes = {**changes, "version": job.version + 1}
        if "work_at" in changes:
            changes["work_shard"] = self._shard_of(job, changes["work_at"])
        unchanged = _as_read(job)
        if "work_at" in changes and job.next_slot is not None:
            unchanged &= Job.next_slot == job.next_slot
        actions = actions_of(Job, changes)
        new_name = changes.get("spec", job.spec)["name"]
        transaction = Transaction(self.database)
        transaction.update("job", job, actions, unchanged)
        transaction.put("entry", entry_in_project(job.pk, change), None)
        if new_name != job.name:
            old = Name(job.pk, name_key(job.name))
            transaction.delete("job", old, Name.job_id == job.job_id)
            taken = Name(job.pk, name_key(new_name), job_id=job.job_id)
            transaction.put("name", taken, Name.pk.does_not_exist())
        failed = transaction.commit()
        if not failed:
            job.apply(changes)
        return failed

    def move_cursor(self, job: Job, next_slot: datetime | None, work_at: datetime | None) -> bool:
        """Advance the schedule's cursor, on condition that it is unchanged: see `scheduler`."""
        return self._schedule(job, {"next_slot": next_slot}, work_at)

    def change_wake(self, job: Job, wake: str | None, work_at: datetime | None) -> bool:
        """
        Note that an active schedule is woken otherwise now: by the sweep (SWEEP), or by its rules
        (None). `work_at` is when the sweep then looks at it.

        False: somebody changed the job or its cursor meanwhile, and nothing was stored.
        """
        return self._schedule(job, {"wake": wake}, work_at)

    def _schedule(self, job: Job, changes: dict[str, Any], work_at: datetime | None) -> bool:
        """Change how a schedule goes on, and so when the sweep looks; False: it has changed."""
        here = _as_read(job) & (Job.next_slot == job.next_slot)
        changes = {**changes, "work_at": work_at, "work_shard": self._shard_of(job, work_at)}
        return self.database.update(job, actions_of(Job, changes), here)

    def mark_deleting(self, job: Job, now: datetime, change: Change) -> bool:
        """
        Make a job invisible and free its name, with an entry in the audit trail; the sweep does
        the rest. False: the job has another version than the one read (its name may have changed),
        was counted meanwhile, or is gone already.
        """
        transaction = Transaction(self.database)
        changes = {
            "state": DELETING,
            "version": job.version + 1,
            "next_slot": None,
            "work_at": now,
            "work_shard": self._shard_of(job, now),
            "updated_at": now,
            "counted": None,
        }
        unchanged = Job.pk.exists() & (Job.state == ACTIVE) & (Job.version == job.version)
        unchanged &= Job.counted.exists() if job.counted else Job.counted.does_not_exist()
        if job.counted:
            count_job(transaction, job, -1)
        transaction.update("job", job, actions_of(Job, changes), unchanged)
        name = Name(job.pk, name_key(job.name))
        transaction.delete("job", name, Name.job_id == job.job_id)
        transaction.put("entry", entry_in_project(job.pk, change), None)
        if transaction.commit():
            return False
        job.apply(changes)
        return True

    def put_off(self, job: Job, until: datetime) -> bool:
        """Set when the sweep looks again at a job that is being deleted."""
        here = Job.pk.exists() & (Job.state == DELETING)
        return self.database.update(job, [Job.work_at.set(until)], here)

    def remove(self, job: Job) -> None:
        """
        Remove what is left of a deleted job: its counts, then the job.

        In this order, so that the sweep finds the job again where only the first was removed.
        """
        self.database.delete_many(Stats, [(job.job_id, "stats")])
        self.database.delete_many(Job, [(job.pk, job.sk)])

    def due(self, shard_number: int, now: datetime, limit: int) -> list[tuple[str, str]]:
        """(project, job) in one shard that the sweep should look at, the longest due first."""
        page, _ = self.database.query_page(
            Job, str(shard_number), sort=Job.work_at <= now, index="work", limit=limit
        )
        return [(job.pk, job.sk) for job in page]

    def all_due(self, shard_number: int, now: datetime) -> Iterator[tuple[str, str]]:
        """(project, job) of all in one shard that the sweep should look at, longest due first."""
        found = self.database.query(Job, str(shard_number), sort=Job.work_at <= now, index="work")
        return ((job.pk, job.sk) for job in found)

    def all_in_shard(self, shard_number: int) -> list[tuple[str, str]]:
        """(project, job) of all in one shard that have a slot to come or are being deleted."""
        found = self.database.query(Job, str(shard_number), index="work")
        return [(job.pk, job.sk) for job in found]

    def of_ids(self, job_ids: Sequence[str]) -> dict[str, Job | None]:
        """
        The jobs with these ids, also those being deleted; None where there is none.

        Names in AWS contain a job's id and not its project. The record of a job's counts has the
        project and exists as long as the job.
        """
        wanted = list(dict.fromkeys(job_ids))
        counts = self.database.get_many([(Stats, job_id, "stats") for job_id in wanted])
        owned = [stats for stats in counts if stats is not None]
        by_id = {job.job_id: job for job in self.get_many([(s.project, s.pk) for s in owned])}
        return {job_id: by_id.get(job_id) for job_id in wanted}

    def place(self, part: str) -> Place:
        """The position at which a part of the audit goes on."""
        return self.database.get(Place, "audit", part) or Place("audit", part)

    def keep_place(self, place: Place, token: str | None, done_at: datetime | None) -> None:
        """
        Store the position at which a part of the audit goes on, and when the part was last
        complete. Unconditional: two audits at once only do some pages twice.
        """
        self.database.update(place, actions_of(Place, {"token": token, "done_at": done_at}))

    def _shard_of(self, job: Job, work_at: datetime | None) -> str | None:
        return shard(job.job_id, self.settings.shards, work_at)


def _as_read(job: Job) -> Condition:
    """The job is active, of the version that was read, and is woken as it was then."""
    is_so = Job.pk.exists() & (Job.state == ACTIVE) & (Job.version == job.version)
    is_so &= Job.wake.does_not_exist() if job.wake is None else Job.wake == job.wake
    condition: Condition = is_so
    return condition


def _unused(now: datetime) -> Condition:
    """An Idempotency-Key has no record, or one that DynamoDB's TTL has not removed yet."""
    condition: Condition = JobKey.pk.does_not_exist() | (JobKey.expires <= now)
    return condition
