"""What the command line says of a run that has not started yet, and when a slot starts."""

from __future__ import annotations

from typing import Any

import pytest

from jobyard.cli import waiting
from tests.cli.local_stack import Shell

RUN: dict[str, Any] = {
    "status": "pending",
    "waits_for": None,
    "task_arn": None,
    "retry_at": None,
    "finished_at": None,
    "attempt": 1,
    "max_attempts": 2,
}
RETRY = "2026-11-23T12:00:10.000Z"


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ({}, "pending, waits for capacity"),
        ({"waits_for": ["run_1"]}, "pending, waits for run_1"),
        ({"waits_for": ["run_1", "run_2"]}, "pending, waits for run_1 and others"),
        ({"task_arn": "arn"}, "pending, its task starts: network and image"),
        (
            {"status": "running", "retry_at": RETRY},
            "attempt 1 failed, retry at 2026-11-23 12:00:10 UTC",
        ),
        ({"status": "running", "attempt": 2}, "running, attempt 2 of 2"),
        (
            {"status": "running", "attempts": [{"interruptions": 1}]},
            "running, interrupted once",
        ),
        (
            {
                "status": "running",
                "attempt": 2,
                "attempts": [{"interruptions": 5}, {"interruptions": 2}],
            },
            "running, attempt 2 of 2, interrupted 2 times",
        ),
        ({"status": "cancelled"}, "cancelled, its container is stopping"),
        ({"status": "succeeded"}, "succeeded"),
    ],
)
def test_a_state_says_what_the_run_waits_for(run: dict[str, Any], text: str) -> None:
    """A stage of an older version does not say for which runs it waits."""
    assert waiting.waits_for(RUN | run) == text
    older = {name: value for name, value in (RUN | run).items() if name != "waits_for"}
    if not run.get("waits_for"):
        assert waiting.waits_for(older) == text


def test_a_run_in_line_says_so_wherever_its_state_is_shown(shell: Shell) -> None:
    """In `show`, in `status` of its job, and while somebody waits for its end."""
    shell.create("line", "sleep 60", "--concurrency", "queue")
    shell("run", "line")
    shell("run", "line")
    second, first = shell.json("runs", "line")["runs"]
    says = f"pending, waits for {first['id']}"
    assert says in shell("show", second["id"]).stdout
    assert says in shell("status", "line").stdout
    assert says in shell("run", "line", "--wait", "--timeout", "1s", status=124).stderr
    shell("delete", "line", "--yes")


def test_a_slot_is_listed_at_the_time_at_which_it_starts(shell: Shell) -> None:
    """That is its jitter later; JSON has both times."""
    shell.create("late", "true", "-s", "0 * * * *", "--jitter", "1h")
    (slot,) = shell.json("upcoming", "--until", "2h", "--limit", "1")["slots"]
    due = slot["due_at"]
    assert due >= slot["scheduled_for"]
    assert shell.json("get", "late")["next_run_at"] == due
    assert f"{due[:10]} {due[11:19]} UTC" in shell("upcoming", "--until", "2h").stdout
