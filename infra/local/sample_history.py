"""
A month of runs of a dozen jobs in the project `demo`, for `make up DEMO=1`.

Jobs are created as the API creates them. Their runs are written into the tables as they are when
they are over (`sample_runs`): a claim, a start and an end for each would take minutes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.clock import Clock
from chalicelib.domain import ids
from chalicelib.domain.actor import Actor
from chalicelib.domain.job_spec import JobSpec
from chalicelib.domain.schedule import Schedule
from chalicelib.engine.new_run import new_run, slot_run
from chalicelib.engine.scheduler import first_slot, work_at
from chalicelib.settings import Settings
from chalicelib.system import System
from chalicelib.tables import month_costs, recent_runs
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run, TaskOwner
from chalicelib.tables.transaction import Transaction
from chalicelib.usecases.access import OPERATOR
from infra.local.sample_jobs import JOBS, MISSED, SKIPPED, WORKED, SampleJob
from infra.local.sample_runs import Life
from infra.local.sampling import Point, Source, publish

MIB = 1024 * 1024
LOGGED = timedelta(days=3)
"""How far back all runs have output; those that failed have it for as long as CloudWatch takes
lines, which is two weeks."""
LOGGED_FAILURES = timedelta(days=13)
MEASURED = timedelta(hours=30)
"""How far back runs have CPU and memory."""


class Past(Clock):
    """A clock that shows another time."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


BY_HAND = Actor("5a3b1ec0ffee", "alex").as_trigger()
"""Who triggered the runs that no schedule did."""


@dataclass(frozen=True)
class History:
    """Writes it; `client` makes clients of the stack's AWS."""

    system: System
    client: Callable[[str], Any]
    project: str

    def write(self) -> int:
        """All of it; the number of runs."""
        now = self.system.clock.now()
        return sum(self._write_job(sample, now) for sample in JOBS)

    def _write_job(self, sample: SampleJob, now: datetime) -> int:
        created = now - timedelta(days=sample.days)
        past = System(self.system.settings, Past(created))
        job, _ = past.jobs.create(self.project, JobSpec.model_validate(sample.spec), None, OPERATOR)
        lives = list(self._lives(job, sample, created, now))
        for life in lives:
            self.system.database.put(life.run)
        self._count(job, lives)
        if lives:
            job.latest_run = next(
                life.run.run_id for life in reversed(lives) if life.outcome != "skipped"
            )
            self.system.database.put(job)
        # its slots of the past have had their runs
        slot = first_slot(job.spec, now)
        assert slot is None or self.system.jobs_table.move_cursor(
            job, slot, work_at(slot, job.wake, job.delay)
        )
        for life in lives:
            self._write_output(life.run, sample)
        self._measure([life.run for life in lives if life.run.created_at > now - MEASURED])
        return len(lives)

    def _lives(
        self, job: Job, sample: SampleJob, created: datetime, now: datetime
    ) -> Iterator[Life]:
        """Each run from its beginning to its end, oldest first."""
        dice = random.Random(job.name)
        runs = list(_pending(job, sample, created, now, self.system.settings))
        for index, run in enumerate(runs):
            ago = len(runs) - 1 - index
            life = Life(run, dice)
            outcome = sample.outcomes.get(ago, WORKED)
            trend = 1 + (sample.slower - 1) * index / max(1, len(runs) - 1)
            seconds = sample.seconds * trend * dice.uniform(0.9, 1.1)
            if outcome in (SKIPPED, MISSED):
                life.skip(outcome)
                yield life
                continue
            if ago in sample.retried:
                life.attempt(run.created_at, seconds / 3, "nonzero_exit")
            while not run.is_over:
                life.attempt(run.retry_at or run.waiting_since, seconds, outcome)
            yield life

    def _count(self, job: Job, lives: list[Life]) -> None:
        """What RunsTable.finish would have counted and summed, one by one."""
        stats = self.system.runs_table.counts_of([job.job_id])[0]
        assert stats is not None
        for life in lives:
            setattr(stats, life.outcome, getattr(stats, life.outcome) + 1)
            if life.outcome == "succeeded":
                stats.consecutive_failures = 0
                stats.last_succeeded_at = life.run.finished_at
            elif life.outcome == "failed":
                stats.consecutive_failures += 1
        packed = [recent_runs.pack(life.run) for life in lives]
        stats.recent = [*stats.recent, *packed][-recent_runs.KEPT :]
        self.system.database.put(stats)
        for life in lives:
            transaction = Transaction(self.system.database)
            if sums := month_costs.added(transaction, life.run):
                transaction.update("stats", stats, sums, None)
                transaction.commit()

    def _write_output(self, run: Run, sample: SampleJob) -> None:
        """A stream for each attempt that started, with lines between its start and its end."""
        logs = self.client("logs")
        for attempt in run.past_attempts or _cancelled(run):
            started, finished = map(_read, (attempt["started_at"], attempt["finished_at"]))
            age = LOGGED if run.status == "succeeded" else LOGGED_FAILURES
            if started is None or finished is None or finished < self.system.clock.now() - age:
                continue
            task = attempt["task_arn"].rpartition("/")[2]
            owner = TaskOwner(run.job_id, f"task#{task}", run_id=run.run_id)
            owner.attempt = attempt["attempt"]
            self.system.database.put(owner)
            lines = list(sample.lines)
            if attempt["exit_code"] != 0:
                lines = [*lines[: len(lines) // 2 + 1], sample.last_words]
            step = (finished - started) / (len(lines) + 1)
            times = [started + step * (number + 1) for number in range(len(lines))]
            where = {
                "logGroupName": self.system.settings.log_group(run.job_id),
                "logStreamName": f"run/main/{task}",
            }
            logs.create_log_stream(**where)
            events = [
                {"timestamp": int(at.timestamp() * 1000), "message": line}
                for at, line in zip(times, lines, strict=True)
            ]
            logs.put_log_events(**where, logEvents=events)

    def _measure(self, runs: list[Run]) -> None:
        """CPU and memory of each minute: both rise, and stay below what the job may use."""
        points = []
        for run in runs:
            if run.started_at is None or run.finished_at is None or run.task_arn is None:
                continue
            minutes = math.ceil((run.finished_at - run.started_at).total_seconds() / 60)
            family = self.system.settings.family(run.job_id)
            for minute in range(minutes):
                at = min(run.started_at + timedelta(seconds=60 * minute + 50), run.finished_at)
                share = 0.35 + 0.5 * (minute + 1) / minutes
                wave = 0.55 + 0.3 * math.sin(minute / 2)
                point = Point(
                    at.timestamp(),
                    float(run.cpu) * 1024 * wave,
                    int(run.memory_mib * MIB * share),
                )
                task = run.task_arn.rpartition("/")[2]
                points.append((Source(self.system.settings.cluster, family, task), point))
        publish(self.client("cloudwatch"), points)


def _pending(
    job: Job, sample: SampleJob, created: datetime, now: datetime, settings: Settings
) -> Iterator[Run]:
    """The runs that slots and people made, oldest first, none of which would still run."""
    until = now - timedelta(seconds=sample.seconds * max(1, sample.slower) * 1.3 + 120)
    if job.spec["schedule"] is not None:
        schedule = Schedule(job.spec["schedule"], job.spec["timezone"])
        slot = schedule.next_slot(created)
        while slot is not None and slot < until:
            yield slot_run(job, slot, slot + timedelta(seconds=2.4), settings)
            slot = schedule.next_slot(slot)
    for number in range(sample.manual):
        at = created + (until - created) * (number + 1) / (sample.manual + 1)
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        yield new_run(job, ids.new_run(at), at, BY_HAND, settings)


def _cancelled(run: Run) -> list[dict[str, Any]]:
    """Its attempt, which is not recorded as one that ended."""
    if run.task_arn is None:
        return []
    times = {"started_at": run.started_at, "finished_at": run.finished_at}
    return [{"attempt": run.attempt, "task_arn": run.task_arn, "exit_code": run.exit_code, **times}]


def _read(at: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(at) if isinstance(at, str) else at
