"""
A small process that starts the tasks of the process engine and ends all that they leave.

Started once per stack, as `python -I -S supervisor.py` with one end of a socket as its standard
input: it has no threads and little memory, so that it forks within a millisecond. For each task
it receives a socket and forks a process that supervises that task:

    stack → task's supervisor    one line of JSON: what to start; then a line per signal
    task's supervisor → stack    {"pid": 1} or {"error": "…"}; at the end {"status": 0, …}

With the argument `subreaper` (Linux, prctl(2)) that process becomes the parent of all that the
task starts and leaves, a daemon too, whatever its session and its environment. It reaps those
that end, kills the others once the command has ended, and is done when it has no child left. It
does the same when the stack is gone, which it notices by the end of its socket.

With the argument `group` (macOS has no subreaper) the end of the command is the end of its
process group only. Nothing but the standard library may be imported here.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 5
"""Seconds to wait for the end of what was killed; another user's process cannot be killed."""
POLL_SECONDS = 0.002


class Wakeup:
    """A descriptor that is readable when a child has changed its state."""

    def __init__(self) -> None:
        self.descriptor, write = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.descriptor, 4096)


def serve(stack: socket.socket, *, subreaper: bool) -> None:
    """
    Fork a supervisor for each socket that comes, until the stack is gone.

    What a supervisor leaves that was killed itself becomes a child of this process.
    """
    if subreaper:
        become_subreaper()
    wakeup, supervisors = Wakeup(), set[int]()
    watched: list[Any] = [stack, wakeup.descriptor]
    while True:
        readable, _, _ = select.select(watched, [], [])
        if wakeup.descriptor in readable:
            wakeup.clear()
            ended = reap()
            is_odd = any(status or pid not in supervisors for pid, status in ended.items())
            if subreaper and is_odd:
                kill(children() - supervisors)
            supervisors -= set(ended)
        if stack in readable:
            data, descriptors, _, _ = socket.recv_fds(stack, 1, 1)
            if not data:
                return
            if (pid := os.fork()) == 0:
                stack.close()
                supervise(socket.socket(fileno=descriptors[0]), subreaper=subreaper)
                os._exit(0)
            supervisors.add(pid)
            os.close(descriptors[0])


def supervise(control: socket.socket, *, subreaper: bool) -> None:
    """
    1. Start the command; say its pid, or why it could not be started.
    2. Pass signals on, and reap daemons that end, until the command has ended.
    3. Kill and reap all that is left.
    4. Say how it ended.
    """
    wakeup = Wakeup()
    if subreaper:
        become_subreaper()
    request = receive(control)
    if request is None:
        return
    try:
        leader = start(request)
    except (OSError, ValueError) as error:
        say(control, {"error": str(error)})
        return
    say(control, {"pid": leader})
    status = attend(leader, control, wakeup)
    at = time.time()
    left = end_children() if subreaper else end_group(leader)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    end = {"status": status, "at": at, "cpu_seconds": used.ru_utime + used.ru_stime, "left": left}
    say(control, end)


def receive(control: socket.socket) -> dict[str, Any] | None:
    """What to start; None where the stack ended before it had said so."""
    text = b""
    while not text.endswith(b"\n"):
        piece = control.recv(1 << 16)
        if not piece:
            return None
        text += piece
    request: dict[str, Any] = json.loads(text)
    return request


def start(request: dict[str, Any]) -> int:
    """The pid of the command, the leader of a session of its own."""
    with Path(request["output"]).open("ab") as sink:
        process = subprocess.Popen(
            request["arguments"],
            cwd=request["directory"],
            env=request["environment"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    # It is waited for in `attend`: the object must not do so when it goes.
    process.returncode = 0
    return process.pid


def attend(leader: int, control: socket.socket, wakeup: Wakeup) -> int:
    """Until the command has ended, killed if the stack is gone; its wait status."""
    watched: list[Any] = [control, wakeup.descriptor]
    while True:
        readable, _, _ = select.select(watched, [], [])
        if control in readable:
            lines = control.recv(4096).split()
            if not lines:
                watched.remove(control)
            for number in [int(line) for line in lines] or [signal.SIGKILL]:
                signal_all(leader, number)
        if wakeup.descriptor in readable:
            wakeup.clear()
            ended = reap()
            if leader in ended:
                return ended[leader]


def signal_all(leader: int, number: int) -> None:
    """To the command's process group. It is not reaped yet, so the number is still its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def end_children() -> list[int]:
    """Kill and reap every child, and theirs when they come here; those that do not end."""
    deadline = time.monotonic() + PATIENCE
    while has_children():
        kill(left := children())
        reap()
        if time.monotonic() > deadline:
            return sorted(left)
        time.sleep(POLL_SECONDS)
    return []


def end_group(leader: int) -> list[int]:
    """Kill what is left of the group; whoever adopts its processes reaps them."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # macOS refuses with the latter where all of the group are zombies.
            break
        time.sleep(POLL_SECONDS)
    return []


def become_subreaper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children() -> set[int]:
    """Of this process, as /proc has them; zombies too."""
    parent = str(os.getpid()).encode()
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            # The name, in parentheses, may itself have any character.
            _, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
            if rest.split()[1] == parent:
                found.add(int(pid))
    return found


def kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def reap() -> dict[int, int]:
    """Wait status by pid of each child that has ended."""
    ended: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            ended[found[0]] = found[1]
    return ended


def say(control: socket.socket, words: dict[str, Any]) -> None:
    # A stack that is gone does not listen any more.
    with suppress(OSError):
        control.sendall(json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    serve(socket.socket(fileno=0), subreaper=sys.argv[1] == "subreaper")
