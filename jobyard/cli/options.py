"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import update_wrapper
from typing import Any, TypeVar

import click

from jobyard import durations, render
from jobyard.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType[timedelta]):
    """`90s`, `15m`, `1h30m`, `7d`."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return durations.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, sign, text = str(value).partition("=")
        if not sign or not name:
            self.fail(f"{value!r} must be NAME=VALUE", param, ctx)
        return name, text


def with_session(command: F) -> F:
    """Give the command its Session as first argument."""

    def called(*args: Any, **options: Any) -> Any:
        session = click.get_current_context().find_object(Session)
        assert session is not None
        session.format = options.pop("output", None) or "table"
        return command(session, *args, **options)

    return update_wrapper(called, command)  # type: ignore[return-value]  # one argument fewer


output = click.option(
    "-o",
    "--output",
    type=click.Choice(render.FORMATS),
    default="table",
    metavar="FORMAT",
    help=f"{', '.join(render.FORMATS[:-1])} or {render.FORMATS[-1]}; all but table for programs.",
)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of jobs, for the shell; none where the API is not reached at once."""
    from jobyard.errors import JobyardError

    flags = ctx.find_root().params
    names = ("url", "token", "workspace", "project")
    session = Session({name: flags.get(name) for name in names}, flags.get("profile"))
    try:
        session.client.transport.patience = 0
        found = [str(job["name"]) for job in session.client.jobs()]
    except JobyardError:
        return []  # a shell that completes a word has nowhere to show an error
    return sorted(name for name in found if name.startswith(incomplete))


def job_argument(
    name: str = "name", metavar: str = "NAME", *, required: bool = True
) -> Callable[[F], F]:
    """A job by its name or id; or, by its metavar, a run."""
    return click.argument(name, metavar=metavar, required=required, shell_complete=_complete)


def example(*lines: str) -> str:
    """An epilog: what somebody would type."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
