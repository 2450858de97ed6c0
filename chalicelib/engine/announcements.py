"""What is put on the operator's event bus of a run that is over: its end, and what people are
told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.clock import Clock
from chalicelib.cloud.bus import NOTIFICATION, RUN_STATE_CHANGE, Bus
from chalicelib.domain import ids, notices
from chalicelib.domain.run_states import FAILED
from chalicelib.domain.times import iso
from chalicelib.settings import Settings
from chalicelib.tables.recent_runs import EMPTY, unpacked
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run, Stats
from chalicelib.tables.runs import RunsTable


@dataclass(slots=True)
class Announcements:
    """Makes the events of a run and puts them on the bus."""

    runs_table: RunsTable
    bus: Bus
    event_of: Callable[[Run], dict[str, Any]]
    settings: Settings
    clock: Clock

    def send(self, run: Run) -> None:
        """
        Put a run's events on the bus, in one request; Unavailable: the bus did not take them all,
        and they must be sent again.

        Whether the run is the first to fail, or to succeed again, was decided by the transaction
        that counted it (`RunsTable.finish`), so sending them again tells nothing new. What the job
        wants to be told of is read here, so a change of `notify` counts at once. It is not read
        for runs of which there is nothing to tell, which is most.
        """
        events = {RUN_STATE_CHANGE: self.event_of(run)}
        if run.notice or run.status == FAILED:
            job, stats = self.runs_table.job_and_counts(run.project, run.job_id)
            if job is not None and stats is not None:
                events |= self._notification(run, job, stats)
        self.bus.put(events, run.task_arn, self.clock.now())

    def _notification(self, run: Run, job: Job, stats: Stats) -> dict[str, dict[str, Any]]:
        wanted = job.spec.get("notify", notices.DEFAULT)
        kind = notices.kind_of(run.status, run.notice, wanted)
        if kind is None:
            return {}
        is_all = EMPTY in stats.recent
        failed = notices.streak(unpacked(stats.recent), run.run_id, is_all=is_all)
        missed = run.notice if kind == notices.MISSED and run.notice else {}
        workspace_id, project_id = ids.of_project(run.project)
        path = f"#/{workspace_id}/{project_id}/jobs/{run.job_id}"
        return {
            NOTIFICATION: {
                "kind": kind,
                "stage": self.settings.stage,
                "text": notices.text(kind, run, failed, stats.last_succeeded_at),
                "console_path": path if missed else f"{path}/runs/{run.run_id}",
                "failures": failed.failures,
                "failing_since": iso(failed.since) if failed.is_whole else None,
                "last_succeeded_at": iso(stats.last_succeeded_at),
                "missed_slots": missed.get("slots"),
                "missed_since": missed.get("since"),
                "run": self.event_of(run),
            }
        }
