"""
Tasks as process groups of this machine, for machines without a container engine.

The image is not used. Everything else is kept: the command in a session and a directory of its
own, a clean environment, the exit code, and the end of the first process as the end of all, as
it is in a container. On Linux that includes daemons that have left the session and dropped their
environment, because each task has a supervisor that is its subreaper. On macOS a daemon that
leaves the session is found only by a clearing, and only if it has kept its environment.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import psutil

from infra.local.engines import (
    OUT_OF_MEMORY,
    OUTPUT,
    Exit,
    Handlers,
    Running,
    StartError,
    Usage,
    supervisor,
)
from infra.local.owner import Owner
from infra.local.task_spec import Spec

MARK = "JOBYARD_LOCAL_STACK"
"""Environment variable of every process of a task: its stack, so that a clearing finds it."""
TASK_MARK = "JOBYARD_LOCAL_TASK"

PATH = ":".join(
    [
        # python is there under that name, which not every host has
        str(Path(sys.executable).parent),
        *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"),
    ]
)
CLOSE_SECONDS = 5
"""A process that does not end by itself within them is killed."""

log = logging.getLogger(__name__)


class ProcessEngine:
    """Runs each task as a process group; `environment` is what every task sees besides its own."""

    name = "process"
    answers_at_start = True

    def __init__(
        self, environment: Mapping[str, str], *, has_subreaper: bool = sys.platform == "linux"
    ) -> None:
        self._environment = dict(environment)
        self._supervisors = Supervisors(has_subreaper=has_subreaper)

    def notice(self, spec: Spec) -> str | None:
        return f"jobyard: no container engine, so this is a process; {spec.image} is not used"

    def start(self, spec: Spec, directory: Path, handlers: Handlers) -> ProcessGroup:
        arguments = [*(spec.entrypoint or []), *(spec.command or [])]
        if not arguments:
            raise StartError(
                "CannotStartContainerError: the job has no command, and without a container "
                "engine the image's own is not known; give the job a command or start an engine"
            )
        home = directory / "home"
        home.mkdir()
        environment = {
            "PATH": PATH,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            **self._environment,
            **spec.env,
            MARK: str(Owner.this()),
            TASK_MARK: spec.task_id,
        }
        request = {
            "arguments": arguments,
            "environment": environment,
            "directory": str(home),
            "output": str(directory / OUTPUT),
        }
        try:
            return ProcessGroup(spec, self._supervisors.start(request), handlers)
        except StartError as error:
            raise StartError(f"CannotStartContainerError: {arguments[0]}: {error}") from error

    def measure(self, running: Sequence[Running]) -> list[Usage | None]:
        members: defaultdict[int, list[int]] = defaultdict(list)
        for pid in psutil.pids():
            try:
                members[os.getpgid(pid)].append(pid)
            except OSError:
                # Gone meanwhile, or another user's, whom macOS keeps to itself.
                continue
        groups = [group for group in running if isinstance(group, ProcessGroup)]
        return [group.measure(members[group.pid]) for group in groups]

    def clear_leftovers(self) -> None:
        """Kill every process that carries the mark of a stack that is gone."""
        for process in psutil.process_iter():
            try:
                mark = process.environ().get(MARK)
                if mark and Owner.parse(mark).is_gone:
                    process.kill()
            except (psutil.Error, ValueError):
                # Gone meanwhile, another user's, or a mark that no stack wrote: not ours.
                continue

    def close(self) -> list[str]:
        """Supervisors that are left end by themselves, and all that they supervise."""
        self._supervisors.close()
        return []


class Supervisors:
    """
    The process that forks a supervisor for each task; see supervisor.py.

    A second one is started if the first was killed. Thread-safe.
    """

    def __init__(self, *, has_subreaper: bool) -> None:
        self._kind = "subreaper" if has_subreaper else "group"
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, self._kind],
                stdin=theirs.fileno(),
                env={MARK: str(Owner.this())},
                # Ctrl-C in a terminal is for the stack, which then ends the tasks.
                start_new_session=True,
            )

    def start(self, request: Mapping[str, object]) -> tuple[int, socket.socket, BinaryIO]:
        """
        Start what `request` says; the pid, the supervisor's socket and a reader of its lines.

        Raises StartError.
        """
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                socket.send_fds(self._socket, [b"+"], [theirs.fileno()])
            except OSError:
                self._stop()
                self._start()
                socket.send_fds(self._socket, [b"+"], [theirs.fileno()])
        lines = ours.makefile("rb")
        try:
            ours.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(lines.readline() or '{"error": "its supervisor was killed"}')
        except OSError as error:
            answer = {"error": str(error)}
        if "error" in answer:
            lines.close()
            ours.close()
            raise StartError(answer["error"])
        return answer["pid"], ours, lines

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        self._socket.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ProcessGroup:
    """A task's processes; its first one is the leader of group and session."""

    def __init__(
        self,
        spec: Spec,
        started: tuple[int, socket.socket, BinaryIO],
        handlers: Handlers,
    ) -> None:
        """`started` is what `Supervisors.start` answered."""
        self.pid, self._control, self._lines = started
        self.words = f"the processes of task {spec.task_id} (process group {self.pid})"
        self._spec = spec
        self._handlers = handlers
        self._lock = threading.Lock()
        self._has_ended = False
        self._is_over_limit = False
        self._cpu_seconds = 0.0
        threading.Thread(target=self._wait, name=f"task-{spec.task_id}", daemon=True).start()

    def signal(self, number: int) -> bool:
        with self._lock:
            if not self._has_ended:
                # Where the supervisor is gone, the waiting thread hears of it.
                with contextlib.suppress(OSError):
                    self._control.sendall(b"%d\n" % number)
        return True

    def measure(self, members: list[int]) -> Usage | None:
        """
        Sum over `members`; one over the task's memory limit ends it, as Fargate does.

        A child that ended is counted by the parent that waited for it, and no reading is
        below an earlier one.
        """
        cpu, memory, seen = 0.0, 0, 0
        for pid in members:
            try:
                process = psutil.Process(pid)
                cpu += sum(process.cpu_times()[:4])
                full = process.memory_full_info()
                memory += getattr(full, "pss", full.uss)
                seen += 1
            except psutil.Error:
                continue
        if not seen:
            return None
        self._cpu_seconds = max(self._cpu_seconds, cpu)
        if memory > self._spec.memory_mib * 1024 * 1024:
            self._is_over_limit = True
            self.signal(signal.SIGKILL)
        return Usage(self._cpu_seconds, memory)

    def _wait(self) -> None:
        """The supervisor says how the command ended once nothing of the task runs any more."""
        line = self._lines.readline()
        with self._lock:
            self._control.close()
            self._lines.close()
            self._has_ended = True
        if not line:
            reason = "The process that supervised the task was killed"
            self._handlers.exited(Exit(None, time.time(), reason))
            return
        end = json.loads(line)
        if end["left"]:
            log.warning("%s left processes that could not be killed: %s", self.words, end["left"])
        code = os.waitstatus_to_exitcode(end["status"])
        self._handlers.exited(
            Exit(
                code=code if code >= 0 else 128 - code,
                at=end["at"],
                reason=OUT_OF_MEMORY if self._is_over_limit else None,
                cpu_seconds=max(self._cpu_seconds, end["cpu_seconds"]),
            )
        )
