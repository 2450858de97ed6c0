"""Every read and every conditional write of the jobs table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from chalicelib.tables import db
from chalicelib.tables.records import Job, JobKey, Name, Place, Stats, shard
from chalicelib.tables.transaction import Transaction

ACTIVE = "active"
DELETING = "deleting"
_FIRST, _LAST = "job_", "job_~"


def get(project: str, job_id: str) -> Job | None:
    """A job, also one that is being deleted."""
    return db.get(Job, project, job_id)


def get_with_stats(project: str, job_id: str) -> tuple[Job | None, Stats | None]:
    job, stats = db.get_many([(Job, project, job_id), (Stats, job_id, "stats")])
    return job, stats


def name_key(name: str) -> str:
    """Sort key of a name's guard: hashed, so that no name can look like another kind of key."""
    return f"name#{hashlib.sha256(name.encode()).hexdigest()}"


def named(project: str, name: str) -> Name | None:
    """Whose a name is."""
    return db.get(Name, project, name_key(name))


def name_and_key(project: str, name: str, key_id: str) -> tuple[Name | None, JobKey | None]:
    """Whose a name is, and what an Idempotency-Key made, in one call."""
    found, key = db.get_many([(Name, project, name_key(name)), (JobKey, project, key_id)])
    return found, key


def newest(project: str, *, before: str | None, limit: int | None) -> Iterator[Job]:
    """The active jobs of a project, newest first, those older than the id `before` if given."""
    end = db.just_below(before) if before else _LAST
    found = db.query(Job, project, between=(_FIRST, end), newest_first=True, limit=limit)
    return (job for job in found if job.state == ACTIVE)


def create(job: Job, key: JobKey | None, now: datetime) -> frozenset[str]:
    """Store a new job with its name and its counts; the labels that failed: `name`, `key`."""
    _keep_indexed(job)
    transaction = Transaction()
    transaction.put("job", job, Job.pk.does_not_exist())
    name = Name(job.pk, name_key(job.name), job_id=job.job_id)
    transaction.put("name", name, Name.pk.does_not_exist())
    stats = Stats(job.job_id, "stats", project=job.pk)
    transaction.put("stats", stats, Stats.pk.does_not_exist())
    if key is not None:
        unused = JobKey.pk.does_not_exist() | (JobKey.expires <= int(now.timestamp()))
        transaction.put("key", key, unused)
    return transaction.commit()


def _keep_indexed(job: Job) -> None:
    job.work_shard = None if job.work_at is None else shard(job.job_id)


def update(job: Job, changes: dict[str, Any]) -> frozenset[str]:
    """
    Store a new version of a job that is still the one that was read, swapping its name's guard
    where the name changed. The labels that failed: `job` (changed meanwhile, or gone), `name`
    (taken); none: stored, and `job` is up to date.
    """
    changes = {**changes, "version": job.version + 1}
    if "work_at" in changes:
        changes["work_shard"] = None if changes["work_at"] is None else shard(job.job_id)
    unchanged = Job.pk.exists() & (Job.state == ACTIVE) & (Job.version == job.version)
    if "next_slot" in changes and job.next_slot is not None:
        unchanged &= Job.next_slot == job.next_slot
    actions = db.changes_to_actions(Job, changes)
    new_name = changes.get("spec", job.spec)["name"]
    if new_name == job.name:
        return frozenset() if db.update(job, actions, unchanged) else frozenset({"job"})
    transaction = Transaction()
    transaction.update("job", job, actions, unchanged)
    old = Name(job.pk, name_key(job.name))
    transaction.delete("job", old, Name.job_id == job.job_id)
    taken = Name(job.pk, name_key(new_name), job_id=job.job_id)
    transaction.put("name", taken, Name.pk.does_not_exist())
    failed = transaction.commit()
    if not failed:
        for name, value in changes.items():
            setattr(job, name, value)
    return failed


def move_cursor(job: Job, next_slot: datetime | None, work_at: datetime | None) -> bool:
    """Advance the schedule's cursor, on condition that nobody else has: see `scheduler`."""
    here = Job.pk.exists() & (Job.state == ACTIVE) & (Job.version == job.version)
    here &= Job.next_slot == job.next_slot
    changes = {
        "next_slot": next_slot,
        "work_at": work_at,
        "work_shard": None if work_at is None else shard(job.job_id),
    }
    return db.update(job, db.changes_to_actions(Job, changes), here)


def mark_deleting(job: Job, now: datetime) -> bool:
    """
    Make a job invisible and free its name; the sweep does the rest.

    False: it is not the version that was read (its name may have changed), or is gone already.
    """
    transaction = Transaction()
    changes = {
        "state": DELETING,
        "version": job.version + 1,
        "next_slot": None,
        "work_at": now,
        "work_shard": shard(job.job_id),
        "updated_at": now,
    }
    unchanged = Job.pk.exists() & (Job.state == ACTIVE) & (Job.version == job.version)
    transaction.update("job", job, db.changes_to_actions(Job, changes), unchanged)
    name = Name(job.pk, name_key(job.name))
    transaction.delete("job", name, Name.job_id == job.job_id)
    if transaction.commit():
        return False
    for attribute, value in changes.items():
        setattr(job, attribute, value)
    return True


def put_off(job: Job, until: datetime) -> bool:
    """Have the sweep look at a job that is being deleted again at `until`."""
    here = Job.pk.exists() & (Job.state == DELETING)
    return db.update(job, [Job.work_at.set(until)], here)


def remove(job: Job) -> None:
    """Remove what is left of a deleted job: its counts, then the job, so that it is found again
    if only the first happened."""
    runs_table = str(Stats.Meta.table_name)
    db.delete_many(runs_table, [(job.job_id, "stats")])
    db.delete_many(str(Job.Meta.table_name), [(job.pk, job.sk)])


def key(project: str, key_id: str) -> JobKey | None:
    """What an Idempotency-Key made; `key_id` is the sort key of its record."""
    return db.get(JobKey, project, key_id)


def due(shard_number: int, now: datetime, limit: int) -> list[tuple[str, str]]:
    """(project, job) in one shard that the sweep should look at, the longest due first."""
    return db.keys_in(Job.work_index, str(shard_number), Job.work_at <= now, limit=limit)


def all_in_shard(shard_number: int) -> list[tuple[str, str]]:
    """(project, job) of all in one shard that have a slot to come or are being deleted."""
    return db.keys_in(Job.work_index, str(shard_number))


def get_many(keys: Sequence[tuple[str, str]]) -> list[Job]:
    """Those of at most 100 (project, job) that exist."""
    found = db.get_many([(Job, project, job_id) for project, job_id in keys])
    return [job for job in found if job is not None]


def place(part: str) -> Place:
    """Where a part of the audit goes on."""
    return db.get(Place, "audit", part) or Place("audit", part)


def keep_place(place: Place, token: str | None, done_at: datetime | None) -> None:
    """
    Note where a part of the audit goes on, and when it was done with all.

    Unconditional: two audits at once only do some pages twice.
    """
    changes = {"token": token, "done_at": done_at}
    db.update(place, db.changes_to_actions(Place, changes), None)
