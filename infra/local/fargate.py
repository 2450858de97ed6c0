"""
The local Fargate: really runs what RunTask asked for.

Each task has a worker thread of its own for as long as it is on the machine; those over the cap
wait in PENDING, first come first served. The worker starts the container through the engine,
ships its output, watches for StopTask, and tells ECS each state as it is reached:

    RunTask → PROVISIONING → PENDING → RUNNING → (StopTask: SIGTERM, later SIGKILL) → STOPPED

An interruption of a Spot task goes as StopTask does, with another stop code and reason. On request
each Spot task is interrupted some time after it has started.

STOPPED comes last: by then every line is in CloudWatch Logs and the last sample in CloudWatch.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local import CAP, task_secrets, task_spec
from infra.local.engines import OUTPUT, Engine, Exit, Handlers, Running, StartError
from infra.local.fidelity.ecs import EcsFidelity
from infra.local.fidelity.tasks import Task
from infra.local.sampling import Sampler
from infra.local.shipping import Shipper
from infra.local.stopping import KILL_AGAIN, Stopping
from infra.local.task_spec import Spec

SHIP_EVERY = 0.4
"""Seconds between two looks at a task's output: a line is readable within one."""
PATIENCE = 8
"""Seconds without the end of any task after which a closing counts its engine as gone."""

log = logging.getLogger(__name__)


class Fargate:
    """
    Runs the tasks of `ecs` with `engine`, in a directory that it empties of each when it is over.

    `client("logs")` makes a boto3 client; they are used by all threads.
    """

    def __init__(
        self,
        ecs: EcsFidelity,
        engine: Engine,
        directory: Path,
        client: Callable[[str], Any],
        cap: int = CAP,
        interrupt_after: float | None = None,
    ) -> None:
        """`interrupt_after`: seconds that a Spot task runs; None lets it run to its end."""
        self.engine = engine
        self.ecs = ecs
        self.client = client
        self.interrupt_after = interrupt_after
        self._directory = directory
        self._attempts: dict[str, _Attempt] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=cap, thread_name_prefix="fargate")
        engine.clear_leftovers()
        self.sampler = Sampler(engine, lambda: client("cloudwatch"))
        ecs.on_run.append(self._launch)
        ecs.on_stop.append(self._stop)

    def close(self) -> list[str]:
        """
        Kill what runs, forget what waits, and leave no thread; ECS hears of each end.

        An engine that does not answer is given up once no task has ended for PATIENCE seconds;
        the answer is, in words, what may be left then.
        """
        self.ecs.on_run.remove(self._launch)
        self.ecs.on_stop.remove(self._stop)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for attempt in self._present():
            attempt.ask(signal.SIGKILL)
        self._await_ends()
        left = self.remaining()
        for attempt in self._present():
            attempt.give_up()
        self.sampler.close()
        left += self.engine.close()
        # A worker within a call of an engine that hangs cannot be waited for.
        self._pool.shutdown(wait=not left)
        return left

    def remaining(self) -> list[str]:
        """What of the tasks is on the machine, in words."""
        return [attempt.words for attempt in self._present()]

    def _present(self) -> list[_Attempt]:
        with self._lock:
            attempts = list(self._attempts.values())
        return [attempt for attempt in attempts if attempt.has_place]

    def _await_ends(self) -> None:
        """Until nothing is left, or none has ended for PATIENCE seconds."""
        while places := {attempt.place for attempt in self._present() if attempt.place}:
            if not wait(places, PATIENCE, FIRST_COMPLETED).done:
                return

    def _launch(self, task: Task) -> None:
        attempt = _Attempt(self, task)
        with self._lock:
            self._attempts[task.id] = attempt
        self.ecs.pend(task.arn)
        attempt.place = self._pool.submit(self._work, attempt)

    def _stop(self, task: Task) -> None:
        with self._lock:
            attempt = self._attempts.get(task.id)
        if attempt is None:
            return
        attempt.ask(signal.SIGTERM)
        if attempt.place is not None and attempt.place.cancel():
            # It was waiting for a place, and nothing of it is on the machine.
            self.ecs.stop(task.arn)
            self._forget(attempt)

    def _work(self, attempt: _Attempt) -> None:
        directory = self._directory / attempt.task.id
        try:
            directory.mkdir(parents=True)
            attempt.run(directory)
        except GivenUp:
            log.info("task %s was given up", attempt.task.id)
        except Exception as error:
            log.exception("task %s was lost by the local Fargate", attempt.task.id)
            self.ecs.stop(
                attempt.task.arn,
                exit_code=None,
                stop_code="InfrastructureHealth",
                stopped_reason=f"The local Fargate failed: {error!r}",
            )
        finally:
            self._forget(attempt)
            shutil.rmtree(directory, ignore_errors=True)

    def _forget(self, attempt: _Attempt) -> None:
        with self._lock:
            del self._attempts[attempt.task.id]


class GivenUp(Exception):
    """The stack ends, and the engine does not say whether the container has."""


class _Attempt:
    """One task on the machine, in its worker's thread."""

    def __init__(self, fargate: Fargate, task: Task) -> None:
        self.task = task
        self.place: Future[None] | None = None
        """Its turn in the pool."""
        self._fargate = fargate
        self._exit: Exit | None = None
        self._changed = threading.Event()
        self._asked: signal.Signals | None = None
        self._is_given_up = False
        self._running: Running | None = None

    @property
    def words(self) -> str:
        """What of it is on the machine, for a person."""
        return self._running.words if self._running else f"what was started of task {self.task.id}"

    @property
    def has_place(self) -> bool:
        """Its worker is there, or still in the queue of one; not so once that was cancelled."""
        return self.place is not None and not self.place.cancelled()

    def give_up(self) -> None:
        """From any thread: do not wait for its end."""
        self._is_given_up = True
        self._changed.set()

    def ask(self, how: signal.Signals) -> None:
        """From any thread: SIGTERM as StopTask does, SIGKILL to end it at once."""
        self._asked = how
        self._changed.set()

    def run(self, directory: Path) -> None:
        """
        1. Read what is wanted; resolve secrets and make the log stream, as the agent does.
        2. Start it, unless StopTask came first.
        3. Ship its output until it has exited, and all of it then.
        4. Publish its last sample, and only then tell ECS that it is over.
        """
        with contextlib.ExitStack() as opened:
            try:
                spec, shipper = self._prepare(directory)
                opened.callback(shipper.close)
                shipper.create_stream()
                running = None if self._asked else self._start(spec, directory)
            except StartError as error:
                if self._asked is None:
                    self._fargate.ecs.fail_to_start(self.task.arn, str(error))
                    return
                running = None
            if running is None:
                self._fargate.ecs.stop(self.task.arn)
                return
            self._running = running
            try:
                self._attend(spec, running, shipper)
            except BaseException:
                self._kill(running)
                raise

    def _attend(self, spec: Spec, running: Running, shipper: Shipper) -> None:
        ecs = self._fargate.ecs
        ecs.start(self.task.arn)
        exit_ = self._follow(spec, running, shipper)
        shipper.finish()
        self._fargate.sampler.finish(spec, exit_)
        ecs.stop(
            self.task.arn,
            exit_code=exit_.code,
            reason=exit_.reason,
            stop_code="InfrastructureHealth" if exit_.code is None else None,
            exited_at=datetime.fromtimestamp(exit_.at, UTC),
        )

    def _prepare(self, directory: Path) -> tuple[Spec, Shipper]:
        fargate = self._fargate
        spec = task_spec.read(self.task)
        if (target := spec.log) is None:
            raise StartError("ResourceInitializationError: only the awslogs driver is there")
        spec = replace(spec, env=spec.env | task_secrets.resolve(spec.secrets, fargate.client))
        notice = fargate.engine.notice(spec)
        output = directory / OUTPUT
        output.write_text(f"{notice}\n" if notice else "", encoding="utf-8")
        return spec, Shipper(fargate.client("logs"), target, output)

    def _start(self, spec: Spec, directory: Path) -> Running:
        handlers = Handlers(is_wanted=lambda: self._asked is None, exited=self._exited)
        running = self._fargate.engine.start(spec, directory, handlers)
        self._fargate.sampler.add(spec, running)
        return running

    def _exited(self, exit_: Exit) -> None:
        self._exit = exit_
        self._changed.set()

    def _follow(self, spec: Spec, running: Running, shipper: Shipper) -> Exit:
        """Until it has exited; SIGTERM when asked to stop, SIGKILL after the stop timeout."""
        stopping, is_behind = Stopping(running, spec.stop_timeout), False
        interrupt_at = self._interrupt_at()
        while self._exit is None:
            self._await_change(0 if is_behind else SHIP_EVERY)
            if self._exit is None and time.monotonic() >= interrupt_at:
                self._fargate.ecs.interrupt(self.task.arn)
            if self._asked is not None:
                stopping.go_on(self._asked)
            is_behind = self._exit is None and shipper.pump()
        return self._exit

    def _interrupt_at(self) -> float:
        after = self._fargate.interrupt_after
        return time.monotonic() + after if self.task.is_spot and after is not None else math.inf

    def _kill(self, running: Running) -> None:
        """Until it has exited."""
        while self._exit is None and not self._is_given_up:
            running.signal(signal.SIGKILL)
            self._changed.wait(KILL_AGAIN)
            self._changed.clear()

    def _await_change(self, seconds: float) -> None:
        """Raises GivenUp."""
        self._changed.wait(seconds)
        self._changed.clear()
        if self._is_given_up and self._exit is None:
            raise GivenUp
