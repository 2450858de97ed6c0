"""What a caller can ask of runs: trigger, get, list, cancel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import MAX_OVERRIDES
from chalicelib.domain import ids
from chalicelib.domain.actor import Actor
from chalicelib.domain.change import Change
from chalicelib.domain.errors import Conflict, FieldError, InvalidFields, NotFound, Unavailable
from chalicelib.engine import concurrency, contention
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.engine.new_run import new_run
from chalicelib.engine.overrides import run_overrides
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run, RunKey
from chalicelib.tables.runs import RunsTable
from chalicelib.usecases.idempotency import Once, key_reused
from chalicelib.usecases.paging import Fits, Page, take
from chalicelib.usecases.quotas import Quotas

if TYPE_CHECKING:
    from chalicelib.domain.job_spec import RunOverrides

LOOK_SECONDS = 5.0
"""Seconds after which a read stops waiting for ECS and answers what is stored."""


@dataclass(slots=True)
class Runs:
    """The runs of every job, as a caller may see and change them."""

    jobs_table: JobsTable
    runs_table: RunsTable
    lifecycle: Lifecycle
    quotas: Quotas
    settings: Settings
    clock: Clock

    def find(self, project: str, job_id: str, run_id: str) -> Run:
        """A run as it is stored, where its job is active in this project."""
        job, run = self.runs_table.get_with_job(project, job_id, run_id)
        active(job, job_id)
        if run is None or run.is_expired(self.clock.now()):
            raise no_such_run(run_id)
        return run

    def get(self, project: str, job_id: str, run_id: str) -> Run:
        """A run as it is now: ECS is asked about it if it is in flight."""
        fresh = self.refreshed([self.find(project, job_id, run_id)])
        if not fresh:
            raise no_such_run(run_id)
        return fresh[0]

    def refreshed(self, runs: Sequence[Run]) -> list[Run]:
        """The runs for a reader: as they are stored if ECS cannot answer just now, never an
        error."""
        try:
            with self.clock.deadline(LOOK_SECONDS):
                return self.lifecycle.refresh(runs)
        except Unavailable:
            return list(runs)

    def latest(self, job: Job) -> Run | None:
        """The run of a job that was claimed last, as it is now."""
        if job.latest_run is None:
            return None
        run = self.runs_table.get(job.job_id, job.latest_run)
        if run is None or run.is_expired(self.clock.now()):
            return None
        return next(iter(self.refreshed([run])), None)

    def list_page(
        self,
        project: str,
        job_id: str,
        *,
        limit: int | None,
        before: str | None,
        status: str | None,
        trigger: str | None,
        fits: Fits[Run],
    ) -> Page[Run]:
        """
        Runs newest first, and the run id to go on before.

        Those in flight among the newest 100 of the page are refreshed; a run that has another
        `status` afterwards is left out.
        """
        active(self.jobs_table.get(project, job_id), job_id)
        now = self.clock.now()
        is_filtered = status is not None or trigger is not None
        found = self.runs_table.newest(
            job_id,
            before=before,
            limit=None if is_filtered or limit is None else limit + 1,
            status=status,
            trigger=trigger,
        )
        kept = (run for run in found if not run.is_expired(now))
        page, more = take(kept, limit, fits, self.clock)
        last = page[-1].run_id if more else None
        runs = self.refreshed(page)
        return Page([run for run in runs if status is None or run.status == status], last)

    def trigger(
        self, project: str, job_id: str, wanted: RunOverrides, once: Once | None, by: Actor
    ) -> tuple[Run, bool]:
        """
        Start a run of a job by hand: the run, and whether this call made it.

        1. Read the job and what the Idempotency-Key made. A key that was used before decides, even
           if the job has changed: the answer is what it made.
        2. Claim the run, on condition that the job is still that version, the key still unused
           and the workspace's quota not used up (409 `quota_exceeded`); else all of it is
           repeated, after a pause, on what they are now.
        3. Launch it, unless it has to wait for its turn. Whatever ECS answers, the run is claimed
           and will end: dying here leaves it to the sweep. The answer is the pending run that was
           claimed.
        """
        from chalicelib.domain.job_spec import check_overrides

        for _ in contention.tries(self.clock):
            now = self.clock.now()
            job, made = self._job_and_made(project, job_id, once, now)
            if made is not None:
                return self._replayed(job_id, made), False
            check_overrides(wanted, job.spec["secrets"])
            run = new_run(job, ids.new_run(now), now, by.as_trigger(), self.settings)
            run = _overridden(run, wanted)
            policy = job.spec["concurrency_policy"]
            if policy == "queue":
                self._line_up(run, job, now)
            failed = self.runs_table.claim(
                run,
                job,
                gate=int(job.gate) if policy == "queue" else None,
                counts_as_overlap=policy != "allow",
                key=once.record(RunKey, job_id, run.run_id, now) if once else None,
                now=now,
            )
            if not failed:
                claimed = run.copy()
                with log.and_continue("launch left to the sweep", **run.log_ids):
                    if run.waits_for:  # what it waits for may have ended meanwhile
                        self.lifecycle.release(project, job_id)
                    else:
                        self.lifecycle.launch(run)
                return claimed, True
            if failed == {"quota"}:
                raise self.quotas.runs_used_up(project)
        raise contention.gave_up()

    def _line_up(self, run: Run, job: Job, now: datetime) -> None:
        """Let the run wait for its turn; 409 `queue_full` where as many wait as may."""
        in_flight = [run_id for run_id, _ in self.runs_table.live(job.pk, job.job_id)]
        if concurrency.is_line_full(job, in_flight):
            waiting = f"{concurrency.LONGEST_LINE} runs of the job are waiting already"
            raise Conflict(f"{waiting}. Cancel some, or try again later.", code="queue_full")
        concurrency.line_up(run, job, in_flight, now)

    def _job_and_made(
        self, project: str, job_id: str, once: Once | None, now: datetime
    ) -> tuple[Job, str | None]:
        """The active job, and the run that an earlier request with this key made."""
        if once is None:
            return active(self.jobs_table.get(project, job_id), job_id), None
        job, key = self.runs_table.job_and_key(project, job_id, once.key_id)
        return active(job, job_id), once.made_by(key, now)

    def _replayed(self, job_id: str, made: str) -> Run:
        """What an earlier request with this Idempotency-Key made, as it is now."""
        run = self.runs_table.get(job_id, made)
        if run is None:
            raise key_reused("what it made was removed")
        return next(iter(self.refreshed([run])), run)

    def cancel(self, project: str, job_id: str, run_id: str, by: Actor) -> None:
        """Cancel a run that is not over: 409 `run_already_finished` where it is."""
        run = self.find(project, job_id, run_id)
        if run.is_terminal:
            raise _finished(run.status)
        now = self.clock.now()
        change = Change(by, "cancel_run", run_id, run.job_name, now, job_id)
        after = self.lifecycle.cancel(run, "cancelled_by_user", change)
        if after is None:
            raise no_such_run(run_id)
        if after.stop_reason != "cancelled_by_user" or after.status != "cancelled":
            raise _finished(after.status)


def active(job: Job | None, job_id: str) -> Job:
    """The job, where there is one that is not being deleted; else NotFound."""
    if job is None or not job.is_active:
        raise NotFound(f"There is no job {job_id} in this project.")
    return job


def no_such_run(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id} of this job.")


def _overridden(run: Run, wanted: RunOverrides) -> Run:
    """`run` with its caller's overrides; 422 where they exceed ECS's limit."""
    if wanted.command is not None:
        run.command = wanted.command
        run.overridden = True
    if wanted.env:
        run.env = wanted.env
    size = len(json.dumps(run_overrides(run)))
    if size > MAX_OVERRIDES:
        what = f"take {size} characters as ECS counts them; at most {MAX_OVERRIDES} fit"
        raise InvalidFields(
            [
                FieldError(
                    "env" if wanted.env else "command",
                    f"The overrides of this run {what}. Put them into the job.",
                )
            ],
            code="overrides_too_large",
        )
    return run


def _finished(status: str) -> Conflict:
    message = f"The run is over already: its status is {status}."
    return Conflict(message, code="run_already_finished")
