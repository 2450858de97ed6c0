"""
What concerns a whole project: from one endpoint, or, where a stage is older than that endpoint,
from each job's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from jobyard.client import Client, Json, is_run_id
from jobyard.durations import read_time, write_time
from jobyard.errors import Refused
from jobyard.transport import CONNECTIONS

T = TypeVar("T")

NEVER_MEANT = ("skipped_overlap", "skipped_queue_full", "skipped_quota", "missed_deadline")
"""Errors of slots that were recorded and not started: no latest run of their job."""
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobActivity:
    """A job and how it does."""

    job: Json
    latest_run: Json | None
    run_counts: Json
    consecutive_failures: int
    last_succeeded_at: str | None
    cost_this_month: float | None
    """US dollars, estimated; None: not known."""

    @property
    def is_failing(self) -> bool:
        return self.consecutive_failures > 0

    @property
    def in_flight(self) -> int:
        return int(self.run_counts["pending"] + self.run_counts["running"])

    def as_dict(self) -> Json:
        """As `-o json` shows it."""
        return {
            "job_id": self.job["id"],
            "job_name": self.job["name"],
            "latest_run": self.latest_run,
            "run_counts": self.run_counts,
            "consecutive_failures": self.consecutive_failures,
            "last_succeeded_at": self.last_succeeded_at,
            "cost_this_month": self.cost_this_month,
            "next_run_at": self.job["next_run_at"],
        }


def activity(client: Client, tags: Iterable[str] = ()) -> list[JobActivity]:
    """Every job with its state: failing first, then those in flight, then by name."""
    try:
        jobs = list(client.jobs(tags=list(tags), include_activity=True))
    except Refused as refused:
        if refused.status != 400:  # an unknown query parameter: an older stage
            raise
        jobs = list(client.jobs(tags=list(tags)))
    found = [one for one in _each(jobs, lambda job: _activity(client, job)) if one is not None]
    return sorted(found, key=lambda one: (not one.is_failing, not one.in_flight, one.job["name"]))


def _activity(client: Client, job: Json) -> JobActivity | None:
    """None where the job was deleted meanwhile."""
    known = job.pop("activity", None)
    if known is not None:
        started = (run for run in known["recent_runs"] if run["error_code"] not in NEVER_MEANT)
        latest = next(started, None)
    else:
        try:
            known = client.job_status(job["id"])
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        latest = known["latest_run"]
    return JobActivity(
        job,
        latest,
        known["run_counts"],
        known["consecutive_failures"],
        known["last_succeeded_at"],
        known.get("cost_this_month"),
    )


def runs(
    client: Client,
    *,
    status: str | None = None,
    trigger: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[Json]:
    """Runs of all jobs, newest first, each with its `job_name`."""
    after = None if since is None else write_time(since)
    try:
        found = client.project_runs(status=status, trigger=trigger, since=after, limit=limit)
        return list(found)
    except Refused as refused:
        if refused.status != 404:
            raise

    def of_job(job: Json) -> list[Json]:
        found = client.job_runs(job["id"], status=status, trigger=trigger, limit=limit)
        return [{**run, "job_name": job["name"]} for run in since_only(found, since)]

    merged = [run for page in _each(list(client.jobs()), _unless_deleted(of_job)) for run in page]
    return sorted(merged, key=lambda run: str(run["id"]), reverse=True)[:limit]


def since_only(found: Iterable[Json], since: datetime | None) -> Iterator[Json]:
    """Runs, newest first, until one that was made before `since`."""
    for run in found:
        if since is not None and read_time(run["created_at"]) < since:
            return
        yield run


def find_run(client: Client, run_id: str) -> Json:
    """
    A run by its id alone, which says nothing of its job; Refused (404) if no job has it.

    The id begins with a time, so the project's runs are asked for that one millisecond. Where they
    do not have it, each job is asked: a stage may be older than the list of all runs, and a run of
    this moment may not be in the list yet.
    """
    if not is_run_id(run_id):
        raise Refused(404, f"{run_id} is not the id of a run; `jobyard runs` shows them.")
    if (listed := _listed(client, run_id)) is not None:
        return listed

    def of_job(job: Json) -> Json | None:
        try:
            return client.get_run(job["id"], run_id)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    for run in _each(list(client.jobs()), of_job):
        if run is not None:
            return run
    raise Refused(404, f"There is no run {run_id} in {client.workspace}/{client.project}.")


def _listed(client: Client, run_id: str) -> Json | None:
    """The run out of the project's runs."""
    milliseconds = 0
    for digit in run_id.removeprefix("run_")[:10]:
        milliseconds = milliseconds * 32 + _DIGITS.index(digit)
    try:
        since, until = (
            write_time(_EPOCH + timedelta(milliseconds=at))
            for at in (milliseconds, milliseconds + 1)
        )
        found = client.project_runs(since=since, until=until)
        return next((run for run in found if run["id"] == run_id), None)
    except OverflowError:
        return None  # no time that a calendar has: no run has this id
    except Refused as refused:
        if refused.status != 404:
            raise
        return None


def upcoming(client: Client, until: datetime | None, limit: int | None) -> Json:
    """The next slots of all jobs, or, from an older stage, the first one of each."""
    last = None if until is None else write_time(until)
    try:
        return client.upcoming(until=last, limit=limit)
    except Refused as refused:
        if refused.status != 404:
            raise
    slots = [
        {"job_id": job["id"], "job_name": job["name"], "scheduled_for": job["next_run_at"]}
        for job in client.jobs()
        if job["next_run_at"] and (until is None or read_time(job["next_run_at"]) <= until)
    ]
    slots.sort(key=lambda slot: (slot["scheduled_for"], slot["job_name"]))
    return {"slots": slots[:limit], "is_complete": False}


def _unless_deleted(ask: Callable[[Json], list[Any]]) -> Callable[[Json], list[Any]]:
    def asked(job: Json) -> list[Any]:
        try:
            return ask(job)
        except Refused as refused:
            if refused.status == 404:
                return []
            raise

    return asked


def _each(jobs: list[Json], ask: Callable[[Json], T]) -> list[T]:
    """What `ask` answers for each job, several at a time, in the jobs' order."""
    if not jobs:
        return []
    with ThreadPoolExecutor(min(CONNECTIONS, len(jobs))) as pool:
        return list(pool.map(ask, jobs))
