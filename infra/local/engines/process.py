"""
Tasks as process groups of this machine, for machines without a container engine.

The image is not used. Everything else is kept: the command in a session and a directory of its
own, a clean environment, the exit code, and the end of the first process as the end of all, as
it is in a container. A daemon that leaves the session stays ours on Linux, because this process
is its subreaper; elsewhere it is found only by a clearing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from infra.local.engines import OUT_OF_MEMORY, OUTPUT, Exit, Handlers, Running, StartError, Usage
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
PR_SET_CHILD_SUBREAPER = 36
"""Linux, prctl(2): orphaned descendants become children of this process."""


class ProcessEngine:
    """Runs each task as a process group; `environment` is what every task sees besides its own."""

    name = "process"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._is_subreaper = sys.platform == "linux" and (
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        )

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
        with (directory / OUTPUT).open("ab") as sink:
            try:
                process = subprocess.Popen(
                    arguments,
                    cwd=home,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise StartError(f"CannotStartContainerError: {arguments[0]}: {error}") from error
        return ProcessGroup(spec, process, self._is_subreaper, handlers)

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

    def close(self) -> None:
        """Nothing is held."""


class ProcessGroup:
    """A task's processes; its first one is the leader of group and session."""

    def __init__(
        self,
        spec: Spec,
        process: subprocess.Popen[bytes],
        is_subreaper: bool,
        handlers: Handlers,
    ) -> None:
        self.pid = process.pid
        self._spec = spec
        self._process = process
        self._is_subreaper = is_subreaper
        self._handlers = handlers
        self._lock = threading.Lock()
        self._is_reaped = False
        self._is_over_limit = False
        self._cpu_seconds = 0.0
        threading.Thread(target=self._wait, name=f"task-{spec.task_id}", daemon=True).start()

    def signal(self, number: int) -> None:
        with self._lock:
            # Once reaped, the number may be another group's.
            if not self._is_reaped:
                _kill_group(self.pid, number)

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
        """
        1. Wait for the leader, without reaping it: its number stays taken.
        2. Kill what is left of the group, and what left it, as a container's end does.
        3. Reap all of it; only then nothing runs any more.
        """
        _await_exit(self.pid)
        at = time.time()
        _kill_group(self.pid, signal.SIGKILL)
        with self._lock:
            _, status, usage = os.wait4(self.pid, 0)
            self._is_reaped = True
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code
        self._reap_group()
        if self._is_subreaper:
            self._end_escaped()
        self._handlers.exited(
            Exit(
                code=code if code >= 0 else 128 - code,
                at=at,
                reason=OUT_OF_MEMORY if self._is_over_limit else None,
                cpu_seconds=max(self._cpu_seconds, usage.ru_utime + usage.ru_stime),
            )
        )

    def _reap_group(self) -> None:
        """The group's other members, killed, come to us as orphans or go to init."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and _kill_group(self.pid, signal.SIGKILL):
            try:
                os.waitpid(-self.pid, os.WNOHANG)
            except ChildProcessError:
                time.sleep(0.002)

    def _end_escaped(self) -> None:
        """Daemons that left the group have become our children; their children follow."""
        found = True
        while found:
            found = False
            for child in psutil.Process().children():
                try:
                    if child.environ().get(TASK_MARK) != self._spec.task_id:
                        continue
                    child.kill()
                    os.waitpid(child.pid, 0)
                    found = True
                except (psutil.Error, ChildProcessError):
                    continue


def _await_exit(pid: int) -> None:
    """Until this child has exited; it is not reaped."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return
    # macOS has it from Python 3.13 on
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)


def _kill_group(group: int, number: int) -> bool:
    """Whether there was anything to signal."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers this for a group of zombies; Linux for one that changed its user.
        return False
    return True
