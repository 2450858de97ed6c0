"""Every read and every conditional write of the runs table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pynamodb.expressions.condition import Condition

from chalicelib.settings import settings
from chalicelib.states import CANCELLED, FAILED, SUCCEEDED
from chalicelib.tables import db
from chalicelib.tables.records import Job, Run, RunKey, Stats, TaskOwner, shard

SKIPPED = "skipped"
SLACK = timedelta(days=2)
"""More than an attempt can wait for capacity, for its start and for its retry."""
_FIRST, _LAST = "run_", "run_~"


def get(job_id: str, run_id: str) -> Run | None:
    return db.get(Run, job_id, run_id)


def get_with_job(project: str, job_id: str, run_id: str) -> tuple[Job | None, Run | None]:
    """A run and the job it must belong to, in one call."""
    job, run = db.get_many([(Job, project, job_id), (Run, job_id, run_id)])
    return job, run


def get_many(keys: Sequence[tuple[str, str]]) -> list[Run]:
    """Those of at most 100 (job, run) that exist, in the order asked for."""
    found = db.get_many([(Run, job_id, run_id) for job_id, run_id in keys])
    return [run for run in found if run is not None]


def newest(
    job_id: str, *, before: str | None, limit: int | None, where: Condition | None
) -> Iterator[Run]:
    """The runs of a job, newest first, those older than the run id `before` if it is given."""
    end = db.just_below(before) if before else _LAST
    return db.query(Run, job_id, between=(_FIRST, end), newest_first=True, limit=limit, where=where)


def latest_claimed(job_id: str) -> Run | None:
    """The newest run that was to start; skipped and missed slots are not in the index."""
    answer = db.call(
        "Query",
        {
            "TableName": _table(),
            "IndexName": "claimed",
            "Select": "ALL_ATTRIBUTES",
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "Limit": 1,
            "KeyConditionExpression": "pk = :job",
            "ExpressionAttributeValues": {":job": {"S": job_id}},
        },
    )
    return next((Run.from_raw_data(item) for item in answer["Items"]), None)


def live(job_id: str) -> list[tuple[str, str]]:
    """(run id, status) of what is in flight, oldest first: consistent, costs what it answers."""
    return [(run.sk, run.status) for run in db.query(Run, job_id, index="live")]


def job_and_key(project: str, job_id: str, key_id: str) -> tuple[Job | None, RunKey | None]:
    """A job, and what an Idempotency-Key made under it, in one call."""
    job, key = db.get_many([(Job, project, job_id), (RunKey, job_id, key_id)])
    return job, key


def stats(job_id: str) -> Stats | None:
    return db.get(Stats, job_id, "stats")


def due(shard_number: int, now: datetime, limit: int) -> list[tuple[str, str]]:
    """(job, run) of the runs in one shard that the sweep should look at, the longest due first."""
    db.connect()
    return [
        (run.pk, run.sk)
        for run in Run.in_flight_index.query(
            str(shard_number), Run.look_at <= now, limit=limit, page_size=limit
        )
    ]


def page_of_keys(job_id: str, limit: int) -> list[Run]:
    """At most `limit` records under a job but its counts: pk, sk and `announce` alone."""
    answer = db.call(
        "Query",
        {
            "TableName": _table(),
            "ConsistentRead": True,
            "Limit": limit + 1,
            "ProjectionExpression": "pk, sk, announce",
            "KeyConditionExpression": "pk = :job",
            "ExpressionAttributeValues": {":job": {"S": job_id}},
        },
    )
    return [Run.from_raw_data(item) for item in answer["Items"] if item["sk"]["S"] != "stats"]


def delete_many(keys: Sequence[tuple[str, str]]) -> None:
    db.delete_many(_table(), keys)


def _table() -> str:
    db.connect()
    return str(Run.Meta.table_name)


def _unchanged(run: Run) -> Condition:
    condition: Condition = Run.pk.exists() & (Run.rev == run.rev)
    return condition


def change(run: Run, changes: dict[str, Any]) -> bool:
    """
    Change a run that nobody else has written since it was read; None removes an attribute.

    False: somebody has, and nothing was changed.
    """
    _keep_indexed(run, changes)
    changes = {**changes, "rev": run.rev + 1}
    actions = db.changes_to_actions(Run, changes)
    task_arn = _new_task(run, changes)
    if task_arn is None:
        return db.update(run, actions, _unchanged(run))
    transaction = db.Transaction()
    transaction.update("run", run, actions, _unchanged(run))
    _own_task(transaction, run, task_arn)
    return _committed(transaction, run, changes)


def finish(run: Run, changes: dict[str, Any], outcome: str) -> bool:
    """
    Make a run terminal and count it, in one transaction; `outcome` is its status, or `skipped`.

    False: somebody has written the run since it was read, and nothing was changed.
    """
    _keep_indexed(run, changes)
    changes = {**changes, "rev": run.rev + 1}
    transaction = db.Transaction()
    transaction.update("run", run, db.changes_to_actions(Run, changes), _unchanged(run))
    _count(transaction, run.pk, outcome, changes.get("finished_at"))
    task_arn = _new_task(run, changes)
    if task_arn is not None:
        _own_task(transaction, run, task_arn)
    return _committed(transaction, run, changes)


def _committed(transaction: db.Transaction, run: Run, changes: dict[str, Any]) -> bool:
    if transaction.commit():
        return False
    for name, value in changes.items():
        setattr(run, name, value)
    return True


def _new_task(run: Run, changes: dict[str, Any]) -> str | None:
    """ARN of the task that a change is the first to tell of, be it that of an attempt that ends."""
    ended: list[dict[str, Any]] = changes.get("past_attempts") or [{}]
    arn: str | None = changes.get("task_arn") or ended[-1].get("task_arn")
    return None if arn == run.task_arn else arn


def _own_task(transaction: db.Transaction, run: Run, task_arn: str) -> None:
    """
    Note whose a task is, in the transaction that tells the run: its log stream carries the
    task's id alone.
    """
    owner = TaskOwner(run.job_id, f"task#{_task_id(task_arn)}")
    owner.run_id, owner.attempt = run.run_id, run.attempt
    owner.expires = expiry(_latest_end(run), settings().run_retention_days)
    transaction.put("task", owner, TaskOwner.pk.does_not_exist() | (TaskOwner.run_id == run.run_id))


def _latest_end(run: Run) -> datetime:
    """When a run can have ended at the latest: what is to expire with it may not before."""
    attempts = run.max_attempts - run.attempt + 1
    return run.waiting_since + attempts * (timedelta(seconds=run.timeout_seconds) + SLACK)


def _task_id(task_arn: str) -> str:
    return task_arn.rpartition("/")[2]


def of_tasks(job_id: str, task_ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Run id and attempt of those of a job's tasks that are known, 100 a call."""
    wanted = sorted(task_ids)
    found: list[TaskOwner | None] = []
    for start in range(0, len(wanted), 100):
        batch = wanted[start : start + 100]
        found += db.get_many([(TaskOwner, job_id, f"task#{task_id}") for task_id in batch])
    owners = [owner for owner in found if owner is not None]
    return {owner.sk.removeprefix("task#"): (owner.run_id, owner.attempt) for owner in owners}


def _keep_indexed(run: Run, changes: dict[str, Any]) -> None:
    """`look_shard` is there as long as `look_at` is: both are keys of the sparse index."""
    if "look_at" in changes:
        changes["look_shard"] = None if changes["look_at"] is None else shard(run.run_id)


def _count(
    transaction: db.Transaction, job_id: str, outcome: str, at: datetime | None, count: int = 1
) -> None:
    record = Stats(job_id, "stats")
    actions = [getattr(Stats, outcome).add(count)]
    if outcome == SUCCEEDED:
        actions += [Stats.consecutive_failures.set(0), Stats.last_succeeded_at.set(at)]
    elif outcome == FAILED:
        actions.append(Stats.consecutive_failures.add(1))
    transaction.update("stats", record, actions, Stats.pk.exists())


def claim(
    run: Run,
    job: Job,
    *,
    gate: int | None,
    counts_as_overlap: bool,
    key: RunKey | None,
    now: datetime,
) -> frozenset[str]:
    """
    Make a run, on condition that its job is active and still the version that was read.

    `gate`: the number that must be the job's still, for a slot of a job that lets only one run
    be in flight. With `counts_as_overlap` it is raised, so that whoever decides at the same
    moment sees that something came between. The labels that failed: `job` (changed, gone, or the
    gate moved), `run` (there already), `key` (used already); none: stored.
    """
    transaction = db.Transaction()
    active = Job.pk.exists() & (Job.state == "active") & (Job.version == job.version)
    if gate is not None:
        active &= Job.gate == gate
    if counts_as_overlap:
        transaction.update("job", Job(job.pk, job.sk), [Job.gate.add(1)], active)
    else:
        transaction.check("job", Job, (job.pk, job.sk), active)
    if run.look_at is not None:
        run.look_shard = shard(run.run_id)
    transaction.put("run", run, Run.pk.does_not_exist())
    if key is not None:
        unused = RunKey.pk.does_not_exist() | (RunKey.expires <= int(now.timestamp()))
        transaction.put("key", key, unused)
    return transaction.commit()


def record_skip(run: Run, job: Job, *, count: int) -> bool:
    """
    Put a slot that does not start, and count it (`count`: with the older ones it stands for).

    False: the slot has its record already, or its job is not active any more.
    """
    transaction = db.Transaction()
    transaction.check("job", Job, (job.pk, job.sk), Job.pk.exists() & (Job.state == "active"))
    if run.look_at is not None:
        run.look_shard = shard(run.run_id)
    transaction.put("run", run, Run.pk.does_not_exist())
    _count(transaction, run.pk, SKIPPED, run.finished_at, count)
    return not transaction.commit()


def expiry(finished_at: datetime, retention_days: int | None) -> int | None:
    """When TTL may remove a finished run, in epoch seconds."""
    if retention_days is None:
        return None
    return int((finished_at + timedelta(days=retention_days)).timestamp())


OUTCOMES = (SUCCEEDED, FAILED, CANCELLED, SKIPPED)
