"""
What `queue`, `forbid`, `replace` and `max_concurrent_runs` promise, checked in the tasks. As in
`invariants`, each function yields what is wrong, in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from chalicelib.domain import ecs_task
from chalicelib.tables.run_records import Run
from infra.local.fidelity.tasks import Task
from tests.reliability.world import World


def hold(world: World) -> Iterator[str]:
    """9. No more of a job's runs have tasks at the same time than may, and a line keeps its order.

    The runs of a line are known by `at_most`. Under the other policies only slots are bound; they
    are checked where the job was never changed, since a run does not say what it was claimed under.
    """
    for job in world.jobs():
        runs = [run for run in world.runs() if run.job_id == job.job_id]
        line = [run for run in runs if run.at_most]
        if line:
            yield from _are_few(world, line, max(int(run.at_most or 0) for run in line))
            yield from _in_order(world, [run for run in line if run.at_most == 1])
        if job.version == 1 and job.spec["concurrency_policy"] in ("forbid", "replace"):
            slots = [run for run in runs if run.scheduled_for is not None]
            yield from _are_few(world, slots, job.spec["max_concurrent_runs"])


def _are_few(world: World, runs: Sequence[Run], most: int) -> Iterator[str]:
    tasks = [task for run in runs for task in _tasks(world, run)]
    for task in tasks:
        up = [
            other.started_by
            for other in tasks
            if other.created_at <= task.created_at
            and (other.stopped_at is None or other.stopped_at > task.created_at)
        ]
        if len(up) > most:
            yield f"{len(up)} tasks were up at once, at most {most} may be: {up}"


def _in_order(world: World, runs: Sequence[Run]) -> Iterator[str]:
    """Runs that were claimed at the same time may start in either order."""
    first = [(run, _tasks(world, run)[0]) for run in runs if _tasks(world, run)]
    first.sort(key=lambda one: (one[0].created_at, one[1].created_at))
    for (earlier, its), (later, other) in pairwise(first):
        if other.created_at < its.created_at:
            yield f"{later.run_id} started before {earlier.run_id}, which stood before it"


def _tasks(world: World, run: Run) -> list[Task]:
    made = [(ecs_task.owner(task.started_by or ""), task) for task in world.made]
    return [task for owner, task in made if owner is not None and owner[1] == run.run_id]
