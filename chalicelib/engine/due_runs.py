"""What is due for runs, except to launch them: ask ECS, stop what must stop, send events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import Described
from chalicelib.domain import run_step, time_limits
from chalicelib.domain.ecs_task import Task
from chalicelib.engine.at_once import ENOUGH
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.tables.due_runs import DueRun
from chalicelib.tables.run_records import Run
from chalicelib.tables.runs import RunsTable

AT_ONCE = 100
"""Runs that are read, and asked about by one DescribeTasks, between two looks at the time."""


@dataclass(slots=True)
class DueRuns:
    """Reads the runs that the sweep must look at, and looks at those that have a task."""

    runs_table: RunsTable
    lifecycle: Lifecycle
    clock: Clock

    def read(self, keys: Sequence[DueRun]) -> list[Run]:
        """Those that are due, as they are now: the index that named them lags."""
        now = self.clock.now()
        found = self.runs_table.get_many([(key.job_id, key.run_id) for key in keys])
        return [run for run in found if run.look_at is not None and run.look_at <= now]

    def look(self, keys: Sequence[DueRun]) -> tuple[list[Run], list[Run]]:
        """
        Ask ECS about the runs that have a task, and do what is due for them.

        Returns the others: those that wait for a launch, and those that are over and only have
        their event to send.
        """
        waiting: list[Run] = []
        over: list[Run] = []
        for start in range(0, len(keys), AT_ONCE):
            if self.clock.remaining() < ENOUGH:
                break
            runs = self.read(keys[start : start + AT_ONCE])
            waiting += [run for run in runs if run.live and not run.task_arn]
            over += [run for run in runs if not run.live]
            self._ask([run for run in runs if run.live and run.task_arn])
        return waiting, over

    def announce(self, runs: Sequence[Run]) -> None:
        """Send the events of runs that are over."""
        for run in runs:
            if self.clock.remaining() < ENOUGH:
                return
            with log.and_continue("run not swept", **run.log_ids):
                self.lifecycle.announce(run)

    def _ask(self, runs: Sequence[Run]) -> None:
        """Do what is due for runs with a task, after asking ECS about all of them at once."""
        if not runs:
            return
        described = Described({}, frozenset())
        with log.and_continue("tasks not described"):
            described = self.lifecycle.describe_tasks(runs)
        for run in runs:
            with log.and_continue("run not swept", **run.log_ids):
                task = described.tasks.get(str(run.task_arn))
                fresh = self.lifecycle.apply_description(run, described)
                if fresh is not None:
                    self._after_answer(fresh, task)

    def _after_answer(self, run: Run, task: Task | None) -> None:
        """A run with a task, and that as ECS has just shown it: stop what must stop, look again."""
        now = self.clock.now()
        if run.live is None or run.task_arn is None:
            self.lifecycle.announce(run)
            return
        if run.stop_reason is not None:
            # it should be stopping: StopTask may be repeated
            self.lifecycle.stop(run, run.task_arn)
            seen = {} if task is None else {"seen_at": now, "observed_at": now}
            self.runs_table.change(run, {"look_at": now + run_step.LOOK_SOON, **seen})
        elif time_limits.overdue(run, now) is not None:
            self.lifecycle.settle(run, lambda r: time_limits.overdue(r, self.clock.now()))
        elif task is not None and run.look_at is not None and run.look_at <= now:
            started = run.attempt_started_at
            soon = now + run_step.LOOK_SOON
            look_at = soon if started is None else run_step.next_look(run, started, now)
            # ECS knows its task, and there is nothing to do: somebody else's write is as good
            self.runs_table.change(run, {"look_at": look_at, "observed_at": now, "seen_at": now})
