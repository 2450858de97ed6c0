"""
Runs that are over, as the product would have stored them.

A run is made and brought to its end by the product's own functions, in memory: what a task's end
means, and what is stored of it, is not written down a second time here.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import ecs_task, run_cost, run_errors, run_states, spent_tasks, transitions
from chalicelib.domain.run_step import Step, ended
from chalicelib.domain.verdicts import Verdict
from chalicelib.tables.run_records import Run
from infra.local import REGION
from infra.local.provision import ACCOUNT
from infra.local.sample_jobs import CANCELLED, MISSED, SKIPPED, WORKED

SLOTS = {
    SKIPPED: "Skipped: an earlier run was still in flight.",
    MISSED: "The slot was noticed too late to start.",
}
EXITED = {"stopCode": "EssentialContainerExited"}
NOT_STARTED = {"stopCode": "TaskFailedToStart"}
ENDS: dict[str, dict[str, Any]] = {
    WORKED: EXITED | {"exitCode": 0},
    "nonzero_exit": EXITED | {"exitCode": 2},
    "out_of_memory": EXITED
    | {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
    "timed_out": {"stopCode": "UserInitiated", "exitCode": 143},
    "cancelled_by_user": {"stopCode": "UserInitiated", "exitCode": 143},
    "replaced": {"stopCode": "UserInitiated", "exitCode": 143},
    "infrastructure": {"stopCode": "TerminationNotice", "stoppedReason": "The host was retired."},
    "image_pull_failed": NOT_STARTED
    | {
        "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 1 "
        "time(s): failed to resolve ref ghcr.io/example/migrate:v9: not found"
    },
    "start_failed": NOT_STARTED
    | {
        "stoppedReason": "ResourceInitializationError: unable to pull secrets or registry auth: "
        "execution resource retrieval failed: AccessDeniedException"
    },
    "capacity_unavailable": NOT_STARTED
    | {"stoppedReason": "Capacity is unavailable at this time. Please try again later."},
}
"""How ECS describes the end of a task, by what the product makes of it."""


class Life:
    """Brings a pending run to its end; `run` is what is stored of it then."""

    def __init__(self, run: Run, dice: random.Random) -> None:
        self.run = run
        self.outcome = ""
        """What it is counted as."""
        self._dice = dice
        self._task: dict[str, Any] = {}

    def skip(self, code: str) -> None:
        """It was a slot that did not start."""
        run = self.run
        run.status, run.finished_at = run_states.CANCELLED, run.created_at
        run.error = run_errors.error(code, SLOTS[code]).as_dict()
        run.live = run.look_at = run.requested_at = None
        self._finished("skipped")

    def attempt(self, at: datetime, seconds: float, end: str) -> None:
        """An attempt that was launched at `at`, ran for so long and ended so."""
        run = self.run
        run.requested_at = at
        self._task = {
            "taskArn": self._arn(),
            "startedBy": ecs_task.started_by(run.job_id, run.run_id, run.attempt),
            "createdAt": at,
        }
        started = at + timedelta(milliseconds=self._dice.randint(9_000, 40_000))
        if end != "capacity_unavailable":
            self._task["pullStartedAt"] = at + timedelta(seconds=6)
        over = started + timedelta(milliseconds=int(seconds * 1000))
        if end == "lost":
            self._see(started, "RUNNING")
            why = run_errors.error("lost", "ECS does not know the task any more.")
            billed = {"billed": run_cost.until(run, run.pull_started_at, over)}
            self._store(ended(run, Verdict(False, None, why), over, over, billed))
            return
        if ENDS[end]["stopCode"] == "TaskFailedToStart":
            # as if it had been launched again and again already, where the reason may pass
            run.spent_tasks = [self._arn() for _ in range(spent_tasks.MAX_RELAUNCHES)]
        else:
            self._see(started, "RUNNING")
        if end in CANCELLED:
            self._store(transitions.cancelled(run, end, over))
        if end == "timed_out":
            over = started + timedelta(seconds=run.timeout_seconds + 4)
            run.stop_reason = end
        self._see(over, "STOPPED", **ENDS[end])

    def _see(self, at: datetime, status: str, **end: Any) -> None:
        """As when ECS's event about the task arrives."""
        container = {"name": "main"} | {
            key: end.pop(key) for key in ("exitCode", "reason") if key in end
        }
        times = {"RUNNING": "startedAt", "STOPPED": "stoppedAt"}
        self._task |= {"lastStatus": status, times[status]: at, "containers": [container], **end}
        self._task["version"] = self._task.get("version", 0) + 1
        step = transitions.seen(self.run, ecs_task.read_task(self._task), at)
        assert step is not None, self._task
        self._store(step)

    def _store(self, step: Step) -> None:
        self.run.apply({**step.changes, "rev": self.run.rev + 1})
        if step.outcome is not None:
            self._finished(step.outcome)

    def _finished(self, outcome: str) -> None:
        self.outcome = outcome
        if outcome != run_states.SUCCEEDED:
            self.run.unsuccessful = f"{self.run.listed}#{self.run.status}"

    def _arn(self) -> str:
        task_id = f"{self._dice.getrandbits(128):032x}"
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/jobyard-local/{task_id}"
