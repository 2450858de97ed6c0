"""
ECS tasks as AWS runs them, in moto's place.

moto keeps clusters and task definitions; of tasks it knows too little: it ignores client
tokens, starts tasks RUNNING, gives containers an exit code at birth, and never answers
`failures`, stop codes, timestamps or MISSING. Here the four task operations are answered from
a store of our own, which a test drives by hand and the local Fargate by what really runs.

    with mock_aws(), EcsFidelity.install(now=clock) as ecs:
        ecs.subscribe(lambda event: app.task_changed(event, None))
        arn = boto3.client("ecs").run_task(...)["tasks"][0]["taskArn"]
        ecs.start(arn)
        ecs.stop(arn, exit_code=3)

Behaviour and messages follow the ECS API reference and its "Ensuring idempotency".
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult

from infra.local.fidelity import operations
from infra.local.fidelity.moto_ecs import EC2ContainerServiceBackend, EC2ContainerServiceResponse
from infra.local.fidelity.operations import NOTHING, Failure, Refusal, Token
from infra.local.fidelity.overlay import Overlay
from infra.local.fidelity.run_task import EcsError
from infra.local.fidelity.tasks import Task

__all__ = ["NOTHING", "EcsError", "EcsFidelity", "Failure", "Task"]

OPERATIONS = ("run_task", "describe_tasks", "stop_task", "list_tasks")

INTERRUPTED = "Your Spot Task was interrupted."

TaskHook = Callable[[Task], None]
EventHook = Callable[[dict[str, Any]], None]


class EcsFidelity(Overlay):
    """
    The tasks of every cluster in this process, and the hands that move them.

    Thread-safe. Subscribers and hooks are called in the order of changes while the store is
    locked: one that must wait for another thread hands over to a queue instead.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.now = now
        self.visible_after = timedelta(0)
        """How long DescribeTasks answers MISSING for a task that was just launched."""
        self.has_spot_capacity = True
        """Whether RunTask starts tasks on FARGATE_SPOT; a failure answers them otherwise."""
        self.on_run: list[TaskHook] = []
        """Called with each task that RunTask made."""
        self.on_stop: list[TaskHook] = []
        """Called once with each task that StopTask or an interruption wants stopped."""
        self.subscribers: list[EventHook] = []
        self._lock = threading.RLock()
        self.reset()

    # --- installing -------------------------------------------------------------------------

    @classmethod
    def install(cls, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> EcsFidelity:
        """Answer moto's task operations from a new, empty store; replaces an earlier one."""
        cls._take_off()
        fidelity = cls(now)
        for name in OPERATIONS:
            fidelity._replace(EC2ContainerServiceResponse, name, fidelity._method(name))
        register = EC2ContainerServiceBackend.register_task_definition
        fidelity._replace(EC2ContainerServiceBackend, register.__name__, fidelity._dated(register))
        return fidelity

    def reset(self) -> None:
        """Forget every task, token and refusal; subscribers and hooks stay."""
        with self._lock:
            self.store: dict[str, Task] = {}
            self.tokens: dict[tuple[str, str], Token] = {}
            self.refusals: defaultdict[str, deque[Refusal]] = defaultdict(deque)

    # --- driving ----------------------------------------------------------------------------

    @property
    def tasks(self) -> list[Task]:
        """Every task that ECS still shows, oldest first."""
        with self._lock:
            now = self.now()
            return [task for task in self.store.values() if not task.is_forgotten(now)]

    def task(self, arn: str) -> Task:
        """The task of that ARN or id; KeyError if there is none."""
        return self.store[arn.rsplit("/", 1)[-1]]

    def subscribe(self, callback: EventHook) -> None:
        """Send each "ECS Task State Change" event to `callback`."""
        self.subscribers.append(callback)

    def refuse_next(self, answer: Refusal, *, operation: str = "RunTask", times: int = 1) -> None:
        """
        Answer the next `times` calls of `operation` with an error, and RunTask also with a
        `Failure` or `NOTHING`. A client token that is known comes before those two.
        """
        self.refusals[operation].extend([answer] * times)

    def pend(self, arn: str) -> None:
        """PROVISIONING → PENDING: the network is there, the image is being pulled."""
        with self._lock:
            task, now = self.task(arn), self.now()
            if task.last_status == "PROVISIONING":
                task.pull_started_at = now
                self.move(task, "PENDING", now)

    def start(self, arn: str) -> None:
        """→ RUNNING by way of PENDING; nothing on a task that is running or stopped."""
        with self._lock:
            self.pend(arn)
            task, now = self.task(arn), self.now()
            if task.last_status == "PENDING":
                task.pull_stopped_at = task.started_at = now
                for container in task.containers:
                    container.last_status = "RUNNING"
                self.move(task, "RUNNING", now)

    def stop(
        self,
        arn: str,
        exit_code: int | None = 0,
        *,
        reason: str | None = None,
        stop_code: str | None = None,
        stopped_reason: str | None = None,
        exited_at: datetime | None = None,
    ) -> None:
        """
        End the task: its container exited (`reason` is the container's own), then STOPPED.

        Without a stop code it is what StopTask or an interruption set, else
        EssentialContainerExited. A task that never ran has no exit code: with one, and unless it
        was to stop already, it starts first.
        `exit_code=None` leaves the code absent, as where infrastructure took the task away.
        `exited_at` is when the container ended, where that is some time ago.
        """
        with self._lock:
            task = self.task(arn)
            if exit_code is not None and task.desired_status == "RUNNING":
                self.start(arn)
            stop_code = stop_code or task.stop_code or "EssentialContainerExited"
            stopped_reason = stopped_reason or task.stopped_reason
            stopped_reason = stopped_reason or "Essential container in task exited"
            exit_code = exit_code if task.started_at else None
            self._end(task, exit_code, reason, stop_code, stopped_reason, exited_at)

    def interrupt(self, arn: str) -> None:
        """
        Take back the Spot capacity of a task: an event warns, and the task is asked to stop.

        What runs the task sends SIGTERM, and ends it with `stop` at the latest when its stop
        timeout is over; until then ECS shows it RUNNING with `desiredStatus` STOPPED. Nothing
        happens to a task that stops already. ValueError for a task that is not on FARGATE_SPOT.
        Source: "Fargate Spot termination notices" in the ECS developer guide.
        """
        with self._lock:
            task = self.task(arn)
            if not task.is_spot:
                raise ValueError(f"not on Fargate Spot: {arn}")
            if task.desired_status == "RUNNING":
                operations.request_stop(self, task, "SpotInterruption", INTERRUPTED)

    def fail_to_start(
        self, arn: str, stopped_reason: str, *, container_reason: str | None = None
    ) -> None:
        """STOPPED with TaskFailedToStart, without an exit code (a pull that failed, say)."""
        with self._lock:
            task = self.task(arn)
            self._end(task, None, container_reason, "TaskFailedToStart", stopped_reason)

    def _end(
        self,
        task: Task,
        exit_code: int | None,
        reason: str | None,
        stop_code: str,
        stopped_reason: str,
        exited_at: datetime | None = None,
    ) -> None:
        if task.last_status == "STOPPED":
            return
        now = self.now()
        task.stop_code, task.stopped_reason = stop_code, stopped_reason
        task.desired_status = "STOPPED"
        task.stopping_at = task.stopping_at or now
        # A container that ends at once may have done so before ECS called it RUNNING.
        task.execution_stopped_at = max(exited_at or now, task.started_at or task.created_at)
        for container in task.containers:
            container.last_status = "STOPPED"
        if task.containers:
            task.containers[0].exit_code = exit_code
            task.containers[0].reason = reason
        self.move(task, "DEPROVISIONING", now)
        task.stopped_at = self.now()
        self.move(task, "STOPPED", task.stopped_at)

    def move(self, task: Task, status: str, now: datetime) -> None:
        task.move(status, now)
        self.emit(task, now)

    def emit(self, task: Task, now: datetime) -> None:
        for callback in self.subscribers:
            callback(task.as_event(now))

    def _dated(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """moto's registration, dated by this clock: its own may be hours away from a test's."""

        def register_task_definition(*args: Any, **more: Any) -> Any:
            registered = original(*args, **more)
            registered.registered_at = self.now().astimezone(UTC).replace(tzinfo=None)
            return registered

        return register_task_definition

    def _method(self, name: str) -> Callable[[Any], ActionResult]:
        """A method for moto's response class; moto looks only for plain functions."""
        operation: Callable[[EcsFidelity, Any], dict[str, Any]] = getattr(operations, name)

        def method(response: Any) -> ActionResult:
            with self._lock:
                return ActionResult(operation(self, response))

        return method
