"""
The fields of a job that a manifest may set: their defaults, and what a client can check itself.

The API has the last word: what is not checked here (a schedule that never fires, a role of
another workspace) it refuses. tests/cli/test_job_fields.py holds this table to the API's models.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Found = Iterator[tuple[str, str]]
"""Where in the field something is wrong (`""`: all of it), and what would be right."""

MEMORY_MIB: dict[float, tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1024, 4096 + 1, 1024)),
    1.0: tuple(range(2048, 8192 + 1, 1024)),
    2.0: tuple(range(4096, 16384 + 1, 1024)),
    4.0: tuple(range(8192, 30720 + 1, 1024)),
    8.0: tuple(range(16384, 61440 + 1, 4096)),
    16.0: tuple(range(32768, 122880 + 1, 8192)),
}
"""vCPU to the memory sizes that Fargate offers with it, in MiB (AWS: "Task CPU and memory")."""

MACROS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_SHELL = re.compile(r"[\\$`&|;<>]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """A field's default, and what finds mistakes in a value that is not null."""

    default: Any
    check: Callable[[Any], Found]


def _text(most: int) -> Callable[[Any], Found]:
    def check(value: Any) -> Found:
        if not isinstance(value, str):
            yield "", f"must be text: put {_shown(value)} in quotes"
        elif not 1 <= len(value) <= most:
            yield "", f"must have 1 to {most:,} characters"

    return check


def _whole(low: int, high: int) -> Callable[[Any], Found]:
    def check(value: Any) -> Found:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            yield "", f"must be a whole number from {low:,} to {high:,}, not {_shown(value)}"

    return check


def _one_of(*choices: str) -> Callable[[Any], Found]:
    def check(value: Any) -> Found:
        if value not in choices:
            yield "", f"must be {' or '.join(choices)}, not {_shown(value)}"

    return check


def _boolean(value: Any) -> Found:
    if not isinstance(value, bool):
        yield "", f"must be true or false, not {_shown(value)}"


def _texts(value: Any) -> Found:
    if not isinstance(value, list):
        yield "", "must be a list of texts"
        return
    for index, one in enumerate(value):
        if not isinstance(one, str):
            yield f"[{index}]", f"must be text: put {_shown(one)} in quotes"


def _arguments(value: Any) -> Found:
    yield from _texts(value)
    if value == []:
        yield "", "must not be empty; leave it out for the image's own"


def _command(value: Any) -> Found:
    if not isinstance(value, str):
        yield from _arguments(value)
    elif _SHELL.search(value):
        yield "", 'needs a shell, and none is run: write a list, such as ["sh", "-c", "…"]'
    else:
        try:
            words = shlex.split(value)
        except ValueError:
            yield "", "has a quote that is not closed"
        else:
            if not words:
                yield "", "must not be empty; leave it out for the image's own"


def command_words(command: str) -> list[str]:
    """A command that `check` took, in words: without what a shell gives a meaning, all agree."""
    return shlex.split(command)


def _variables(value: Any) -> Found:
    if not isinstance(value, dict):
        yield "", "must be names and values"
        return
    for name, one in value.items():
        if not _VARIABLE.fullmatch(str(name)):
            yield f".{name}", "is no variable name: use letters, digits and _, not a digit first"
        elif not isinstance(one, str):
            yield f".{name}", f"must be text: put {_shown(one)} in quotes"


def _tags(value: Any) -> Found:
    yield from _texts(value)
    if isinstance(value, list) and len(value) > 20:
        yield "", "must be at most 20"


def _schedule(value: Any) -> Found:
    if not isinstance(value, str):
        yield "", "must be text in quotes, such as '0 3 * * 1-5'"
    elif value.startswith("@"):
        if value.lower() not in MACROS:
            yield "", f"must be five fields of cron or one of {', '.join(MACROS)}"
    elif len(value.split()) != 5 or "(" in value:
        yield "", f"must be five fields of cron, such as '0 3 * * 1-5', not {_shown(value)}"


def _cpu(value: Any) -> Found:
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in MEMORY_MIB:
        sizes = ", ".join(f"{size:g}" for size in MEMORY_MIB)
        yield "", f"must be one of {sizes} (vCPU), not {_shown(value)}"


def _notify(value: Any) -> Found:
    kinds = ("failing", "every_failure", "recovered", "missed")
    if not isinstance(value, list) or any(one not in kinds for one in value):
        yield "", f"must be a list of {', '.join(kinds)}"
    elif len(set(value)) < len(value):
        yield "", "must not name anything twice"


FIELDS: dict[str, Field] = {
    "name": Field(None, _text(128)),
    "image": Field(None, _text(255)),
    "entrypoint": Field(None, _arguments),
    "command": Field(None, _command),
    "env": Field({}, _variables),
    "secrets": Field({}, _variables),
    "tags": Field([], _tags),
    "schedule": Field(None, _schedule),
    "timezone": Field("UTC", _text(64)),
    "paused": Field(False, _boolean),
    "concurrency_policy": Field("allow", _one_of("allow", "forbid", "replace", "queue")),
    "max_concurrent_runs": Field(1, _whole(1, 1_000)),
    "jitter_seconds": Field(0, _whole(0, 3_600)),
    "starting_deadline_seconds": Field(3_600, _whole(300, 86_400)),
    "cpu": Field(0.25, _cpu),
    "memory_mib": Field(512, _whole(512, 122_880)),
    "architecture": Field("x86_64", _one_of("x86_64", "arm64")),
    "capacity": Field("on_demand", _one_of("on_demand", "spot", "spot_then_on_demand")),
    "task_role_arn": Field(None, _text(700)),
    "timeout_seconds": Field(86_400, _whole(1, 1_209_600)),
    "max_retries": Field(0, _whole(0, 10)),
    "notify": Field(["failing", "recovered", "missed"], _notify),
}
"""In the order in which they are shown and dumped."""

REQUIRED = ("name", "image")


def check_memory(cpu: Any, memory_mib: Any) -> str | None:
    """What is wrong with two sizes that are right each by itself."""
    sizes = MEMORY_MIB.get(cpu, ())
    if not sizes or memory_mib in sizes:
        return None
    shown = ", ".join(map(str, sizes))
    return f"must be one of {shown} with cpu {cpu:g}, not {_shown(memory_mib)}"


def unknown(name: str, known: Iterator[str] | dict[str, Any]) -> str:
    """What to say of a name that is none of `known`."""
    near = difflib.get_close_matches(name[:64], list(known), n=1)
    return f"is unknown; did you mean {near[0]}?" if near else "is unknown"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:60] + "…"
