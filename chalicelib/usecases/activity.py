"""How jobs do: the status of one, and the activity of many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.clock import Clock
from chalicelib.engine.new_run import rates
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.month_costs import in_month
from chalicelib.tables.recent_runs import KEPT, RecentRun, unpacked
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Live, Run, Stats
from chalicelib.tables.runs import RunsTable, expiry
from chalicelib.usecases.runs import Runs, active


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job, its latest run, the statuses of what of it is in flight, and its counts."""

    job: Job
    latest: Run | None
    in_flight: list[str]
    stats: Stats
    nano_usd: int | None
    """What the runs cost that ended this month, in billionths of a dollar; None: not known."""


@dataclass(frozen=True, slots=True)
class JobActivity:
    """The statuses of what of a job is in flight, its counts, and its newest runs."""

    in_flight: list[str]
    stats: Stats
    recent: list[RecentRun]
    nano_usd: int | None
    """As in JobStatus."""


@dataclass(slots=True)
class Activities:
    """What happened of late under the jobs of every project, as a caller may see it."""

    jobs_table: JobsTable
    runs_table: RunsTable
    runs: Runs
    settings: Settings
    clock: Clock

    def status(self, project: str, job_id: str) -> JobStatus:
        """
        A job's latest run, refreshed, its counts and its next slot.

        Runs in flight are read before the counts: a run that finishes in between is counted twice
        in this one answer and never left out. Both are read again where the latest run has moved
        on since, most often because ECS was asked about it here.
        """
        live, job, stats = self._counted(project, job_id)
        latest = self.runs.latest(job)
        known_as = latest.status if latest is not None and latest.live else None
        if latest is not None and live.get(latest.run_id) != known_as:
            live, job, stats = self._counted(project, job_id)
        return JobStatus(job, latest, list(live.values()), stats, self._cost(job, stats))

    def _counted(self, project: str, job_id: str) -> tuple[dict[str, str], Job, Stats]:
        live = dict(self.runs_table.live(project, job_id))
        found, stats = self.jobs_table.get_with_stats(project, job_id)
        job = active(found, job_id)
        # they are made and removed with the job
        assert stats is not None
        return live, job, stats

    def of_jobs(self, project: str, jobs: Sequence[Job]) -> dict[str, JobActivity]:
        """
        The activity of each of a page of jobs, by id: two calls for 100 of them, whatever their
        history, and one more for each further megabyte of what is in flight.
        """
        if not jobs:
            return {}
        live: dict[str, list[Live]] = defaultdict(list)
        of_id = {job.job_id: job for job in jobs}
        by_id = sorted(of_id)
        for one in self.runs_table.live_of(project, by_id[0], by_id[-1]):
            live[one.job_id].append(one)
        counts = self.runs_table.counts_of(by_id)
        return {
            job_id: self._activity(of_id[job_id], live[job_id], stats or Stats(job_id, "stats"))
            for job_id, stats in zip(by_id, counts, strict=True)
        }

    def _activity(self, job: Job, live: Sequence[Live], stats: Stats) -> JobActivity:
        now = self.clock.now()
        newest = {one.run_id: RecentRun.of_live(one) for one in live}
        for run in unpacked(stats.recent or []):
            expires = run.finished_at and expiry(run.finished_at, self.settings.run_retention_days)
            if expires is None or expires > now:
                newest[run.run_id] = run
        recent = sorted(newest.values(), key=lambda run: run.run_id, reverse=True)[:KEPT]
        in_flight = [one.status for one in live]
        return JobActivity(in_flight, stats, recent, self._cost(job, stats))

    def _cost(self, job: Job, stats: Stats) -> int | None:
        """Nothing so far is zero only where the job's runs have an estimate at all."""
        cost = in_month(stats, self.clock.now())
        return None if cost == 0 and rates(job.spec, self.settings) is None else cost
