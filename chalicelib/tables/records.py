"""
The records of the jobs and runs tables, as PynamoDB models.

They describe attributes and nothing else: reads and writes go through `db`, so that each write
names the state it expects. Keys and indexes are defined by infra/stack.yaml; a test compares.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, TypeVar

from pynamodb.attributes import (
    Attribute,
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import (
    GlobalSecondaryIndex,
    IncludeProjection,
    KeysOnlyProjection,
    LocalSecondaryIndex,
)
from pynamodb.models import Model

from chalicelib.states import TERMINAL

T = TypeVar("T")

SHARDS = 16
"""Partitions of the two sparse indexes that the sweep reads: enough for 16,000 writes a second."""


def maybe(attribute: Attribute[T]) -> Attribute[T | None]:
    """An attribute that may be absent; PynamoDB's types do not know `null=True`."""
    return attribute  # type: ignore[return-value]  # the same object, typed as it behaves


def whole(**options: Any) -> Attribute[int]:
    """A whole number; PynamoDB's types know only float."""
    return NumberAttribute(**options)  # type: ignore[return-value]  # JSON gives an int back


def shard(record_id: str) -> str:
    """Which partition of a sparse index a record belongs to: `0` to `15`."""
    return str(hashlib.sha256(record_id.encode()).digest()[0] % SHARDS)


class WorkIndex(GlobalSecondaryIndex["Job"]):
    """Jobs that the sweep must look at: a slot is due, or a delete is unfinished."""

    class Meta:
        index_name = "work"
        projection = KeysOnlyProjection()

    work_shard = UnicodeAttribute(hash_key=True)
    work_at = UTCDateTimeAttribute(range_key=True)


class Job(Model):
    """`sk = job_…`: a job as it is configured now."""

    class Meta:
        table_name = ""  # set by db.connect() at first use

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    spec = JSONAttribute()
    version = whole()
    """Raised by every change of the spec; a claim is made on condition of the one it read."""
    task_definition = UnicodeAttribute()
    state = UnicodeAttribute()
    """`active`, or `deleting`: gone for every reader, and the sweep is clearing up."""
    schedule_version = whole()
    next_slot = maybe(UTCDateTimeAttribute(null=True))
    """The schedule's cursor: every slot before it has its run or its recorded miss."""
    gate = whole()
    """Raised by every claim under `forbid` and `replace`: two of them cannot both see none."""
    work_shard = maybe(UnicodeAttribute(null=True))
    work_at = maybe(UTCDateTimeAttribute(null=True))
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    work_index = WorkIndex()

    @property
    def job_id(self) -> str:
        return self.sk

    @property
    def workspace_id(self) -> str:
        return self.pk.split("#", 1)[0]

    @property
    def project_id(self) -> str:
        return self.pk.split("#", 1)[1]

    @property
    def name(self) -> str:
        return str(self.spec["name"])


class Name(Model):
    """`sk = name#…`: makes a job's name unique in its project."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    job_id = UnicodeAttribute()


class JobKey(Model):
    """`sk = key#…` in the jobs table: what an Idempotency-Key created."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    made = UnicodeAttribute()
    body_hash = UnicodeAttribute()
    expires = whole()


class RunKey(Model):
    """`sk = key#…` in the runs table, for triggers."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    made = UnicodeAttribute()
    body_hash = UnicodeAttribute()
    expires = whole()


class LiveIndex(LocalSecondaryIndex["Run"]):
    """What is in flight for one job; local, so that it can be read consistently."""

    class Meta:
        index_name = "live"
        projection = IncludeProjection(["status"])

    pk = UnicodeAttribute(hash_key=True)
    live = UnicodeAttribute(range_key=True)


class ClaimedIndex(LocalSecondaryIndex["Run"]):
    """The runs that were to start, without the slots that were skipped or missed."""

    class Meta:
        index_name = "claimed"
        projection = KeysOnlyProjection()

    pk = UnicodeAttribute(hash_key=True)
    claimed = UnicodeAttribute(range_key=True)


class InFlightIndex(GlobalSecondaryIndex["Run"]):
    """Runs that the sweep has something left to do for."""

    class Meta:
        index_name = "in_flight"
        projection = KeysOnlyProjection()

    look_shard = UnicodeAttribute(hash_key=True)
    look_at = UTCDateTimeAttribute(range_key=True)


class Run(Model):
    """`pk = job_…, sk = run_…`: everything a run needs, without reading its job again."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    rev = whole()
    """Raised by every write and the condition of every write: who read an older one lost."""
    project = UnicodeAttribute()
    job_version = whole()
    status = UnicodeAttribute()
    trigger = UnicodeAttribute()
    scheduled_for = maybe(UTCDateTimeAttribute(null=True))

    claimed = maybe(UnicodeAttribute(null=True))
    """Its own id, unless it is a slot that was skipped or missed; key of the index `claimed`."""
    live = maybe(UnicodeAttribute(null=True))
    """Its own id while its task may be running or has to be launched; key of the index `live`."""
    look_shard = maybe(UnicodeAttribute(null=True))
    look_at = maybe(UTCDateTimeAttribute(null=True))
    """When the sweep looks at it next; absent when nothing is left to do."""

    # what it starts with
    task_definition = UnicodeAttribute()
    image = UnicodeAttribute()
    command = maybe(JSONAttribute(null=True))
    env = maybe(JSONAttribute(null=True))
    """Overrides of this run alone; the job's own env stays in the task definition."""
    tags = maybe(JSONAttribute(null=True))
    overridden = maybe(BooleanAttribute(null=True))
    """Whether `command` overrides the task definition's."""
    cpu = NumberAttribute()
    memory_mib = whole()
    timeout_seconds = whole()
    max_attempts = whole()

    # where it is
    attempt = whole()
    launch = whole()
    """Part of the client token; raised only when it is proved that the last one runs no more."""
    waiting_since = UTCDateTimeAttribute()
    """Since when the current attempt could have run."""
    waits_for = maybe(JSONAttribute(null=True))
    """`replace`: ids of the runs that must have stopped before it is launched."""
    requested_at = maybe(UTCDateTimeAttribute(null=True))
    """First RunTask of the current launch; absent: none was asked for."""
    refusal = maybe(JSONAttribute(null=True))
    """Why the last launch was refused, while it waits to be tried again."""
    task_arn = maybe(UnicodeAttribute(null=True))
    event_version = maybe(whole(null=True))
    attempt_started_at = maybe(UTCDateTimeAttribute(null=True))
    past_attempts = maybe(JSONAttribute(null=True))
    retry_at = maybe(UTCDateTimeAttribute(null=True))
    spent_tasks = maybe(JSONAttribute(null=True))
    """ARNs of the attempt's tasks that did not start and were launched again."""
    stop_reason = maybe(UnicodeAttribute(null=True))
    """Why its task must stop; stored before StopTask, and decides the verdict."""
    stopping_since = maybe(UTCDateTimeAttribute(null=True))
    observed_at = maybe(UTCDateTimeAttribute(null=True))
    seen_at = maybe(UTCDateTimeAttribute(null=True))
    missing_at = maybe(UTCDateTimeAttribute(null=True))

    # how it went
    created_at = UTCDateTimeAttribute()
    started_at = maybe(UTCDateTimeAttribute(null=True))
    finished_at = maybe(UTCDateTimeAttribute(null=True))
    exit_code = maybe(whole(null=True))
    error = maybe(JSONAttribute(null=True))
    announce = maybe(BooleanAttribute(null=True))
    """Its terminal event has still to be put on the bus."""
    expires = maybe(whole(null=True))
    live_index = LiveIndex()
    claimed_index = ClaimedIndex()
    in_flight_index = InFlightIndex()

    @property
    def job_id(self) -> str:
        return self.pk

    @property
    def run_id(self) -> str:
        return self.sk

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    def is_expired(self, now: datetime) -> bool:
        """Whether TTL should have removed it: DynamoDB may take two days to."""
        return self.expires is not None and self.expires <= now.timestamp()


class TaskOwner(Model):
    """`sk = task#…`: whose an ECS task is; the way from a log stream's name to its run."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    run_id = UnicodeAttribute()
    attempt = whole()
    expires = maybe(whole(null=True))


class Stats(Model):
    """`sk = stats`: lifetime counts of finished runs; made with its job, removed before it."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    project = UnicodeAttribute()
    """Where the job is: the way from a job's id, as AWS's names carry it, to the job."""
    succeeded = whole(default=0)
    failed = whole(default=0)
    cancelled = whole(default=0)
    skipped = whole(default=0)
    consecutive_failures = whole(default=0)
    last_succeeded_at = maybe(UTCDateTimeAttribute(null=True))


class Place(Model):
    """`pk = audit, sk = <part>` in the jobs table: where a part of the audit goes on."""

    class Meta:
        table_name = ""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    token = maybe(UnicodeAttribute(null=True))
    done_at = maybe(UTCDateTimeAttribute(null=True))


JOBS_TABLE = (Job, Name, JobKey, Place)
RUNS_TABLE = (Run, RunKey, TaskOwner, Stats)
