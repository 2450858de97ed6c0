"""What a caller can ask of schedules: what one means, and which slots are to come."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.clock import Clock
from chalicelib.domain.errors import BadRequest
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job
from chalicelib.usecases.paging import SPARE_SECONDS
from chalicelib.usecases.runs import active

AHEAD = timedelta(hours=24)
"""How far ahead slots are listed, unless a caller says otherwise."""
FURTHEST = timedelta(days=7)


class Preview(NamedTuple):
    """What an expression in a zone means."""

    text: str
    timezone: str
    slots: list[datetime]


class Slot(NamedTuple):
    """A slot that is to come; they sort by when they start."""

    due_at: datetime
    job_id: str
    job_name: str
    scheduled_for: datetime


class Upcoming(NamedTuple):
    """Slots in their order, and whether these are all until the time that was asked for."""

    slots: list[Slot]
    is_complete: bool


class _Candidate(NamedTuple):
    """A job with the start of its first slot: all that is kept of it while its project is read."""

    first: datetime
    job_id: str
    name: str
    expression: str
    timezone: str
    delay: timedelta

    def slots(self, until: datetime) -> Iterator[Slot]:
        """The first one costs nothing; a schedule is read only by who takes a second."""
        from chalicelib.domain.schedule import Schedule

        slot = self.first - self.delay
        yield Slot(self.first, self.job_id, self.name, slot)
        schedule = Schedule(self.expression, self.timezone)
        for at in schedule.slots_between(slot, until - self.delay):
            yield Slot(at + self.delay, self.job_id, self.name, at)


@dataclass(slots=True)
class Schedules:
    """Schedules, whether or not a job has them yet."""

    jobs_table: JobsTable
    clock: Clock

    def preview(self, expression: str, timezone: str, count: int) -> Preview:
        """
        A schedule in words, and its next `count` slots, fewer if 50 years hold no more.

        InvalidFields, naming `schedule` or `timezone`, exactly where a job with them is refused.
        """
        from chalicelib.domain.job_spec import JobSpec
        from chalicelib.domain.schedule import Schedule
        from chalicelib.domain.schedule_text import in_words
        from chalicelib.domain.validation import validate

        needed = {"name": "preview", "image": "preview"}
        asked = {"schedule": expression, "timezone": timezone}
        spec = validate(JobSpec, needed | asked)
        assert spec.schedule is not None
        slots = Schedule(spec.schedule, spec.timezone).upcoming(self.clock.now(), count)
        return Preview(in_words(spec.schedule), spec.timezone, slots)

    def of_project(self, project: str, until: timedelta | datetime | None, limit: int) -> Upcoming:
        """The slots of a project's jobs; paused and on-demand jobs have none."""
        now = self.clock.now()
        last = _last(until, now)
        return self._merged(self.jobs_table.newest(project, before=None, limit=None), last, limit)

    def of_job(
        self, project: str, job_id: str, until: timedelta | datetime | None, limit: int
    ) -> Upcoming:
        """The slots of one job."""
        last = _last(until, self.clock.now())
        job = active(self.jobs_table.get(project, job_id), job_id)
        return self._merged([job], last, limit)

    def _merged(self, jobs: Iterable[Job], last: datetime, limit: int) -> Upcoming:
        """
        The first `limit` slots of all jobs, whatever the number of jobs and of their slots.

        Of the jobs only those with the earliest first slots are kept, one more than are asked
        for: each of the others begins after all that is shown. Of their slots only those that
        are shown are made.
        """
        reading = _Reading(jobs, self.clock, last)
        earliest = heapq.nsmallest(limit + 1, reading)
        slots: list[Slot] = []
        for slot in heapq.merge(*(candidate.slots(last) for candidate in earliest)):
            if len(slots) == limit:
                return Upcoming(slots, is_complete=False)
            slots.append(slot)
        return Upcoming(slots, is_complete=reading.is_whole)


class _Reading:
    """The jobs that fire until `last`, for as long as the caller has time."""

    def __init__(self, jobs: Iterable[Job], clock: Clock, last: datetime) -> None:
        self._jobs = jobs
        self._clock = clock
        self._last = last
        self.is_whole = True
        """Whether no job was left unread."""

    def __iter__(self) -> Iterator[_Candidate]:
        now = self._clock.now()
        for job in self._jobs:
            if self._clock.remaining() < SPARE_SECONDS:
                self.is_whole = False
                return
            first = _first_start(job, now, self._last)
            if first is not None:
                when = job.spec["schedule"], job.spec["timezone"], job.delay
                yield _Candidate(first, job.job_id, job.name, *when)


def _first_start(job: Job, now: datetime, last: datetime) -> datetime | None:
    """When the job's first slot starts after now; None if none does until `last`."""
    from chalicelib.domain.schedule import Schedule

    if job.next_due_at is None or job.next_due_at > last:
        return None
    if job.next_due_at > now:
        return job.next_due_at
    # it is due, and nobody has advanced the job's cursor yet
    schedule = Schedule(job.spec["schedule"], job.spec["timezone"])
    slot = next(schedule.slots_between(now - job.delay, last - job.delay, 1), None)
    return None if slot is None else slot + job.delay


def _last(until: timedelta | datetime | None, now: datetime) -> datetime:
    at = now + (until or AHEAD) if not isinstance(until, datetime) else until
    if not now < at <= now + FURTHEST:
        raise BadRequest(
            "Query parameters: until must be after now and at most 7 days ahead: "
            "a time, or a duration such as 24h."
        )
    return at
