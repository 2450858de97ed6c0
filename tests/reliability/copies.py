"""
What is stored of runs a second time, for lists and counts: it must say what the runs say, at every
moment, since each transaction that changes a run writes it too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from chalicelib.domain import run_cost
from chalicelib.tables.month_costs import in_month
from chalicelib.tables.recent_runs import KEPT, unpacked
from chalicelib.tables.run_records import Live, Run
from chalicelib.tables.shards import listed
from chalicelib.tables.usage import UsedJobs, UsedRuns
from tests.reliability.world import World

NO_TASK_NEEDED = frozenset(
    {"skipped_overlap", "skipped_queue_full", "skipped_quota", "missed_deadline"}
)
"""The errors of slots that were recorded without being started."""
DELAYED = timedelta(minutes=3)
"""Longer than an operation is held up while it meets another (`intruders.a_sweep`)."""


def fit(world: World) -> Iterator[str]:
    """3. Every copy says what its run says; else what is wrong, in words."""
    runs = {run.run_id: run for run in world.runs()}
    yield from _live_records(world, runs)
    yield from _lists(runs)
    yield from _recent_runs(world, runs)
    yield from _latest_runs(world, runs)
    yield from _month_costs(world, runs)
    yield from _usage(world, runs)


def _live_records(world: World, runs: dict[str, Run]) -> Iterator[str]:
    expected = {run_id: Live.of(run).serialize() for run_id, run in runs.items() if run.live}
    found = {live.run_id: live.serialize() for live in world.live()}
    if found != expected:
        yield f"in flight are {sorted(expected)}, and stored beside them {found}"


def _lists(runs: dict[str, Run]) -> Iterator[str]:
    for run in runs.values():
        place = listed(run.project, run.run_id)
        badly = f"{place}#{run.status}" if run.status in ("failed", "cancelled") else None
        if (run.listed, run.unsuccessful) != (place, badly):
            yield f"{run.run_id} is {run.status}, and listed in {run.listed}, {run.unsuccessful}"


def _recent_runs(world: World, runs: dict[str, Run]) -> Iterator[str]:
    for stats in world.stats():
        recent = unpacked(stats.recent)
        of_job = [run for run in runs.values() if run.job_id == stats.pk and run.is_terminal]
        if len(stats.recent) != KEPT or len({one.run_id for one in recent}) != min(
            KEPT, len(of_job)
        ):
            yield f"{stats.pk} has {len(of_job)} runs, and of late {recent}"
        for one in recent:
            run = runs[one.run_id]
            code = (run.error or {}).get("code")
            if (one.status, one.error_code, one.trigger) != (run.status, code, run.trigger):
                yield f"{one.run_id} is {run.status}, {code}, and of late {one}"


def _latest_runs(world: World, runs: dict[str, Run]) -> Iterator[str]:
    """
    The run that was claimed last, and not always the newest: a request may be overtaken between its
    start and its claim, but not by more than DELAYED.
    """
    for job in world.jobs():
        claimed = [run for run in runs.values() if run.job_id == job.job_id and _was_to_start(run)]
        latest = runs.get(str(job.latest_run))
        if not claimed:
            fits = latest is None
        else:
            newest = max(run.created_at for run in claimed)
            fits = latest in claimed and newest - latest.created_at <= DELAYED
        if not fits:
            yield f"{job.job_id}: the latest of {len(claimed)} runs is not {job.latest_run}"


def _month_costs(world: World, runs: dict[str, Run]) -> Iterator[str]:
    """
    What the runs of each month cost that are over: in a record of the project, which also keeps
    what those of deleted jobs did, and in the job's counts for the month in which a run ended last.
    """
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    ends = defaultdict(list)
    for run in runs.values():
        cost = run_cost.of_run(run)
        if cost is not None and run.is_over and run.finished_at is not None:
            of_month = expected[f"{run.project}/cost#{run.finished_at:%Y-%m}#{run.job_id}"]
            of_month[0] += 1
            of_month[1] += cost.nano_usd or 0
            ends[run.job_id].append(run.finished_at)
    jobs = {stats.pk: stats for stats in world.stats()}
    found = {
        f"{cost.pk}/{cost.sk}": [int(cost.runs), int(cost.nano_usd or 0)]
        for cost in world.month_costs()
        if cost.job_id in jobs
    }
    if found != expected:
        yield f"the runs of months cost {dict(expected)}, and stored is {found}"
    for job_id, ended in ends.items():
        last = max(ended)
        _, amount = expected[f"{jobs[job_id].project}/cost#{last:%Y-%m}#{job_id}"]
        if in_month(jobs[job_id], last) != amount:
            yield f"{job_id} cost {amount}, and its counts say {in_month(jobs[job_id], last)}"


def _usage(world: World, runs: dict[str, Run]) -> Iterator[str]:
    """What a workspace uses is what carries the mark; only a run in flight or an active job can."""
    marked = Counter(
        [
            *((UsedRuns, run.project.split("#")[0]) for run in runs.values() if run.counted),
            *((UsedJobs, job.workspace_id) for job in world.jobs() if job.counted),
        ]
    )
    stored = Counter({(type(used), used.pk[:-1]): int(used.number) for used in world.used()})
    if +stored != +marked or any(number < 0 for number in stored.values()):
        yield f"counted are {marked}, and stored is {stored}"
    for run in runs.values():
        if run.counted and not run.live:
            yield f"{run.run_id} is over, and counts"
    for job in world.jobs():
        if job.counted and not job.is_active:
            yield f"{job.job_id} is deleted, and counts"


def nothing_is_left_counted(world: World) -> Iterator[str]:
    """10. With quotas every active job is counted, and of runs that are over none."""
    if world.on.settings.has_quotas:
        yield from (f"{job.job_id} is not counted" for job in world.jobs() if not job.counted)
    for used in world.used():
        if isinstance(used, UsedRuns) and used.number:
            yield f"{used.number} runs of {used.pk} count, and all are over"


def _was_to_start(run: Run) -> bool:
    return (run.error or {}).get("code") not in NO_TASK_NEEDED
