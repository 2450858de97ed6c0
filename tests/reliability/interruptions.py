"""The invariants of `capacity`: what tasks run on, and what follows when Spot interrupts them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from chalicelib.domain import ecs_task
from chalicelib.domain.capacity import ON_DEMAND_AFTER
from chalicelib.domain.spent_tasks import MAX_INTERRUPTIONS
from chalicelib.tables.run_records import Run
from infra.local.fidelity.tasks import Task
from tests.reliability.world import World

CODE = "SpotInterruption"
"""ECS's stop code."""


def fit(world: World) -> Iterator[str]:
    """
    2. An attempt has at most one task that started and was not interrupted. An interruption takes
    no retry: the attempt is launched again, five times at most. What each task runs on is what its
    job says, and an attempt that went on demand stays there.
    """
    tasks: dict[tuple[str, int], list[Task]] = defaultdict(list)
    for task in world.made:
        owner = ecs_task.owner(task.started_by or "")
        assert owner is not None, task.started_by
        tasks[owner[1:]].append(task)
    for (run_id, number), of_attempt in tasks.items():
        started = [task for task in of_attempt if task.started_at is not None]
        if any(task.stop_code != CODE for task in started[:-1]):
            yield f"{run_id}: attempt {number} ran {len(started)} times"
    for run in world.runs():
        for past in run.past_attempts or []:
            number = int(past["attempt"])
            of_attempt = tasks[run.run_id, number]
            times = sum(task.stop_code == CODE for task in of_attempt)
            code = (past["error"] or {}).get("code")
            is_early = code == "spot_interrupted" and times <= MAX_INTERRUPTIONS
            if times > MAX_INTERRUPTIONS + 1 or is_early:
                yield f"{run.run_id}: attempt {number} ended with {code} after {times}"
        for attempt in range(1, run.attempt + 1):
            yield from _capacity_fits(run, tasks[run.run_id, attempt])


def _capacity_fits(run: Run, tasks: list[Task]) -> Iterator[str]:
    on_spot = [task.is_spot for task in tasks]
    allowed = {
        None: [False] * len(tasks),
        "spot": [True] * len(tasks),
        "spot_then_on_demand": sorted(on_spot, reverse=True),
    }[run.job_capacity]
    if on_spot != allowed:
        yield f"{run.run_id} wants {run.job_capacity}, and its tasks were on Spot: {on_spot}"
    interrupted = sum(task.stop_code == CODE for task in tasks)
    if run.job_capacity == "spot_then_on_demand" and interrupted > ON_DEMAND_AFTER:
        yield f"{run.run_id} was interrupted {interrupted} times"
