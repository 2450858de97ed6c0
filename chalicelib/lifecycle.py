"""
What happens to a claimed run: launched, seen, stopped, finished or retried.

Everything here may be done twice, by two processes at once, or die between any two calls:
each write is conditional on the run being as it was read, RunTask carries a token, StopTask may
be repeated, and a live run keeps a `look_at` by which the sweep comes back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from chalicelib import log, states, transitions
from chalicelib.cloud.ecs import Described, overrides, task_tags
from chalicelib.errors import Unavailable
from chalicelib.refusals import Refusal
from chalicelib.services import Services
from chalicelib.states import Task
from chalicelib.tables import runs as table
from chalicelib.tables.records import Run
from chalicelib.transitions import Step

TURNS = 8
"""How often a step is thought through again when somebody else wrote the run meanwhile."""


def settle(run: Run, think: Callable[[Run], Step | None], *, on: Services) -> Run | None:
    """
    Apply what `think` makes of a run, and what follows from it; the run as it is then.

    1. Store the step, on condition that the run is as `think` saw it; else read it again and
       think again. None: it is gone, with its job.
    2. Stop the task that must not go on. Dying before it is fine: the run is live and has a
       `look_at`, and the sweep stops it again.
    3. Announce what became terminal, and let go what waited for it. Dying before is fine too:
       `announce` keeps the run in the sweep's index, and so does `waits_for` the other run.

    Once the step is stored, nothing that fails is the caller's any more.
    """
    for _ in range(TURNS):
        step = think(run)
        if step is None:
            return run
        if _store(run, step, on=on):
            _follow(run, step, on=on)
            return run
        fresh = table.get(run.job_id, run.run_id)
        if fresh is None:
            return None
        run = fresh
    raise Unavailable("The run is changing too fast. Try again.", retry_after=1)


def _store(run: Run, step: Step, *, on: Services) -> bool:
    if not step.changes:
        return True
    changes = dict(step.changes)
    status = changes.get("status", run.status)
    if step.outcome is not None and on.settings.event_bus:
        changes["announce"] = True
    is_announced = not changes.get("announce", run.announce)
    if not is_announced and changes.get("look_at", run) is None:
        changes["look_at"] = on.now()  # its event is still due
    live = changes.get("live", run.live)
    if status in states.TERMINAL and live is None and is_announced:
        finished_at = changes.get("finished_at") or run.finished_at or on.now()
        changes["expires"] = table.expiry(finished_at, on.settings.run_retention_days)
    if step.outcome is not None:
        return table.finish(run, changes, step.outcome)
    return table.change(run, changes)


def _follow(run: Run, step: Step, *, on: Services) -> None:
    if step.stop is not None:
        stop(run, step.stop, on=on)
    if step.outcome is not None:
        log.info(
            "run finished",
            job_id=run.job_id,
            run_id=run.run_id,
            status=run.status,
            start_delay_seconds=transitions.start_delay(run),
        )
        with log.going_on("announcing left to the sweep", job_id=run.job_id, run_id=run.run_id):
            announce(run, on=on)
    if step.frees:
        with log.going_on("launching what waited left to the sweep", job_id=run.job_id):
            release(run.job_id, on=on)


def stop(run: Run, task_arn: str, *, on: Services) -> None:
    """Tell ECS to stop a task of a run; when ECS cannot be told now, the sweep tells it again."""
    reason = f"Jobyard: {run.stop_reason or 'not the current task of its run'}"
    ids = {"job_id": run.job_id, "run_id": run.run_id, "task": task_arn}
    with log.going_on("stopping left to the sweep", **ids):
        on.ecs.stop(task_arn, reason)


def announce(run: Run, *, on: Services) -> None:
    """
    Put a terminal run on the operator's event bus, at least once.

    `announce` is taken off the run only after the bus took the event, so dying in between, or a
    bus that is down, repeats it by the sweep; it is never in the way of the transition. Until
    then retention does not begin either: the run must not expire with its event unsent. Where
    the operator has taken the bus out of the settings, there is nobody to tell.
    """
    if not run.announce:
        return
    try:
        if on.settings.event_bus:
            on.bus.put(run, on.now())
    except Unavailable:
        table.change(run, {"look_at": on.now() + transitions.until_announced(run, on.now())})
        log.warning("event postponed", job_id=run.job_id, run_id=run.run_id)
        return
    done = {"announce": None} if run.live else {"announce": None, "look_at": None}
    _store(run, Step(done), on=on)


def launch(run: Run, *, on: Services) -> Run | None:
    """
    Start the ECS task of a run's current attempt.

    1. Take the launch for LAUNCH_LEASE, unless the claim did: from here on a task may exist, and
       meanwhile nobody else asks for it.
    2. RunTask; run, attempt and launch number are the client token, so asking again is safe.
    3. Record the task, unless its own event came first.

    A refusal that may pass, and a throttle of every attempt, leaves the run waiting, to be tried
    again by the sweep; one that will not pass fails the attempt. But a refusal counts only where
    it proves that the launch has no task: an earlier request that got no answer, perhaps of a
    process that died, may have made one, and so the same token is sent until ECS answers it.
    """
    now = on.now()
    was_asked = run.requested_at is not None and (run.look_at is None or run.look_at <= now)
    if was_asked or run.requested_at is None:
        taken = {
            "requested_at": run.requested_at or now,
            "retry_at": None,
            "waits_for": None,
            "look_at": now + transitions.LAUNCH_LEASE,
        }
        if not table.change(run, taken):
            return table.get(run.job_id, run.run_id)  # another launcher, or a cancel, was first
    leased_until = run.look_at
    try:
        answer = on.ecs.run(
            task_definition=run.task_definition,
            client_token=f"{run.run_id}-{run.attempt}-{run.launch}",
            started_by=states.started_by(run.job_id, run.run_id, run.attempt),
            overrides=run_overrides(run),
            tags=task_tags(run.tags or []),
        )
    except Unavailable:
        log.warning("launch unanswered", job_id=run.job_id, run_id=run.run_id)
        return run
    if isinstance(answer, str):
        return _record(run, answer, on=on)
    log.warning("launch refused", job_id=run.job_id, run_id=run.run_id, why=answer.error.message)
    # the lease as this launcher holds it; a later one means that another launcher asks, too
    held = leased_until if answer.of_token or not was_asked else None
    return _refused(run, answer, held, on=on)


def _refused(run: Run, refusal: Refusal, held: datetime | None, *, on: Services) -> Run | None:
    """
    Store that ECS refused a launch.

    It has no task if nobody else has asked for it: `held` is the lease under which that is so.
    """
    launched = (run.attempt, run.launch)

    def think(r: Run) -> Step | None:
        if (r.attempt, r.launch) != launched or r.task_arn is not None or r.is_terminal:
            return None
        if held is not None and r.look_at == held:
            return transitions.turned_down(r, refusal, on.now())
        return Step({"refusal": refusal.error.as_dict()})

    return settle(run, think, on=on)


def _record(run: Run, task_arn: str, *, on: Services) -> Run | None:
    """The task of a launch is known: note it, and stop it where it is not wanted any more."""
    launched = (run.attempt, run.launch)

    def think(r: Run) -> Step | None:
        if r.task_arn == task_arn:
            return None  # its own event was faster
        if r.live is None or r.task_arn is not None or (r.attempt, r.launch) != launched:
            return Step(stop=task_arn)
        changes = {"task_arn": task_arn, "look_at": on.now() + transitions.LOOK_SOON}
        return Step(changes, stop=task_arn if r.stop_reason else None)

    recorded = settle(run, think, on=on)
    if recorded is None:
        stop(run, task_arn, on=on)  # deleted with its job in between
    return recorded


def run_overrides(run: Run) -> dict[str, object]:
    """RunTask's overrides for a run's current attempt."""
    own = {
        "JOBYARD_JOB_ID": run.job_id,
        "JOBYARD_RUN_ID": run.run_id,
        "JOBYARD_ATTEMPT": str(run.attempt),
    }
    if run.scheduled_for is not None:
        own["JOBYARD_SCHEDULED_FOR"] = str(transitions.iso(run.scheduled_for))
    return overrides(run.command if run.overridden else None, run.env or {}, own)


def task_seen(task: Task, *, on: Services) -> Run | None:
    """
    A task's state-change event: late, doubled or out of order, it can do no harm.

    A task of ours whose run is gone must not go on; a task that is not ours is not touched.
    """
    owner = states.owner(task.started_by)
    if owner is None:
        return None
    job_id, run_id, _ = owner
    run = table.get(job_id, run_id)
    if run is None:
        if not task.is_stopped:
            log.warning("task without a run stopped", job_id=job_id, run_id=run_id, task=task.arn)
            on.ecs.stop(task.arn, "Jobyard: its run is gone")
        return None
    return settle(run, lambda r: transitions.seen(r, task, on.now()), on=on)


def refresh(runs: Sequence[Run], *, on: Services) -> list[Run]:
    """
    Ask ECS about runs in flight, in one call for the first 100 that have a task, and store what
    is new; the runs as they are then, in the order given, less those that are gone.

    Where ECS, or the table, cannot answer, they are as they were stored.
    """
    asked = [run for run in runs if run.live and run.task_arn][:100]
    if not asked:
        return list(runs)
    fresh: dict[str, Run | None] = {}
    try:
        described = ask(asked, on=on)
        for run in asked:
            fresh[run.run_id] = told(run, described, on=on)
    except Unavailable as error:
        log.warning("not refreshed", runs=len(asked) - len(fresh), reason=error.message)
    known = [fresh.get(run.run_id, run) for run in runs]
    return [run for run in known if run is not None]


def ask(runs: Sequence[Run], *, on: Services) -> Described:
    """What ECS says of the tasks of at most 100 runs, each with one."""
    return on.ecs.describe([str(run.task_arn) for run in runs])


def told(run: Run, described: Described, *, on: Services) -> Run | None:
    """A run with a task, once what ECS says of that is stored; None: it is gone."""
    arn, now = run.task_arn, on.now()
    if arn in described.tasks:
        task = described.tasks[arn]
        after = settle(run, lambda r: transitions.seen(r, task, now), on=on)
    elif arn in described.missing:
        after = settle(
            run, lambda r: transitions.missing(r, now) if r.task_arn == arn else None, on=on
        )
    else:
        return run
    if after is not None and after.live:
        after.observed_at = now  # for the reader; stored when something changes, or by the sweep
    return after


def cancel(run: Run, reason: str, *, on: Services) -> Run | None:
    """
    Cancel a run that is not over; one that is stays as it is.

    Whichever of cancel and finish is stored first decides. The stop reason is stored before
    StopTask is called, so dying in between leaves a live run that the sweep stops.
    """

    def think(r: Run) -> Step | None:
        return None if r.is_terminal else transitions.cancelled(r, reason, on.now())

    return settle(run, think, on=on)


def release(job_id: str, *, on: Services) -> None:
    """
    Launch the runs of a job that were held back until others had stopped, where they have.

    Called when a cancelled run's container has ended. Dying before the launch leaves the held
    run with its `look_at`, and the sweep comes here too.
    """
    live = table.live(job_id)
    pending = [run_id for run_id, status in live if status == states.PENDING]
    for run in table.get_many([(job_id, run_id) for run_id in pending[:100]]):
        if run.waits_for and not run.is_terminal and not is_held(run, live):
            launch(run, on=on)


def is_held(run: Run, live: Sequence[tuple[str, str]]) -> bool:
    """Whether any of the runs that `run` waits for is in flight still."""
    return not {run_id for run_id, _ in live}.isdisjoint(run.waits_for or [])
