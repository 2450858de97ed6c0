"""
Invariants 1 to 6 and 8 to 10, which must hold once nothing changes any more. They are checked in
the tables, the tasks, the rules, the log groups and the task definitions.

Each function yields what is wrong, in words; it yields nothing if all is well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from chalicelib.domain import ecs_task, schedule
from chalicelib.domain.spent_tasks import arns
from chalicelib.tables.records import SWEEP, Job
from chalicelib.tables.run_records import Run
from infra.local.fidelity.tasks import Task
from tests.reliability import copies, interruptions, lines, notifications, told
from tests.reliability.copies import NO_TASK_NEEDED
from tests.reliability.world import ScheduleSeen, World

EARLY = timedelta(seconds=5)
"""How far the minute of a fire may be ahead of the clock: `intruders.a_fire`."""
MAY_BE_WITH_0 = ("timed_out", "lost", "infrastructure", "out_of_memory", "spot_interrupted")
"""Errors of runs whose container may have ended with 0."""


def hold_at_rest(world: World, *, losing_events: bool = False) -> None:
    """
    Let time pass until nothing changes; if something is wrong then, the audit may repair it.

    This takes a third less time than running the audit for every case.
    """
    world.pass_time(losing_events=losing_events)
    if wrong(world):
        hold_in_the_end(world, losing_events=losing_events)


def hold_in_the_end(world: World, *, losing_events: bool = False) -> None:
    """
    Let time pass until nothing changes, and run the audit an hour later; once more if something is
    still wrong. AssertionError lists what is wrong after that.
    """
    found: list[str] = []
    for _ in range(2):
        world.pass_time(losing_events=losing_events)
        world.clock.move(minutes=62)
        world.audit()
        world.pass_time(losing_events=losing_events)
        found = wrong(world)
        if not found:
            return
    raise AssertionError("\n".join(found))


def wrong(world: World) -> list[str]:
    """Everything that is wrong, in words."""
    return [
        *runs_end(world),
        *slots_are_kept(world),
        *slots_wait_for_their_jitter(world),
        *tasks_are_single(world),
        *interruptions.fit(world),
        *verdicts_fit(world),
        *counts_fit(world),
        *copies.fit(world),
        *told.fit(world),
        *everything_has_an_owner(world),
        *rules_fit(world),
        *ends_are_announced(world),
        *notifications.fit(world),
        *lines.hold(world),
        *copies.nothing_is_left_counted(world),
    ]


def runs_end(world: World) -> Iterator[str]:
    """1. A claimed run reaches a terminal status; none is lost, none is stuck."""
    for run in world.runs():
        if not run.is_terminal:
            yield f"{run.run_id} is still {run.status}"
        if run.live or run.look_at or run.look_shard:
            yield f"{run.run_id} is {run.status}, yet live={run.live} look_at={run.look_at}"
        if run.finished_at is None:
            yield f"{run.run_id} is {run.status} without an end"
    there = {run.run_id for run in world.runs()}
    jobs = {job.job_id for job in world.jobs()}
    for task in world.made:
        job_id, run_id, _ = _owner(task)
        if job_id in jobs and run_id not in there and task.arn not in world.strays:
            yield f"{run_id} had a task and is gone"


def _owner(task: Task) -> tuple[str, str, int]:
    owner = ecs_task.owner(task.started_by or "")
    assert owner is not None, task.started_by
    return owner


def slots_are_kept(world: World) -> Iterator[str]:
    """2. Every slot of an active schedule has exactly one run or one recorded miss."""
    recorded: dict[str, Counter[datetime]] = defaultdict(Counter)
    for run in world.runs():
        if run.scheduled_for is not None:
            recorded[run.job_id][run.scheduled_for] += 1
    for job in world.jobs():
        seen = world.schedules.get(job.job_id, [])
        slots = list(_slots(job, seen))
        expected = Counter(slot for slot, is_certain in slots if is_certain)
        possible = Counter(slot for slot, _ in slots)
        lacking = [f"{slot:%d %H:%M}" for slot in expected - recorded[job.job_id]]
        extra = [f"{slot:%d %H:%M}" for slot in recorded[job.job_id] - possible]
        if lacking or extra:
            yield f"{job.job_id}: slots without a record {lacking}, too many records {extra}"


def _slots(job: Job, seen: list[ScheduleSeen]) -> Iterator[tuple[datetime, bool]]:
    """
    Every slot from the job's creation to its cursor, under the schedule that then held, and whether
    it must have a record: one that waited for its jitter when the schedule changed has none.
    """
    for this, following in zip(seen, [*seen[1:], None], strict=True):
        spec = this.spec
        if spec["schedule"] is None or spec["paused"]:
            continue
        plan = schedule.parse(spec["schedule"], spec["timezone"])
        if following is not None:
            until = following.since
        else:
            assert job.next_slot is not None, f"{job.job_id} has a schedule and no cursor"
            assert plan.is_slot(job.next_slot), f"{job.job_id}: the cursor is on no slot"
            until = job.next_slot
        for slot in plan.slots_between(this.since, until):
            if slot != job.next_slot:
                yield slot, following is None or slot + max(this.delays) <= following.since


def slots_wait_for_their_jitter(world: World) -> Iterator[str]:
    """2. No slot starts, or is recorded as not started, before its job's jitter has passed."""
    for run in world.runs():
        if run.scheduled_for is None:
            continue
        due = run.due_at or run.scheduled_for
        seen = world.schedules.get(run.job_id, [])
        if due - run.scheduled_for not in {delay for one in seen for delay in one.delays}:
            yield f"{run.run_id} of the slot {run.scheduled_for} was due {due}"
        if run.created_at < due - EARLY:
            yield f"{run.run_id} was due {due}, and made {run.created_at}"


def tasks_are_single(world: World) -> Iterator[str]:
    """2. No tasks of a run overlap, and each ends; see `interruptions` for those of an attempt."""
    of_run: dict[str, list[Task]] = defaultdict(list)
    for task in world.made:
        of_run[_owner(task)[1]].append(task)
    for run_id, tasks in of_run.items():
        for earlier, later in pairwise(tasks):
            if earlier.stopped_at is None or earlier.stopped_at > later.created_at:
                yield f"{run_id}: {later.started_by} began before {earlier.started_by} had stopped"
    for task in world.made:
        if task.stopped_at is None:
            yield f"{task.started_by} still runs"


def verdicts_fit(world: World) -> Iterator[str]:
    """1. The status of a run is what its tasks did."""
    tasks = {task.arn: task for task in world.made}
    known: set[str] = set()
    for run in world.runs():
        past = run.past_attempts or []
        known |= {attempt["task_arn"] for attempt in past}
        known |= {arn for attempt in past for arn in arns(attempt.get("spent_tasks"))}
        known |= {*arns(run.spent_tasks), str(run.task_arn)}
        if [attempt["attempt"] for attempt in past] != list(range(1, len(past) + 1)):
            yield f"{run.run_id}: its attempts are {[a['attempt'] for a in past]}"
        if run.status == "cancelled":
            if not (run.stop_reason or (run.error or {}).get("code") in NO_TASK_NEEDED):
                yield f"{run.run_id} is cancelled for no reason"
            continue
        last = tasks.get(past[-1]["task_arn"]) if past else None
        code = last.containers[0].exit_code if last else None
        if run.status == "succeeded" and code != 0:
            yield f"{run.run_id} succeeded, and its task ended with {code}"
        if run.status == "failed":
            yield from _failure_fits(run, last, code)
    for task in world.made:
        _, run_id, _ = _owner(task)
        run_there = any(run.run_id == run_id and run.status != "cancelled" for run in world.runs())
        if run_there and task.started_at is not None and task.arn not in known:
            yield f"{task.started_by} ran, and its run does not know it"


def _failure_fits(run: Run, last: Task | None, code: int | None) -> Iterator[str]:
    why = (run.error or {}).get("code")
    if len(run.past_attempts or []) != run.max_attempts:
        yield f"{run.run_id} failed after {len(run.past_attempts or [])} of {run.max_attempts}"
    if code == 0 and why not in MAY_BE_WITH_0:
        yield f"{run.run_id} failed with {why}, and its task ended with 0"
    if why == "nonzero_exit" and (last is None or code != run.exit_code):
        yield f"{run.run_id} failed with exit code {run.exit_code}, and its task with {code}"


def counts_fit(world: World) -> Iterator[str]:
    """3. Counts of finished runs equal what finished."""
    finished: dict[str, Counter[str]] = defaultdict(Counter)
    for run in world.runs():
        skipped = (run.error or {}).get("code") in NO_TASK_NEEDED
        finished[run.job_id]["skipped" if skipped else run.status] += 1
    for stats in world.stats():
        counted = Counter(
            {
                name: int(getattr(stats, name))
                for name in ("succeeded", "failed", "cancelled", "skipped")
            }
        )
        if +counted != +finished[stats.pk]:
            yield f"{stats.pk} counts {+counted}, and has {+finished[stats.pk]}"


def everything_has_an_owner(world: World) -> Iterator[str]:
    """5. Nothing is left of a deleted job, or of one that was never stored."""
    on = world.on.settings
    jobs = {job.job_id: job for job in world.jobs()}
    for job in jobs.values():
        if job.state != "active":
            yield f"{job.job_id} is still {job.state}"
    for kind, found in (
        ("name", [name.job_id for name in world.names()]),
        ("counts", [stats.pk for stats in world.stats()]),
        ("log group", [group.rpartition("/")[2] for group in world.groups()]),
        ("task definition", {world.on.ecs.job_of(arn) for arn in world.definitions()}),
    ):
        if sorted(found) != sorted(jobs):
            yield f"{kind}: there for {sorted(found)}, jobs are {sorted(jobs)}"
    current = sorted(job.task_definition for job in jobs.values())
    if sorted(world.definitions()) != current:
        yield f"task definitions {world.definitions()}, current are {current}"
    for name, owner in (
        *((run.run_id, run.job_id) for run in world.runs()),
        *((key.sk, key.pk) for key in world.run_keys()),
        *((rule, world.on.rules.job_of(rule)) for rule in world.rules()),
    ):
        if owner not in jobs:
            yield f"{name} belongs to {owner}, which is gone"
    for key in world.run_keys():
        if not any(run.run_id == key.made for run in world.runs()):
            yield f"{key.sk} names {key.made}, which is not there"
    assert on.stage, "settings are there"


def rules_fit(world: World) -> Iterator[str]:
    """
    6. An active schedule has exactly its rules, and other jobs have none. A job that the sweep
    wakes has no rules: either the bus has no room for them, or the stage makes none.
    """
    wanted = {}
    makes_rules = world.on.settings.wake != SWEEP
    free = world.yard.aws.events.rules_per_bus - len(world.rules())
    for job in world.jobs():
        rules = world.on.rules.render(job.job_id, job.pk, job.spec)
        if job.woken_by == SWEEP or not makes_rules:
            if job.next_slot and (job.wake != SWEEP or (makes_rules and len(rules) <= free)):
                yield f"{job.job_id} is woken by {job.wake}; there is room for {free} rules"
            if job.work_at != job.next_due_at:
                yield f"{job.job_id} is due {job.next_due_at}, and looked at {job.work_at}"
            continue
        for rule in rules:
            wanted[rule["Name"]] = {
                "ScheduleExpression": rule["ScheduleExpression"],
                "State": rule["State"],
                "Targets": [world.on.rules.target(job.job_id, job.pk)],
            }
        is_active = job.spec["schedule"] is not None and not job.spec["paused"]
        awake = [
            name
            for name, rule in world.rules().items()
            if world.on.rules.job_of(name) == job.job_id and rule["State"] == "ENABLED"
        ]
        if bool(awake) != is_active:
            yield f"{job.job_id} has the rules {awake}, and active={is_active}"
    if world.rules() != wanted:
        yield f"rules are {world.rules()}, wanted {wanted}"


def ends_are_announced(world: World) -> Iterator[str]:
    """Every terminal run is announced at least once, with the status that it has."""
    said = defaultdict(set)
    for run_id, status in world.announced:
        said[run_id].add(status)
    for run in world.runs():
        expected = {run.status} if world.on.settings.event_bus else set()
        if said[run.run_id] != expected:
            yield f"{run.run_id} is {run.status}, and was announced as {said[run.run_id]}"
