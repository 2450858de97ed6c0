"""
What happens to a claimed run: launched, seen, stopped, finished or retried.

Everything here may be done twice, by two processes at once, or die between any two calls:
each write is conditional on the run being as it was read, RunTask carries a token, StopTask may
be repeated, and a live run keeps a `look_at`, at which the sweep looks at it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import Described, Ecs, task_tags
from chalicelib.domain import capacity, ecs_task, run_states, run_step, time_limits, transitions
from chalicelib.domain.change import Change
from chalicelib.domain.ecs_task import Task
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.run_step import Step
from chalicelib.engine.announcements import Announcements
from chalicelib.engine.overrides import run_overrides
from chalicelib.settings import Settings
from chalicelib.tables.run_records import Run
from chalicelib.tables.runs import RunsTable, expiry

TURNS = 8
"""How often a step is decided anew after a concurrent write of the run."""
AT_ONCE = 100
"""Runs that one read asks ECS about, and waiting runs that are looked at when one has stopped."""


@dataclass(slots=True)
class Lifecycle:
    """What happens to a claimed run."""

    runs_table: RunsTable
    ecs: Ecs
    announcements: Announcements
    settings: Settings
    clock: Clock

    def settle(self, run: Run, decide: Callable[[Run], Step | None]) -> Run | None:
        """
        Store the step that `decide` chooses for a run, and do what follows; returns the run
        afterwards.

        1. Store the step, on condition that the run is as `decide` saw it; else read it again and
        decide again. None: the run was deleted with its job.
        2. Stop the task that must not go on. Dying before it is fine: the sweep stops it again.
        3. Announce a run that became terminal, and launch what waited for it. Dying before is fine
        too: `announce` keeps the run in the sweep's index, and `waits_for` the one that waits.

        Once the step is stored, no failure is raised to the caller any more.
        """
        for _ in range(TURNS):
            step = decide(run)
            if step is None:
                return run
            if self._store(run, step):
                self._follow(run, step)
                return run
            fresh = self.runs_table.get(run.job_id, run.run_id)
            if fresh is None:
                return None
            run = fresh
        raise Unavailable("The run is changing too fast. Try again.", retry_after=1)

    def _store(self, run: Run, step: Step) -> bool:
        if not step.changes:
            return True
        changes = dict(step.changes)
        status = changes.get("status", run.status)
        if step.outcome is not None and self.settings.event_bus:
            changes["announce"] = True
        is_announced = not changes.get("announce", run.announce)
        if not is_announced and changes.get("look_at", run) is None:
            changes["look_at"] = self.clock.now()  # its event is still due
        live = changes.get("live", run.live)
        if status in run_states.TERMINAL and live is None and is_announced:
            finished_at = changes.get("finished_at") or run.finished_at or self.clock.now()
            changes["expires"] = expiry(finished_at, self.settings.run_retention_days)
        if step.outcome is not None:
            return self.runs_table.finish(run, changes, step.outcome, step.change)
        return self.runs_table.change(run, changes)

    def _follow(self, run: Run, step: Step) -> None:
        if step.stop is not None:
            self.stop(run, step.stop)
        if step.outcome is not None:
            delay = run_step.start_delay(run)
            log.info("run finished", **run.log_ids, status=run.status, start_delay_seconds=delay)
            with log.and_continue("announcing left to the sweep", **run.log_ids):
                self.announce(run)
        if step.releases_waiting_runs or (run.at_most and step.leaves_flight):
            with log.and_continue("launching what waited left to the sweep", job_id=run.job_id):
                self.release(run.project, run.job_id)

    def stop(self, run: Run, task_arn: str) -> None:
        """Stop a task of a run; if ECS does not answer, the sweep repeats it."""
        reason = f"Jobyard: {run.stop_reason or 'not the current task of its run'}"
        with log.and_continue("stopping left to the sweep", task=task_arn, **run.log_ids):
            self.ecs.stop(task_arn, reason)

    def announce(self, run: Run) -> None:
        """
        Put a terminal run on the operator's event bus, and what people are told of it, at least
        once.

        `announce` is removed from the run only after the bus took the event. If the process dies in
        between, or the bus is down, the sweep sends it again; the transition never waits for it.
        Until then retention does not begin, since a run must not expire before its event is sent.
        If the operator has removed the bus from the settings, nothing is sent.
        """
        if not run.announce:
            return
        try:
            if self.settings.event_bus:
                self.announcements.send(run)
        except Unavailable as failed:
            now = self.clock.now()
            self.runs_table.change(run, {"look_at": now + time_limits.until_announced(run, now)})
            log.postponed("event postponed", failed, **run.log_ids)
            return
        done = {"announce": None, "notice": None}
        self._store(run, Step(done if run.live else {**done, "look_at": None}))

    def launch(self, run: Run) -> Run | None:
        """
        Start the ECS task of a run's current attempt.

        1. Lease the launch for LAUNCH_LEASE, unless the claim did. From here on a task may exist,
        and no other launcher calls RunTask before the lease ends.
        2. RunTask; run, attempt and launch number are the client token, so a repetition is safe.
        3. Record the task, unless its own event came first.

        After a refusal that may pass, or if every request was throttled, the run waits and the
        sweep tries again; a refusal that will not pass fails the attempt. A refusal counts only
        where it proves that the launch has no task. An earlier request that got no answer, perhaps
        of a process that died, may have created one: then the same token is sent until ECS answers
        it. And one of a process that was only delayed may still create one, so the token stays
        until that process must have ended.
        """
        now = self.clock.now()
        first_asked = run.requested_at or now
        was_asked = run.requested_at is not None and (run.look_at is None or run.look_at <= now)
        if was_asked or run.requested_at is None:
            taken = {
                "requested_at": first_asked,
                "retry_at": None,
                "waits_for": None,
                "look_at": now + time_limits.LAUNCH_LEASE,
            }
            if run.waits_for:  # no time limit counts what it waited for others
                taken |= {"waiting_since": now, "released_at": now}
            if not self.runs_table.change(run, taken):
                # another launcher, or a cancel, was first
                return self.runs_table.get(run.job_id, run.run_id)
        leased_until = run.look_at
        try:
            answer = self.ecs.run(
                task_definition=run.task_definition,
                on_spot=run.capacity == capacity.SPOT,
                client_token=f"{run.run_id}-{run.attempt}-{run.launch}",
                started_by=ecs_task.started_by(run.job_id, run.run_id, run.attempt),
                overrides=run_overrides(run),
                tags=task_tags(run.tags or []),
            )
        except Unavailable:
            log.warning("launch unanswered", **run.log_ids)
            return run
        if isinstance(answer, str):
            return self._record(run, answer)
        why = answer.error.message
        log.warning("launch refused", why=why, **run.log_ids)
        if answer.is_denial:
            log.denied("launch refused", "RunTask", answer.code, why, **run.log_ids)
        # a lease later than this launcher's means that another one calls RunTask too
        is_late = now - first_asked >= time_limits.UNKNOWN_LAUNCH
        held = leased_until if not was_asked or (answer.proves_no_task and is_late) else None
        return self._refused(run, answer, held)

    def _refused(self, run: Run, refusal: Refusal, held: datetime | None) -> Run | None:
        """
        Store that ECS refused a launch. The launch has no task if no other launcher has requested
        one, which is so while the run still has the lease `held`.
        """
        launched = (run.attempt, run.launch)

        def decide(r: Run) -> Step | None:
            if (r.attempt, r.launch) != launched or r.task_arn is not None or r.is_terminal:
                return None
            if held is not None and r.look_at == held:
                return time_limits.turned_down(r, refusal, self.clock.now())
            return Step({"refusal": refusal.error.as_dict()})

        return self.settle(run, decide)

    def _record(self, run: Run, task_arn: str) -> Run | None:
        """Record the task of a launch, and stop it if its run must not go on."""
        launched = (run.attempt, run.launch)

        def decide(r: Run) -> Step | None:
            if r.task_arn == task_arn:
                return None  # its own event was faster
            if r.live is None or r.task_arn is not None or (r.attempt, r.launch) != launched:
                return Step(stop=task_arn)
            # the end of the lease is when the sweep looks: soon enough, and not moved it costs less
            return Step({"task_arn": task_arn}, stop=task_arn if r.stop_reason else None)

        recorded = self.settle(run, decide)
        if recorded is None:
            self.stop(run, task_arn)  # deleted with its job in between
        return recorded

    def apply_task(self, task: Task) -> Run | None:
        """
        Apply a task's state-change event, which may come late, twice or out of order. A task of
        Jobyard's whose run is gone is stopped; other tasks are left alone.
        """
        owner = ecs_task.owner(task.started_by)
        if owner is None:
            return None
        job_id, run_id, _ = owner
        run = self.runs_table.get(job_id, run_id)
        if run is None:
            if not task.is_stopped:
                log.warning("task without a run", job_id=job_id, run_id=run_id, task=task.arn)
                self.ecs.stop(task.arn, "Jobyard: its run is gone")
            return None
        return self.settle(run, lambda r: transitions.seen(r, task, self.clock.now()))

    def refresh(self, runs: Sequence[Run]) -> list[Run]:
        """
        Ask ECS about runs in flight, in one call for the first 100 that have a task, and store what
        is new; the runs as they are then, in the order given, less those that are gone.

        If ECS or the table cannot answer, the runs are returned as they were stored.
        """
        asked = [run for run in runs if run.live and run.task_arn][:AT_ONCE]
        if not asked:
            return list(runs)
        fresh: dict[str, Run | None] = {}
        try:
            described = self.describe_tasks(asked)
            for run in asked:
                fresh[run.run_id] = self.apply_description(run, described)
        except Unavailable as error:
            log.warning("not refreshed", runs=len(asked) - len(fresh), reason=error.message)
        known = [fresh.get(run.run_id, run) for run in runs]
        return [run for run in known if run is not None]

    def describe_tasks(self, runs: Sequence[Run]) -> Described:
        """What ECS says about the tasks of runs, each of which has one."""
        return self.ecs.describe([str(run.task_arn) for run in runs])

    def apply_description(self, run: Run, described: Described) -> Run | None:
        """Store what ECS says about a run's task; the run afterwards, None if it is gone."""
        arn, now = run.task_arn, self.clock.now()
        if arn in described.tasks:
            task = described.tasks[arn]
            after = self.settle(run, lambda r: transitions.seen(r, task, now))
        elif arn in described.missing:
            after = self.settle(
                run, lambda r: time_limits.missing(r, now) if r.task_arn == arn else None
            )
        else:
            return run
        if after is not None and after.live:
            # only for the reader; stored with the next change, or by the sweep
            after.observed_at = now
        return after

    def cancel(self, run: Run, reason: str, change: Change | None = None) -> Run | None:
        """
        Cancel a run that is not over; a terminal one stays as it is. Of a cancel and a finish, the
        one that is stored first decides. The stop reason is stored before StopTask is called, so
        dying in between leaves a live run that the sweep stops.
        """
        now = self.clock.now()
        return self.settle(
            run, lambda r: None if r.is_terminal else transitions.cancelled(r, reason, now, change)
        )

    def release(self, project: str, job_id: str) -> list[tuple[str, str]]:
        """
        Launch those runs of a job whose turn has come, in the order of their claims, that is, of
        how many stand before each; returns what is in flight. Called when a run has ended. Dying
        before the launch leaves the waiting run its `look_at`, and the sweep calls this too.
        """
        live = self.runs_table.live(project, job_id)
        pending = [run_id for run_id, status in live if status == run_states.PENDING][-AT_ONCE:]
        waiting = [r for r in self.runs_table.of_job(job_id, pending) if r.waits_for]
        for run in sorted(waiting, key=lambda r: r.ahead(live)):
            if not run.is_terminal and not run.is_held(live):
                self.launch(run)
        return live
