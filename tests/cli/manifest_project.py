"""Writes the manifest of a project, and has two example jobs."""

from __future__ import annotations

from typing import Any

from jobyard.render import as_yaml
from tests.cli.local_stack import Shell

Json = dict[str, Any]


def write(shell: Shell, jobs: list[Json], **head: Any) -> None:
    text = as_yaml({"version": 1, **head, "jobs": jobs})
    (shell.directory / "jobs.yaml").write_text(text)


HELLO = {"name": "hello", "image": "busybox", "command": ["echo", "hi"]}

NIGHTLY = {"name": "nightly", "image": "etl:${TAG}", "schedule": "0 3 * * 1-5"}
