"""What is stored: the records of the runs table, as PynamoDB models (see `records`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import (
    GlobalSecondaryIndex,
    IncludeProjection,
)

from chalicelib.domain.run_states import TERMINAL
from chalicelib.domain.spent_tasks import MAX_INTERRUPTIONS
from chalicelib.tables.records import Key, SortedRecord, maybe, whole

SLACK = timedelta(days=2)
"""Longer than an attempt can wait for capacity, for its start and for its retry."""
ONLY_WHILE_LIVE = (
    *("task_definition", "waiting_since", "seen_at", "missing_at", "pull_started_at"),
    "timeout_seconds",
)
WITH_A_TASK = (*ONLY_WHILE_LIVE, "requested_at")


class RunKey(Key):
    """Of a request that triggers a run; `pk` is the job."""

    table = "runs"


class ListedIndex(GlobalSecondaryIndex["Run"]):
    """Every run of a project, by its id. What it projects never changes, so it is written once."""

    class Meta:
        index_name = "listed"
        projection = IncludeProjection(["trigger"])

    listed = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class UnsuccessfulIndex(GlobalSecondaryIndex["Run"]):
    """The failed and the cancelled runs of a project, by their ids."""

    class Meta:
        index_name = "unsuccessful"
        projection = IncludeProjection(["trigger"])

    unsuccessful = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class InFlightIndex(GlobalSecondaryIndex["Run"]):
    """Runs that the sweep has something left to do for, with their projects, which take turns."""

    class Meta:
        index_name = "in_flight"
        projection = IncludeProjection(["project"])

    look_shard = UnicodeAttribute(hash_key=True)
    look_at = UTCDateTimeAttribute(range_key=True)


class Run(SortedRecord):
    """`pk = job_…, sk = run_…`: all that a run needs, so that its job need not be read again."""

    table = "runs"
    rev = whole()
    """Raised by every write and the condition of every write: a writer that read an older one
    fails."""
    project = UnicodeAttribute()
    job_name = UnicodeAttribute()
    """As it was when the run was made."""
    job_version = whole()
    status = UnicodeAttribute()
    trigger = UnicodeAttribute()
    triggered_by = maybe(JSONAttribute(null=True))
    """Who or what triggered it, as it is shown; absent in a run that an older version claimed."""
    scheduled_for = maybe(UTCDateTimeAttribute(null=True))
    due_at = maybe(UTCDateTimeAttribute(null=True))
    """When the slot was to start, where the job's jitter made that later than the slot."""

    live = maybe(BooleanAttribute(null=True))
    """True while its task may be running or has to be launched; a `Live` record says so too."""
    counted = maybe(BooleanAttribute(null=True))
    """While it is live: its workspace's number of runs in flight counts it (`usage`)."""
    listed = UnicodeAttribute()
    """Its project and one of LISTS: partition of the index `listed`."""
    unsuccessful = maybe(UnicodeAttribute(null=True))
    """The same and its status, once it has failed or was cancelled."""
    look_shard = maybe(UnicodeAttribute(null=True))
    look_at = maybe(UTCDateTimeAttribute(null=True))
    """When the sweep looks at it next; absent when nothing is left to do."""

    # what it starts with
    task_definition = UnicodeAttribute()
    image = UnicodeAttribute()
    command = maybe(JSONAttribute(null=True))
    env = maybe(JSONAttribute(null=True))
    """Overrides of this run alone; the job's own env stays in the task definition."""
    rates = maybe(JSONAttribute(null=True))
    """What its tasks cost, a `run_cost.Rates`; absent: it is not known, or an older version made
    the run."""
    tags = maybe(JSONAttribute(null=True))
    overridden = maybe(BooleanAttribute(null=True))
    """Whether `command` overrides the task definition's."""
    cpu = NumberAttribute()
    memory_mib = whole()
    timeout_seconds = whole()
    max_attempts = whole()
    job_capacity = maybe(UnicodeAttribute(null=True))
    """The job's `capacity` when the run was made; absent: on demand."""

    # where it is
    attempt = whole()
    launch = whole()
    """Part of the client token; raised only once the last launch is known to have no running
    task."""
    waiting_since = UTCDateTimeAttribute()
    """When the current attempt became due to be launched."""
    capacity = maybe(UnicodeAttribute(null=True))
    """What the current launch is on, `spot`; absent: on demand."""
    waits_for = maybe(JSONAttribute(null=True))
    """Ids of the runs that it waits for: those that it replaces, or all that stood before it in the
    line of a `queue` job."""
    at_most = maybe(whole(null=True))
    """Of a `queue` job: how many may be in flight, it among them. Its end launches what waits."""
    released_at = maybe(UTCDateTimeAttribute(null=True))
    """When it had waited for others long enough; its times to start are counted from here."""
    requested_at = maybe(UTCDateTimeAttribute(null=True))
    """First RunTask of the current launch; absent: none was sent."""
    refusal = maybe(JSONAttribute(null=True))
    """Why the last launch was refused, while it waits to be tried again."""
    task_arn = maybe(UnicodeAttribute(null=True))
    event_version = maybe(whole(null=True))
    pull_started_at = maybe(UTCDateTimeAttribute(null=True))
    """When Fargate began to bill the current task."""
    attempt_started_at = maybe(UTCDateTimeAttribute(null=True))
    past_attempts = maybe(JSONAttribute(null=True))
    retry_at = maybe(UTCDateTimeAttribute(null=True))
    spent_tasks = maybe(JSONAttribute(null=True))
    """The attempt's tasks that did not start or were interrupted, and were launched again."""
    billed = maybe(JSONAttribute(null=True))
    """What the attempt's tasks that have stopped cost, a `run_cost.Bill`, until `past_attempts`
    says so."""
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
    notice = maybe(JSONAttribute(null=True))
    """Until then: what people may be told with it, as {"kind": …}. The transaction that counts the
    run sets it: `failing`, `recovered`, or for a slot `missed`, with `slots` and `since`."""
    expires = maybe(TTLAttribute(null=True))
    listed_index = ListedIndex()
    unsuccessful_index = UnsuccessfulIndex()
    in_flight_index = InFlightIndex()

    @property
    def job_id(self) -> str:
        return self.pk

    @property
    def run_id(self) -> str:
        return self.sk

    @property
    def log_ids(self) -> dict[str, str]:
        """What names the run in a line of the log."""
        return {"job_id": self.job_id, "run_id": self.run_id}

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_over(self) -> bool:
        """Whether it is terminal and no container of it can be left."""
        return self.is_terminal and self.live is None

    @property
    def needless(self) -> dict[str, None]:
        """
        What nobody reads once the run is over, as changes that remove it: without it most runs take
        one kilobyte, which is what a write is billed by.
        """
        if not self.is_over:
            return {}
        # a request without a task is shown as an attempt
        return dict.fromkeys(WITH_A_TASK if self.task_arn else ONLY_WHILE_LIVE)

    def ahead(self, live: Sequence[tuple[str, str]]) -> int:
        """How many of the runs that this one waits for are in flight, as (run id, status)."""
        return len({run_id for run_id, _ in live}.intersection(self.waits_for or []))

    def is_held(self, live: Sequence[tuple[str, str]]) -> bool:
        """Whether too many of the runs that this one waits for are in flight."""
        return self.ahead(live) >= (self.at_most or 1)

    @property
    def latest_end(self) -> datetime:
        """The latest time at which it can have ended: its task records must not expire earlier."""
        tasks = self.max_attempts - self.attempt + 1
        if self.job_capacity is not None:
            tasks *= 1 + MAX_INTERRUPTIONS
        return self.waiting_since + tasks * (timedelta(seconds=self.timeout_seconds) + SLACK)

    def is_expired(self, now: datetime) -> bool:
        """Whether TTL should have removed it: DynamoDB may take two days to."""
        return self.expires is not None and self.expires <= now


class Live(SortedRecord):
    """
    `pk` = project, `sk = live#job_…#run_…`: one run in flight, as lists and counts show it.

    It is what an index would hold of its run, and each transaction that changes that of the run
    writes it too. Unlike a global index it is read consistently, and unlike a local one it sets no
    limit to what its job's partition holds.
    """

    table = "runs"
    status = UnicodeAttribute()
    trigger = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    started_at = maybe(UTCDateTimeAttribute(null=True))
    counted = maybe(BooleanAttribute(null=True))

    @classmethod
    def of(cls, run: Run) -> Live:
        """What is stored beside a run while it is live."""
        return cls(
            run.project,
            f"live#{run.job_id}#{run.run_id}",
            status=run.status,
            trigger=run.trigger,
            created_at=run.created_at,
            started_at=run.started_at,
            counted=run.counted,
        )

    @property
    def job_id(self) -> str:
        return self.sk.split("#")[1]

    @property
    def run_id(self) -> str:
        return self.sk.split("#")[2]


class TaskOwner(SortedRecord):
    """`sk = task#…`: the run of an ECS task, to find the run from the name of a log stream."""

    table = "runs"
    run_id = UnicodeAttribute()
    attempt = whole()
    expires = maybe(TTLAttribute(null=True))


class Stats(SortedRecord):
    """`sk = stats`: lifetime counts of finished runs, those that finished last, and what the runs
    of a month cost (see `month_costs`); made with its job, removed before it."""

    table = "runs"
    sums_are_named = "usd"
    project = UnicodeAttribute()
    """The job's project: with it a job is found from its id alone, which names in AWS contain."""
    succeeded = whole(default=0)
    failed = whole(default=0)
    cancelled = whole(default=0)
    skipped = whole(default=0)
    consecutive_failures = whole(default=0)
    last_succeeded_at = maybe(UTCDateTimeAttribute(null=True))
    recent: ListAttribute[bytes] = ListAttribute()
    """Always as many as `recent_runs` says, the one that finished last at the end."""
