"""
`advance`: every slot of a schedule that is due gets its run, or its recorded miss.

Level-triggered: what is due follows from the job's own cursor `next_slot` and the clock. A rule's
fire and the sweep only wake it, so a fire that is lost, doubled, late or stale cannot lose,
double or resurrect a slot.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chalicelib import contention, ids, lifecycle, log, schedule, states
from chalicelib.runs import new_run
from chalicelib.services import Services
from chalicelib.tables import jobs as jobs_table
from chalicelib.tables import runs as table
from chalicelib.tables.records import Job, Run

PROMPT = timedelta(minutes=2)
"""Slots younger than this start besides the newest, however late they are noticed."""
RECORDED_MISSES = 100
"""Of a longer gap only the newest misses are recorded one by one."""
FIRE_GRACE = timedelta(seconds=90)
"""How long the sweep gives a slot's own rule to fire."""
ADVANCE_TRIES = 6
"""About half a second of pauses: whoever gives up leaves the slot to the next sweep."""


def work_at(next_slot: datetime | None) -> datetime | None:
    """When the sweep should look at a job whose next slot is that one."""
    return None if next_slot is None else next_slot + FIRE_GRACE


def first_slot(spec: dict[str, Any], after: datetime) -> datetime | None:
    """The next slot of a job's spec, or None where its schedule does not fire."""
    if spec["schedule"] is None or spec["paused"]:
        return None
    return schedule.Schedule(spec["schedule"], spec["timezone"]).next_slot(after)


def fired(project: str, job_id: str, slot: datetime, *, on: Services) -> str:
    """
    A rule's fire, for the slot that it carries: what came of it, in a word.

    The slot may be ahead of this machine's clock, so both count. A rule may fire wider than its
    schedule, more than once, hours late, or for a job that is changed, paused or gone: those are
    answers, not errors.
    """
    job = jobs_table.get(project, job_id)
    if job is None or job.state != jobs_table.ACTIVE:
        return "gone"
    if job.next_slot is None:
        return "not scheduled"
    until = max(on.now(), slot.replace(second=0, microsecond=0))
    if job.next_slot > until:
        return "not due"
    advance(job, until, on=on)
    return "advanced"


def advance(job: Job, until: datetime, *, on: Services) -> None:
    """
    Bring a job's schedule up to `until`.

    1. The slots from the cursor to `until` are due. The newest starts, and with it every other
       one less than PROMPT old, unless it is later than the job's starting deadline; the rest
       are recorded as missed.
    2. Each slot's run has an id of its own, so recording or claiming it again changes nothing.
    3. The cursor moves past them, on condition that nobody else has moved it.

    Dying anywhere before 3 leaves them all due, and doing them again is harmless.
    """
    for _ in contention.tries(ADVANCE_TRIES):
        if job.state != jobs_table.ACTIVE or job.next_slot is None or job.next_slot > until:
            return
        if _advance_once(job, until, on=on):
            return
        fresh = jobs_table.get(job.pk, job.job_id)
        if fresh is None:
            return
        job = fresh


def _advance_once(job: Job, until: datetime, *, on: Services) -> bool:
    """False: the job changed meanwhile, and it must be thought through again."""
    plan = schedule.Schedule(job.spec["schedule"], job.spec["timezone"])
    assert job.next_slot is not None  # the caller has looked
    slots, older = plan.due(job.next_slot, until, RECORDED_MISSES)
    now = on.now()
    deadline = timedelta(seconds=job.spec["starting_deadline_seconds"])
    starting = {slot for slot in slots if now - slot < PROMPT} | set(slots[-1:])
    starting = {slot for slot in starting if now - slot <= deadline}
    for slot in slots:
        if slot in starting:
            if not _start(job, slot, on=on):
                return False
        else:
            unrecorded, older = older, 0
            _record(job, slot, "missed_deadline", _missed(unrecorded), 1 + unrecorded, on=on)
    next_slot = plan.next_slot(until)
    return jobs_table.move_cursor(job, next_slot, work_at(next_slot))


def _missed(older: int) -> str:
    message = "The slot was noticed too late to start."
    return f"{message} It stands for {older} older ones too." if older else message


def slot_run(job: Job, slot: datetime, now: datetime) -> Run:
    """The run of a slot: always the same id."""
    run = new_run(job, ids.of_slot(job.job_id, int(job.schedule_version), slot), now)
    run.trigger = "schedule"
    run.scheduled_for = slot
    return run


def _record(job: Job, slot: datetime, code: str, message: str, count: int, *, on: Services) -> None:
    """Put a slot that does not start into the history."""
    now = on.now()
    run = slot_run(job, slot, now)
    run.status = states.CANCELLED
    run.error = states.error(code, message).as_dict()
    run.finished_at = now
    run.claimed = run.live = run.look_at = run.requested_at = None
    if on.settings.event_bus:
        run.announce, run.look_at = True, now
    else:
        run.expires = table.expiry(now, on.settings.run_retention_days)
    if table.record_skip(run, job, count=count):
        log.info("slot not started", job_id=job.job_id, run_id=run.run_id, reason=code)
        lifecycle.announce(run, on=on)


def _start(job: Job, slot: datetime, *, on: Services) -> bool:
    """
    Claim and launch a slot's run, as the job's concurrency policy says; False: the job changed.

    `forbid` and `replace` read the gate, then what is in flight, and claim on condition of the
    gate: whoever claimed in between, by hand or by schedule, raised it.
    """
    policy = job.spec["concurrency_policy"]
    now = on.now()
    run = slot_run(job, slot, now)
    in_flight = [] if policy == "allow" else _in_flight(job, run, on=on)
    if policy == "forbid" and in_flight:
        why = f"The slot was skipped: {in_flight[0]} was still in flight."
        _record(job, slot, "skipped_overlap", why, 1, on=on)
        return True
    if policy == "replace" and in_flight:
        run.waits_for = in_flight
        run.requested_at = None
        run.look_at = now
    failed = table.claim(
        run,
        job,
        gate=None if policy == "allow" else int(job.gate),
        counts_as_overlap=policy != "allow",
        key=None,
        now=now,
    )
    if "run" in failed:
        return True  # claimed before; whoever did, or the sweep, launches it
    if failed:
        return False
    if policy != "allow":
        job.gate += 1
    log.info("slot claimed", job_id=job.job_id, run_id=run.run_id, slot=slot)
    if run.waits_for:
        replace(run, on=on)
    else:
        lifecycle.launch(run, on=on)
    return True


def _in_flight(job: Job, run: Run, *, on: Services) -> list[str]:
    """
    Ids of a job's other runs in flight, after asking ECS about them: a record whose event was
    lost must not block the slot.
    """
    others = [run_id for run_id, _ in table.live(job.job_id) if run_id != run.run_id]
    if not others:
        return []
    found = table.get_many([(job.job_id, run_id) for run_id in others[:100]])
    still = {r.run_id for r in lifecycle.refresh(found, on=on) if r.live}
    return [run_id for run_id in others if run_id in still or run_id in others[100:]]


def replace(run: Run, *, on: Services) -> None:
    """
    Make way for a slot's run: cancel what it waits for, and launch it once that has stopped.

    Run again by the sweep until it is launched, so dying between two cancels is fine.
    """
    earlier = table.get_many([(run.job_id, run_id) for run_id in (run.waits_for or [])[:100]])
    for other in earlier:
        lifecycle.cancel(other, "replaced", on=on)
    lifecycle.release(run.job_id, on=on)
