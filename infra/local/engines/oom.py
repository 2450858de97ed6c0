"""
The kernel's own count of processes killed for memory in a container's control group.

Podman on cgroup v1 does not set `OOMKilled`, and an exit code of 137 alone is any SIGKILL. The
count goes with the control group, a moment after the container's end: it has to be open before.
Only for engines on this machine; others are trusted to report it themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


class OomCounter:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def open(cls, pid: int, container_id: str) -> Iterator[OomCounter | None]:
        """The counter of the container whose first process is `pid`; None where not visible."""
        path = _path(pid, container_id)
        try:
            descriptor = os.open(path, os.O_RDONLY) if path else None
        except OSError:
            descriptor = None
        if descriptor is None:
            yield None
            return
        try:
            yield cls(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> int:
        """Kills so far; 0 once the control group is gone."""
        try:
            text = os.pread(self._descriptor, 4096, 0).decode("ascii")
        except OSError:
            return 0
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0


def _path(pid: int, container_id: str) -> Path | None:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    # With an engine on another machine the pid is a stranger here.
    groups = [line.split(":", 2) for line in lines if container_id in line]
    for _, controllers, group in groups:
        if "memory" in controllers.split(","):
            return CGROUPS / "memory" / group.lstrip("/") / "memory.oom_control"
    for hierarchy, _, group in groups:
        if hierarchy == "0":
            return CGROUPS / group.lstrip("/") / "memory.events"
    return None
