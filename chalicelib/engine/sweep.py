"""
The sweep: does every minute what events and callers left undone, and claims the slots of the jobs
that have no rules.

It works from two sparse indexes, so its cost follows what is in flight or due, never the history.
Each item is read again before it is acted on, since a global index lags; each act is a conditional
write or a call that may be repeated, so two sweeps at once are safe. An item that fails is logged
and keeps its place in the index; it does not hold up the others.

What one function cannot do in its minute is handed to others: a part for each shard with something
due, and one that launches. Each of these may be lost, come twice, or overlap with the next ones,
because the tables say what is due, and not the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.functions import Functions
from chalicelib.domain.fair_order import fair_order
from chalicelib.domain.sweep_parts import LAUNCHES, ShardPart, shard_part
from chalicelib.engine.due_runs import DueRuns
from chalicelib.engine.launcher import Launcher
from chalicelib.engine.shard_sweep import DELETES, SHARE, TURN, ShardSweep
from chalicelib.settings import Settings
from chalicelib.tables.due_runs import DueRun, DueRunsTable
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job

T = TypeVar("T")

PER_SHARD = 100
"""Of each index, how many of a shard are seen; a shard with as many is divided into SHARES."""
SHARES = 8
MOST_JOBS = 100
"""Jobs that one function claims and launches within 10 s, 8 at once."""
MOST_RUNS = 400
"""Runs that one function launches within 20 s, at Fargate's pace."""


@dataclass(slots=True)
class Due:
    """What is due: (project, job) and runs by shard, the longest due first in each."""

    jobs: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    runs: dict[int, list[DueRun]] = field(default_factory=dict)

    @property
    def job_keys(self) -> list[tuple[str, str]]:
        return [key for found in self.jobs.values() for key in found]

    @property
    def run_keys(self) -> list[DueRun]:
        return [key for found in self.runs.values() for key in found]

    @property
    def parts(self) -> list[ShardPart]:
        """A part for each shard that has something, or several for one that has much."""
        parts = []
        for shard in sorted({*self.jobs, *self.runs}):
            most = max(len(self.jobs.get(shard, ())), len(self.runs.get(shard, ())))
            of = SHARES if most >= PER_SHARD else 1
            parts += [ShardPart(shard, number, of) for number in range(of if most else 0)]
        return parts


@dataclass(slots=True)
class Sweep:
    """One turn of the sweep, from the two sparse indexes."""

    jobs_table: JobsTable
    due_runs_table: DueRunsTable
    due_runs: DueRuns
    shard_sweep: ShardSweep
    launcher: Launcher
    functions: Functions
    settings: Settings
    clock: Clock
    most_jobs: int = MOST_JOBS
    most_runs: int = MOST_RUNS

    def turn(self, minute: datetime | None = None, *, seconds: float = TURN) -> dict[str, int]:
        """
        One turn: how many jobs and runs are due, and how many parts it handed out.

        `minute` is the one that it was called for; this machine's clock may not have come to it
        yet, so slots are due up to the later of the two.
        """
        until = max(self.clock.now(), minute or self.clock.now())
        with self.clock.deadline(seconds):
            due = self._due(until, seconds)
            jobs, runs = len(due.job_keys), len(due.run_keys)
            is_much = jobs > self.most_jobs or runs > self.most_runs
            parts, left = self._hand_out(due, until) if is_much else (0, due)
            self._do(left, until, seconds, leaves_launches=parts > 0)
        if jobs or runs:
            log.info("swept", jobs=jobs, runs=runs, parts=parts)
        return {"jobs": jobs, "runs": runs, "parts": parts}

    def part(self, event: Mapping[str, Any]) -> dict[str, int]:
        """Do a part that a turn handed out."""
        part = shard_part(event)
        if part is None:
            did = {"launched": self.launcher.turn(seconds=TURN)}
        else:
            until = max(self.clock.now(), datetime.fromisoformat(event["until"]))
            did = self.shard_sweep.turn(part, until)
        log.info("swept a part", **{**event, **did})
        return did

    def _due(self, until: datetime, seconds: float) -> Due:
        """
        What is due in each shard, as far as it fits into a page.

        This is all that a sweep costs while nothing is due: one query for each shard and index.
        """
        due = Due()
        shards = range(self.settings.shards)
        with log.and_continue("jobs not swept"), self.clock.deadline(seconds * SHARE):
            for shard in shards:
                due.jobs[shard] = self.jobs_table.due(shard, until, PER_SHARD)
        with log.and_continue("runs not swept"), self.clock.deadline(seconds * SHARE):
            for shard in shards:
                due.runs[shard] = self.due_runs_table.due(shard, self.clock.now(), PER_SHARD)
        return due

    def _hand_out(self, due: Due, until: datetime) -> tuple[int, Due]:
        """
        Have functions of their own do the parts, the launches first.

        Returns how many were handed out, and what is left for this function: nothing, unless
        Lambda takes no more.
        """
        if self.settings.sweep_part_function is None:
            return 0, due
        parts = due.parts
        begun = 0
        with log.and_continue("parts not handed out"):
            for event in (LAUNCHES, *(part.as_event() for part in parts)):
                self.functions.begin_part({**event, "until": until.isoformat()})
                begun += 1
        if not begun:
            return 0, due
        left = {part.shard for part in parts[begun - 1 :]}
        return begun, Due(_only(due.jobs, left), _only(due.runs, left))

    def _do(self, due: Due, until: datetime, seconds: float, *, leaves_launches: bool) -> None:
        """
        Schedules, then runs, then deletes, each within its share of the turn, so that no backlog
        of one starves the others.
        """
        found: list[Job] = []
        with log.and_continue("jobs not swept"), self.clock.deadline(seconds * SHARE):
            found = self.shard_sweep.still_due(due.job_keys, until)
            found.sort(key=attrgetter("work_at"))
            active = fair_order((job for job in found if job.is_active), attrgetter("pk"))
            self.shard_sweep.schedules(active, until, leaves_launches=leaves_launches)
        left = self.clock.remaining() - DELETES
        with log.and_continue("runs not swept"), self.clock.deadline(left):
            waiting, over = self.due_runs.look(due.run_keys)
            self.launcher.launch(waiting)
            # what is over and only has its event to send must not be in the way of what is not
            self.due_runs.announce(over)
        self.shard_sweep.deletes([job for job in found if not job.is_active])


def _only(by_shard: Mapping[int, list[T]], shards: set[int]) -> dict[int, list[T]]:
    return {shard: found for shard, found in by_shard.items() if shard in shards}
