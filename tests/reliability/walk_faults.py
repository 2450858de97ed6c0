"""What may go wrong in a random walk, and how its tasks may end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

from infra.local.fidelity.operations import NOTHING, Failure
from infra.local.fidelity.run_task import EcsError
from infra.local.fidelity.tasks import Task
from tests.reliability import intruders
from tests.reliability.intruders import Intruder, Meeting
from tests.reliability.wire import Failing, die, refused, throttled, unanswered
from tests.reliability.world import World

T = TypeVar("T")


FAR = 10**15
"""Larger than any number in the code, which hypothesis would else prefer: the walks would be others
with every change of any module."""


def pick(*options: T) -> st.SearchStrategy[T]:
    """One of the options, each equally likely: `sampled_from` prefers a few of them."""
    return st.integers(FAR, FAR + 2**24).map(lambda number: options[number % len(options)])


KINDS: dict[str, tuple[str, Failing]] = {
    "dies before": ("asking", die),
    "dies after": ("answered", die),
    "throttled": ("asking", lambda _, name: throttled(name)),
    "unanswered": ("asking", lambda _, name: unanswered(name)),
    "made, unanswered": ("answered", lambda _, name: unanswered(name)),
    "down": ("asking", lambda _, name: refused(name, "503", "Service Unavailable", 503)),
}
"""The kinds of failures, with the moment of the call at which each happens."""
MEANWHILE: dict[str, Intruder] = {
    "meets a sweep": intruders.a_sweep,
    "meets an end": intruders.an_end,
    "meets an unheard end": intruders.an_unheard_end,
    "meets an interruption": intruders.an_interruption,
    "meets a cancel": intruders.a_cancel,
    "meets a read": intruders.a_read,
    "meets a trigger": intruders.a_trigger,
    "meets a fire": intruders.a_fire,
}
"""What another process does at a call; the operation then goes on."""
CALLS = [
    *["ecs.RunTask"] * 3,
    "ecs.StopTask",
    "ecs.DescribeTasks",
    "dynamodb.TransactWriteItems",
    "dynamodb.UpdateItem",
]


@dataclass(frozen=True)
class Fault:
    """What happens at an AWS call: one by its number, or each of one name."""

    kind: str = "none"
    where: int | str = 1

    @contextlib.contextmanager
    def on(self, world: World) -> Iterator[None]:
        if self.kind in MEANWHILE:
            meeting = Meeting(world, MEANWHILE[self.kind], self.where)
            with world.wire.failing(asking=meeting):
                yield
            meeting.check()
        elif self.kind in KINDS:
            moment, fail = KINDS[self.kind]

            def at(count: int, name: str) -> Any:
                return fail(count, name) if self.where in (count, name) else None

            with world.wire.failing(**{moment: at}):
                yield
        else:
            yield

    @property
    def is_failure(self) -> bool:
        """Whether AWS or the process fails."""
        return self.kind in KINDS


NONE = Fault()
FAULTS = st.builds(
    Fault,
    pick(*["none"] * 4, *sorted(KINDS), *sorted(MEANWHILE)),
    pick(*CALLS, *range(1, len(CALLS) + 1)),
)

REFUSALS: list[Callable[[], Any]] = [
    lambda: Failure("RESOURCE:ENI"),
    lambda: Failure("Capacity is unavailable at this time. Please try again later."),
    lambda: NOTHING,
    lambda: EcsError("ThrottlingException", "Rate exceeded"),
    lambda: EcsError("ServerException", "Service Unavailable."),
    lambda: EcsError("InvalidParameterException", "Request limit exceeded."),
    lambda: EcsError("AccessDeniedException", "No."),
]


def warn(world: World, task: Task) -> None:
    """AWS warns that it takes Spot capacity back, and the container goes on for the time being."""
    if task.is_spot:
        world.ecs.interrupt(task.arn)


def take_back(world: World, task: Task) -> None:
    """AWS needs what the task runs on, be it Spot or a host that has failed."""
    if task.is_spot:
        world.ecs.interrupt(task.arn)
        world.ecs.stop(task.arn, exit_code=0)
    else:
        why = "Infrastructure failure"
        world.ecs.stop(task.arn, 0, stop_code="InfrastructureHealth", stopped_reason=why)


ENDS: dict[str, Callable[[World, Task], None]] = {
    "start": lambda world, task: world.ecs.start(task.arn),
    "exit 0": lambda world, task: world.ecs.stop(task.arn, exit_code=0),
    "exit 1": lambda world, task: world.ecs.stop(task.arn, exit_code=1),
    "no exit code": lambda world, task: world.ecs.stop(task.arn, exit_code=None),
    "out of memory": lambda world, task: world.ecs.stop(
        task.arn, exit_code=137, reason="OutOfMemoryError: Container killed due to memory usage"
    ),
    "warned": warn,
    "taken back": take_back,
    "pull timeout": lambda world, task: world.ecs.fail_to_start(
        task.arn, "CannotPullContainerError: i/o timeout"
    ),
    "no such image": lambda world, task: world.ecs.fail_to_start(
        task.arn, "CannotPullContainerError: not found"
    ),
}
