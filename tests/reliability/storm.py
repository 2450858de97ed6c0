"""
A storm: many jobs without rules whose slots are due in one minute, with the real handlers, the
fan-out, and AWS's latencies and throttling imitated.

Time is virtual (`lanes`). Each function has one worker here, whose calls take an eighth of what
they take on AWS, instead of eight workers.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

import app
from chalicelib.domain import ids
from chalicelib.domain.actor import SCHEDULE
from chalicelib.engine.new_run import new_run, slot_run
from chalicelib.tables.records import SWEEP, Job
from chalicelib.tables.shards import shard
from infra.local.clock import scheduled_event
from tests.reliability.bucket import Bucket
from tests.reliability.lanes import Lanes
from tests.reliability.wire import clients_of
from tests.reliability.world import World
from tests.yard import WORKSPACE, Context

WORKERS = 8
"""Of a function on AWS."""
LATENCY = {"dynamodb": 0.008, "ecs": 0.4, "lambda": 0.02, "events": 0.05, "logs": 0.05}
"""Seconds of a call, by service: what docs/scale.md assumes of AWS."""
COLD_START = 1.0
"""Seconds from the invocation of a part to its first line."""
RUN_TASK = (20.0, 20.0)
"""Calls a second, and at once: Fargate's for RunTask."""
FAULTY_RUN_TASK = (15.0, 15.0)
"""Less than the launcher's own pace: others of the account launch too."""
TRANSACTIONS = (200.0, 400.0)
"""Of a new table with 4,000 write units a second, of which a claim takes about twenty."""
MOST_MINUTES = 60
SWEEP_RULE = "arn:aws:events:eu-central-1:123456789012:rule/sweep"


@dataclass
class Outcome:
    """What a storm came to; times in seconds after the minute."""

    claimed_at: dict[str, float] = field(default_factory=dict)
    """When the slot's run was stored, by the run's id."""
    launched: list[tuple[float, str, str]] = field(default_factory=list)
    """(when, project, run id) of each launch."""
    calls: Counter[str] = field(default_factory=Counter)
    parts: int = 0
    throttled: dict[str, int] = field(default_factory=dict)

    def words(self, jobs: int) -> str:
        """For docs/scale.md."""
        each = {name: round(made / jobs, 2) for name, made in sorted(self.calls.items())}
        return (
            f"{jobs} slots: last claim {self.last_claim:.1f} s, last launch {self.last_launch:.1f} "
            f"s, {self.parts} parts, throttled {self.throttled}, calls a slot {each}"
        )

    @property
    def last_claim(self) -> float:
        return max(self.claimed_at.values())

    @property
    def last_launch(self) -> float:
        return self.launched[-1][0]


def slots_due(world: World, projects: dict[str, int]) -> list[Job]:
    """
    So many jobs of each project, without rules, whose slot is this minute: records like that of a
    job made by API, put past every condition.
    """
    world.room_for_rules(0)
    made = world.job(name="a", schedule="0 13 * * *")
    (first,) = world.jobs()
    world.clock.at = slot = datetime.fromisoformat(str(made["next_run_at"]))
    found = []
    for project, number in projects.items():
        for count in range(number):
            job = first.copy()
            job.pk, job.sk = f"{WORKSPACE}#{project}", ids.new_job(slot)
            job.spec = {**first.spec, "name": f"{project}-{count}"}
            job.wake, job.next_slot, job.work_at = SWEEP, slot, slot
            job.work_shard = shard(job.job_id, world.on.settings.shards, slot)
            world.put_job(job)
            found.append(job)
    world.remove_job(first)
    return found


def waiting_since(world: World, job: Job, number: int, minutes: int) -> list[str]:
    """Runs of a job that wait for their launch since some minutes; their ids, oldest first."""
    made = []
    for count in range(number):
        at = world.clock() - timedelta(minutes=minutes, seconds=-count)
        run = new_run(job, ids.new_run(at), at, SCHEDULE, world.on.settings)
        run.requested_at, run.look_at = None, at
        run.look_shard = shard(run.run_id, world.on.settings.shards, at)
        world.put(run)
        made.append(run.run_id)
    return made


def run_storm(
    world: World, jobs: Sequence[Job], *, waiting: int = 0, faulty: bool = False
) -> Outcome:
    """
    Sweep minute by minute until every slot and what waits besides has its task; `waiting` is below
    zero if so many slots get none.

    If `faulty`, every seventh part is handed over twice, the first sweep's third one is lost, and
    RunTask is throttled to less than the launcher's pace.
    """
    outcome = Outcome()
    start = world.clock()
    projects = {job.job_id: job.pk for job in jobs}
    slots = {slot_run(job, start, start, world.on.settings).run_id for job in jobs}
    lanes = Lanes(world.time, world.clock)
    began = world.time.elapsed
    world.on.launcher.patience = 10

    def launched(task: Any) -> None:
        job_id, run_id = str(task.started_by).split("/")[:2]
        outcome.launched.append((world.time.elapsed - began, projects[job_id], run_id))

    def take_part(part: dict[str, Any]) -> None:
        outcome.parts += 1
        doubled, lost = outcome.parts % 7 == 0, outcome.parts == 3
        for _ in range(1 if not faulty else 2 if doubled else 0 if lost else 1):
            lanes.begin(lambda: app.sweep_part(part, Context()), after=COLD_START)

    def minutes() -> None:
        for minute in range(MOST_MINUTES):
            if len(outcome.launched) >= len(jobs) + waiting:
                return
            event = scheduled_event(SWEEP_RULE, start + timedelta(minutes=minute))
            lanes.begin(partial(app.sweep, event, Context()))
            lanes.wait(60)
        raise AssertionError(f"{len(outcome.launched)} launched after {MOST_MINUTES} minutes")

    world.ecs.on_run.append(launched)
    world.yard.aws.functions.handlers[str(world.on.settings.sweep_part_function)] = take_part
    try:
        with imitated(world, outcome, FAULTY_RUN_TASK if faulty else RUN_TASK):
            lanes.begin(minutes)
            lanes.run()
    finally:
        lanes.close()
        world.ecs.on_run.remove(launched)
    outcome.claimed_at = {run: at for run, at in outcome.claimed_at.items() if run in slots}
    return outcome


@contextlib.contextmanager
def imitated(world: World, outcome: Outcome, run_task: tuple[float, float]) -> Iterator[None]:
    """AWS's latencies, and its throttling of RunTask and of writes to a new table."""
    buckets = {"RunTask": Bucket(*run_task), "TransactWriteItems": Bucket(*TRANSACTIONS)}
    began = world.time.elapsed

    def count(model: Any, **_: Any) -> None:
        outcome.calls[model.name] += 1

    busy: dict[str, float] = {}

    def conflicts(body: bytes) -> AWSResponse | None:
        """The refusal of a transaction, while another one changes what the same workspace uses."""
        used = _usage_changed(body)
        now = world.time.elapsed
        if not used:
            return None
        if now >= busy.get(used, 0.0):
            busy[used] = now + LATENCY["dynamodb"]
            return None
        outcome.calls["conflicts"] += 1
        reasons = [{"Code": "TransactionConflict"}]
        return _error("TransactionCanceledException", CancellationReasons=reasons)

    def attempt(event_name: str, request: Any, **_: Any) -> AWSResponse | None:
        service, operation = event_name.split(".")[1:]
        world.time.sleep(LATENCY[service] / WORKERS)
        if operation == "TransactWriteItems" and (conflict := conflicts(request.body)):
            return conflict
        bucket = buckets.get(operation)
        if bucket is None or bucket.takes(world.time.elapsed):
            if operation == "TransactWriteItems":
                for run_id in _runs_put(request.body):
                    outcome.claimed_at.setdefault(run_id, world.time.elapsed - began)
            return None
        outcome.throttled[operation] = bucket.refused
        return _error("ThrottlingException")

    hooks = [client.meta.events for client in clients_of(world.on)]
    for events in hooks:
        events.register("before-call.*.*", count)
        events.register_first("before-send.*.*", attempt)
    try:
        yield
    finally:
        for events in hooks:
            events.unregister("before-call.*.*", count)
            events.unregister("before-send.*.*", attempt)


def _error(code: str, **more: Any) -> AWSResponse:
    error = json.dumps({"__type": f"x#{code}", "message": "Rate exceeded", **more})
    headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse("", 400, headers, MockRawResponse(error))


def _usage_changed(body: bytes) -> str | None:
    """The workspace (`acme#`) whose runs in flight a transaction counts."""
    for item in json.loads(body)["TransactItems"]:
        key = item.get("Update", {}).get("Key", {})
        if key.get("sk", {}).get("S") == "usage":
            return str(key["pk"]["S"])
    return None


def _runs_put(body: bytes) -> Iterator[str]:
    """The ids of the runs that a transaction makes."""
    for item in json.loads(body)["TransactItems"]:
        made = item.get("Put", {}).get("Item", {}).get("sk", {}).get("S", "")
        if made.startswith("run_"):
            yield made


def runs_by_slot(world: World) -> Counter[str]:
    """How many runs each job's slot has."""
    return Counter(run.job_id for run in world.runs() if run.scheduled_for is not None)


def tasks_by_run(world: World) -> Counter[str]:
    return Counter(str(task.started_by).split("/")[1] for task in world.made)
