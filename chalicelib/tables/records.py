"""
What is stored: the records of the jobs and tokens tables, as PynamoDB models.

A model here describes attributes and nothing else. Only `database` sends requests, so that each
write states its condition, and so that several systems in one process can use the models. Keys and
indexes are defined by infra/stack.yaml; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from pynamodb.attributes import (
    Attribute,
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import (
    GlobalSecondaryIndex,
    KeysOnlyProjection,
)
from pynamodb.models import Model

from chalicelib.domain import ids, jitter

T = TypeVar("T")
R = TypeVar("R", bound="Record")

ACTIVE = "active"
DELETING = "deleting"
RULE = "rule"
SWEEP = "sweep"


def maybe(attribute: Attribute[T]) -> Attribute[T | None]:
    """An attribute that may be absent; PynamoDB's types do not know `null=True`."""
    return attribute  # type: ignore[return-value]  # the same object, typed as it behaves


def whole(**options: Any) -> Attribute[int]:
    """A whole number; PynamoDB's types know only float."""
    return NumberAttribute(**options)  # type: ignore[return-value]  # JSON gives an int back


class Record(Model):
    """One item of the table `table`."""

    table: ClassVar[str]
    sums_are_named: ClassVar[str] = ""
    """What the names of the record's numbers begin with that are no attributes of the model, since
    new names come with time; "": it has none."""
    sums: Mapping[str, int] = MappingProxyType({})
    """These numbers by their names."""
    pk = UnicodeAttribute(hash_key=True)


class SortedRecord(Record):
    """One item of a table whose partitions are sorted by `sk`."""

    table = ""
    sk = UnicodeAttribute(range_key=True)

    def copy(self: R) -> R:
        """Another object with the same values."""
        return type(self)(**self.attribute_values)

    def apply(self, changes: dict[str, Any]) -> None:
        """Bring the object up to date with what a transaction stored: DynamoDB does not answer the
        new values."""
        for name, value in changes.items():
            setattr(self, name, value)


class WorkIndex(GlobalSecondaryIndex["Job"]):
    """Jobs that the sweep must look at: a slot is due, or a delete is unfinished."""

    class Meta:
        index_name = "work"
        projection = KeysOnlyProjection()

    work_shard = UnicodeAttribute(hash_key=True)
    work_at = UTCDateTimeAttribute(range_key=True)


class Job(SortedRecord):
    """`sk = job_…`: a job as it is configured now."""

    table = "jobs"
    spec = JSONAttribute()
    version = whole()
    """Raised by every change of the spec; a claim is made on condition of the one it read."""
    task_definition = UnicodeAttribute()
    state = UnicodeAttribute()
    """ACTIVE, or DELETING: no reader sees the job any more, and the sweep clears up."""
    counted = maybe(BooleanAttribute(null=True))
    """While it is active: its workspace's number of jobs counts it (`usage`)."""
    schedule_version = whole()
    next_slot = maybe(UTCDateTimeAttribute(null=True))
    """The schedule's cursor: every slot before it has its run or its recorded miss."""
    wake = maybe(UnicodeAttribute(null=True))
    """SWEEP: it has no rules, so the sweep claims its slots; absent: its rules do."""
    gate = whole()
    """Raised by every claim under `forbid` and `replace`, so that of two concurrent claims one
    fails."""
    latest_run = maybe(UnicodeAttribute(null=True))
    """The run that was claimed last; a slot that was skipped or missed claims none."""
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
        return ids.of_project(self.pk)[0]

    @property
    def project_id(self) -> str:
        return ids.of_project(self.pk)[1]

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def is_active(self) -> bool:
        return self.state == ACTIVE

    @property
    def delay(self) -> timedelta:
        """How much later than its slots it starts."""
        return jitter.delay(self.job_id, self.spec)

    @property
    def next_due_at(self) -> datetime | None:
        """When the slot at the cursor is to start."""
        return None if self.next_slot is None else self.next_slot + self.delay

    @property
    def woken_by(self) -> str | None:
        """RULE or SWEEP; None: the job has no schedule."""
        return None if self.spec["schedule"] is None else self.wake or RULE


class Name(SortedRecord):
    """`sk = name#…`: makes a job's name unique in its project."""

    table = "jobs"
    job_id = UnicodeAttribute()


class Key(SortedRecord):
    """`sk = key#…`: what an Idempotency-Key created, and the hash of the body it came with."""

    table = ""
    made = UnicodeAttribute()
    body_hash = UnicodeAttribute()
    expires = TTLAttribute()


class JobKey(Key):
    """Of a request that creates a job; `pk` is the project."""

    table = "jobs"


class AuditEntry(SortedRecord):
    """`pk = audit#<project>` or `audit#<workspace>#`, `sk = entry_…`: see `trail`."""

    table = "jobs"
    at = UTCDateTimeAttribute()
    token_id = maybe(UnicodeAttribute(null=True))
    """Absent: who acted has no token."""
    token_name = UnicodeAttribute()
    action = UnicodeAttribute()
    target = UnicodeAttribute()
    target_name = UnicodeAttribute()
    job_id = maybe(UnicodeAttribute(null=True))
    fields = JSONAttribute()
    projects = maybe(JSONAttribute(null=True))
    """Of a token: the projects that it is valid in; absent: all of the workspace's."""
    expires = TTLAttribute()


class Place(SortedRecord):
    """`pk = audit, sk = <part>` in the jobs table: where a part of the audit goes on."""

    table = "jobs"
    token = maybe(UnicodeAttribute(null=True))
    done_at = maybe(UTCDateTimeAttribute(null=True))


class Lease(SortedRecord):
    """`pk = lease, sk = <name>` in the jobs table: who alone does something, and until when."""

    table = "jobs"
    holder = UnicodeAttribute()
    until = UTCDateTimeAttribute()


class Token(Record):
    """`pk` = SHA-256 of the token, in hex: reading the table gives no valid token."""

    table = "tokens"
    workspace_id = UnicodeAttribute()
    projects = maybe(JSONAttribute(null=True))
    """A list of project ids; absent: all of the workspace's."""
    role = UnicodeAttribute()
    name = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    expires_at = maybe(UTCDateTimeAttribute(null=True))
    last_used = maybe(UnicodeAttribute(null=True))
    """The UTC date of its last use, in ISO 8601."""
    expires = maybe(TTLAttribute(null=True))
    """When TTL may remove it: some time after its expiry, so that it is still listed."""

    @property
    def token_id(self) -> str:
        """Names the token to its operator and in logs; it gives no access."""
        return self.pk[:12]

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now
