"""
`advance`: every slot of a schedule that is due gets its run, or its recorded miss.

Level-triggered: what is due follows from the job's own cursor `next_slot` and the clock. A rule's
fire and the sweep only wake it, so a fire that is lost, doubled, late or stale cannot lose,
double or resurrect a slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.domain import notices, run_errors, run_states, schedule
from chalicelib.domain.times import iso
from chalicelib.engine import concurrency, contention
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.engine.new_run import slot_run
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import SWEEP, Job
from chalicelib.tables.run_records import Run
from chalicelib.tables.runs import RunsTable, expiry

ADVANCE_TRIES = 6
"""With pauses of half a second in all; after that the next sweep handles the slot."""
PROMPT = timedelta(minutes=2)
"""Besides the newest slot, those that are less late than this start too."""
RECORDED_MISSES = 100
"""After a longer gap only the newest misses are recorded one by one."""
ASKED_AT_ONCE = 100
"""Of the runs that a slot finds in flight: how many are looked at, or cancelled, at once."""
FIRE_GRACE = timedelta(seconds=90)
"""How long the sweep gives a slot's own rule to fire."""


@dataclass(slots=True)
class Scheduler:
    """Gives every due slot its run or its recorded miss."""

    jobs_table: JobsTable
    runs_table: RunsTable
    lifecycle: Lifecycle
    settings: Settings
    clock: Clock

    def fired(self, project: str, job_id: str, minute: datetime) -> str:
        """
        Handle a rule's fire in the minute of its event; returns the outcome in a word. It may be
        ahead of this machine's clock, so the later of the two counts. A rule may fire at more
        minutes than its schedule, more than once, hours late, or for a job that is changed, paused
        or gone: each is an outcome, not an error.
        """
        job = self.jobs_table.get(project, job_id)
        if job is None or not job.is_active:
            return "gone"
        if job.next_due_at is None:
            return "not scheduled"
        until = max(self.clock.now(), minute.replace(second=0, microsecond=0))
        if job.next_due_at > until:
            return "not due"
        self.advance(job, until)
        return "advanced"

    def advance(self, job: Job, until: datetime, *, leaves_launches: bool = False) -> None:
        """
        Bring a job's schedule up to `until`; the runs of its slots are launched at once, or left
        to the launcher.

        1. The slots from the cursor to `until` are due; where the job has jitter, those whose delay
           has passed. The newest starts, and with it every other one less than PROMPT late, unless
           it is later than the job's starting deadline; the rest are recorded as missed.
        2. Each slot's run has an id of its own, so recording or claiming it again changes nothing.
        3. The cursor moves past them, on condition that nobody else has moved it.

        Dying anywhere before 3 leaves them all due, and doing them again is harmless.
        """
        for _ in contention.tries(self.clock, ADVANCE_TRIES):
            if not job.is_active or job.next_due_at is None or job.next_due_at > until:
                return
            if self._advance_once(job, until, leaves_launches):
                return
            fresh = self.jobs_table.get(job.pk, job.job_id)
            if fresh is None:
                return
            job = fresh

    def _advance_once(self, job: Job, until: datetime, leaves_launches: bool) -> bool:
        """False: the job changed meanwhile, and the caller must decide again."""
        plan = schedule.Schedule(job.spec["schedule"], job.spec["timezone"])
        assert job.next_slot is not None  # the caller has looked
        slots, older = plan.due(job.next_slot, until - job.delay, RECORDED_MISSES)
        now = self.clock.now() - job.delay  # a slot's time to start, minus this, is how late it is
        deadline = timedelta(seconds=job.spec["starting_deadline_seconds"])
        starting = {slot for slot in slots if now - slot < PROMPT} | set(slots[-1:])
        starting = {slot for slot in starting if now - slot <= deadline}
        missed = [slot for slot in slots if slot not in starting]
        # one notification stands for all that were missed at once: the newest record carries it
        notice = _missed_notice(missed, older)
        for slot in slots:
            if slot in starting:
                if not self._start(job, slot, leaves_launches):
                    return False
            else:
                unrecorded, older = older, 0
                message, count = _missed(unrecorded), 1 + unrecorded
                told = notice if slot == missed[-1] else None
                self._record(job, slot, "missed_deadline", message, count, told)
        next_slot = plan.next_slot(until - job.delay)
        return self.jobs_table.move_cursor(job, next_slot, work_at(next_slot, job.wake, job.delay))

    def _record(
        self,
        job: Job,
        slot: datetime,
        code: str,
        message: str,
        count: int,
        notice: dict[str, Any] | None = None,
    ) -> None:
        """Record a slot that does not start in the history; `notice`: what people are told."""
        now = self.clock.now()
        run = slot_run(job, slot, now, self.settings)
        run.status = run_states.CANCELLED
        run.error = run_errors.error(code, message).as_dict()
        run.finished_at = now
        run.live = run.look_at = run.requested_at = None
        if self.settings.event_bus:
            run.announce, run.look_at, run.notice = True, now, notice
        else:
            run.expires = expiry(now, self.settings.run_retention_days)
        if self.runs_table.record_skip(run, job, count=count):
            log.info("slot not started", **run.log_ids, reason=code)
            self.lifecycle.announce(run)

    def _start(self, job: Job, slot: datetime, leaves_launch: bool) -> bool:
        """
        Claim and launch a slot's run, as the job's concurrency policy says; False: the job changed.
        A run that is left to the launcher is due at once, and nothing has been asked of ECS for it.

        The other policies read the gate, then what is in flight, and claim on condition of the
        gate: every claim in between, manual or scheduled, has raised it.
        """
        policy = job.spec["concurrency_policy"]
        now = self.clock.now()
        run = slot_run(job, slot, now, self.settings)
        in_flight = [] if policy == "allow" else self._in_flight(job, run)
        surplus = concurrency.surplus(job, in_flight)
        if policy == "forbid" and surplus:
            others = f"{surplus[0]} was" if len(in_flight) == 1 else f"{len(in_flight)} runs were"
            why = f"The slot was skipped: {others} still in flight."
            self._record(job, slot, "skipped_overlap", why, 1)
            return True
        if policy == "queue" and concurrency.is_line_full(job, in_flight):
            why = f"The slot was skipped: {concurrency.LONGEST_LINE} runs were waiting already."
            self._record(job, slot, "skipped_queue_full", why, 1)
            return True
        if policy == "replace":
            run.waits_for = surplus or None
        if policy == "queue":
            concurrency.line_up(run, job, in_flight, now)
        if run.waits_for or leaves_launch:
            run.requested_at = None
            run.look_at = now
        failed = self.runs_table.claim(
            run,
            job,
            gate=None if policy == "allow" else int(job.gate),
            counts_as_overlap=policy != "allow",
            key=None,
            now=now,
        )
        if "run" in failed:
            return True  # claimed before; its claimer, or the sweep, launches it
        if failed == {"quota"}:
            quota = f"quota of runs in flight, {self.settings.max_runs_in_flight:,},"
            why = f"The slot was skipped: the workspace's {quota} was used up."
            self._record(job, slot, "skipped_quota", why, 1, _missed_notice([slot], 0))
            return True
        if failed:
            return False
        if policy != "allow":
            job.gate += 1
        log.info("slot claimed", **run.log_ids, slot=slot)
        if run.waits_for:
            self.let_wait(run)
        elif not leaves_launch:
            self.lifecycle.launch(run)
        return True

    def _in_flight(self, job: Job, run: Run) -> list[str]:
        """
        Ids of a job's other runs in flight, the cancelled ones first, then the oldest. ECS is asked
        about them, since a run whose event was lost must not block the slot.
        """
        live = self.runs_table.live(job.pk, job.job_id)
        live.sort(key=lambda one: one[1] not in run_states.TERMINAL)
        others = [run_id for run_id, _ in live if run_id != run.run_id]
        if not others:
            return []
        asked, rest = others[:ASKED_AT_ONCE], others[ASKED_AT_ONCE:]
        found = self.runs_table.of_job(job.job_id, asked)
        still = {r.run_id for r in self.lifecycle.refresh(found) if r.live}
        return [run_id for run_id in asked if run_id in still] + rest

    def let_wait(self, run: Run) -> list[tuple[str, str]]:
        """
        Cancel the runs that a slot's run replaces, and launch those whose turn has come: what it
        waits for may have ended while it was claimed. Returns what is in flight. The sweep repeats
        this until the run is launched, so dying between any two of these is fine.
        """
        if run.at_most is None:
            first = (run.waits_for or [])[:ASKED_AT_ONCE]
            for other in self.runs_table.of_job(run.job_id, first):
                self.lifecycle.cancel(other, "replaced")
        return self.lifecycle.release(run.project, run.job_id)


def work_at(next_slot: datetime | None, wake: str | None, delay: timedelta) -> datetime | None:
    """When the sweep should look at a job whose next slot is that one, which is woken so, and which
    starts `delay` after its slots."""
    if next_slot is None:
        return None
    return next_slot + delay + (timedelta(0) if wake == SWEEP else FIRE_GRACE)


def first_slot(spec: dict[str, Any], after: datetime) -> datetime | None:
    """The next slot of a job's spec, or None where its schedule does not fire."""
    if spec["schedule"] is None or spec["paused"]:
        return None
    return schedule.Schedule(spec["schedule"], spec["timezone"]).next_slot(after)


def _missed_notice(missed: list[datetime], older: int) -> dict[str, Any] | None:
    if not missed:
        return None
    return {"kind": notices.MISSED, "slots": len(missed) + older, "since": iso(missed[0])}


def _missed(older: int) -> str:
    message = "The slot was noticed too late to start."
    return f"{message} It stands for {older} older ones too." if older else message
