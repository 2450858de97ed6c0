"""The options of `create` and `update`, and the job fields that they set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

from jobyard.cli.options import Duration, Pair

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("-s", "--schedule", help="Cron in five fields, or a macro such as @daily."),
    click.option("--tz", "timezone", help="Of the schedule: an IANA name.  [API: UTC]"),
    click.option("-e", "--env", type=Pair(), multiple=True, metavar="K=V", help="A variable."),
    click.option(
        "--secret",
        "secrets",
        type=Pair(),
        multiple=True,
        metavar="K=ARN",
        help="A variable from Secrets Manager or SSM.",
    ),
    click.option("--tag", "tags", multiple=True, metavar="K=V", help="`key=value`, or a key."),
    click.option("--cpu", type=float, help="vCPU.  [API: 0.25]"),
    click.option("--memory", "memory_mib", type=int, help="MiB.  [API: 512]"),
    click.option("--arch", "architecture", help="x86_64 or arm64.  [API: x86_64]"),
    click.option("--timeout", "timeout_seconds", type=Duration(), help="Per attempt.  [API: 24h]"),
    click.option("--retries", "max_retries", type=int, help="After a failure.  [API: 0]"),
    click.option("--entrypoint", multiple=True, help="Once for each of its words."),
    click.option("--role", "task_role_arn", metavar="ARN", help="IAM role of the container."),
    click.option(
        "--concurrency",
        "concurrency_policy",
        help="While a run is in flight: allow, forbid, replace or queue.  [API: allow]",
    ),
    click.option("--max-concurrent", "max_concurrent_runs", type=int, help="For those.  [API: 1]"),
    click.option(
        "--deadline",
        "starting_deadline_seconds",
        type=Duration(),
        help="A slot noticed later is recorded as missed.  [API: 1h]",
    ),
    click.option(
        "--jitter",
        "jitter_seconds",
        type=Duration(),
        help="Each slot starts later by an amount that is fixed for the job, at most this.",
    ),
    click.option("--capacity", help="on_demand, spot or spot_then_on_demand."),
    click.option(
        "--notify",
        multiple=True,
        metavar="EVENT",
        help="failing, every_failure, recovered, missed; or none.",
    ),
)


def job_options(command: F) -> F:
    """All of them, in that order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def fields(given: dict[str, Any], command: tuple[str, ...]) -> dict[str, Any]:
    """The given options as fields of the API; an option that was not given is absent."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value == ():
            continue
        if isinstance(value, timedelta):
            found[name] = int(value.total_seconds())
        elif name == "notify" and value == ("none",):
            found[name] = []
        elif name in ("env", "secrets"):
            found[name] = dict(value)
        else:
            found[name] = list(value) if isinstance(value, tuple) else value
    if command:
        found["command"] = list(command)
    return found
