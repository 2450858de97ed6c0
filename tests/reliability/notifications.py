"""
What people must have been told of jobs once nothing changes any more: that a job began to fail,
that it recovered, and which slots were missed. And nothing twice, except by a repeated delivery.

What happened is read from the runs that finished last, which are kept in the order in which they
were counted, and not from what was noted for the notifications.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from chalicelib.domain.notices import DEFAULT
from chalicelib.tables.recent_runs import KEPT, unpacked
from tests.reliability.world import World


def fit(world: World) -> Iterator[str]:
    """Everything that was told wrongly, or not at all, in words."""
    if not world.on.settings.event_bus:
        if world.notified:
            yield f"nobody listens, and {world.notified} was told"
        return
    wanted = {job.job_id: set(job.spec.get("notify", DEFAULT)) for job in world.jobs()}
    yield from _turns(world, wanted)
    yield from _misses(world, wanted)


def _turns(world: World, wanted: dict[str, set[str]]) -> Iterator[str]:
    told: dict[str, set[str]] = defaultdict(set)
    for detail in world.notified:
        told[detail["run"]["id"]].add(detail["kind"])
    for stats in world.stats():
        recent = unpacked(stats.recent)
        fails: bool | None = False if len(recent) < KEPT else None
        for one in recent:
            if one.status == "cancelled":
                continue
            has_failed = one.status == "failed"
            kind = "failing" if has_failed else "recovered"
            if has_failed == fails:
                expected = {"every_failure"} if has_failed else set()
            elif fails is None:
                expected = told[one.run_id]  # what was before it is not known any more
            elif kind in wanted[stats.pk] or not has_failed:
                expected = {kind}
            else:
                expected = {"every_failure"}
            fails = has_failed
            expected &= wanted[stats.pk]
            if told[one.run_id] != expected:
                yield f"{one.run_id} was told as {told[one.run_id]}, and not as {expected}"


def _misses(world: World, wanted: dict[str, set[str]]) -> Iterator[str]:
    """Each slot that was missed lies between two of which somebody was told together."""
    spans = defaultdict(list)
    for detail in world.notified:
        if detail["kind"] == "missed":
            since, until = detail["missed_since"], detail["run"]["scheduled_for"]
            spans[detail["run"]["job_id"]].append((_time(since), _time(until)))
    for run in world.runs():
        code = (run.error or {}).get("code")
        if code not in ("missed_deadline", "skipped_quota") or run.scheduled_for is None:
            continue
        slot = run.scheduled_for
        is_told = any(since <= slot <= until for since, until in spans[run.job_id])
        if is_told != ("missed" in wanted[run.job_id]):
            yield f"{run.run_id} missed its slot, and told={is_told}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
