"""What every command uses: the settings, a client, and its output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Never

import click

from jobyard import config, render

if TYPE_CHECKING:
    from jobyard.client import Client, Json

OK, REFUSED, USAGE = 0, 1, 2
TIMED_OUT, NEVER_STARTED, CANCELLED, INTERRUPTED = 124, 125, 126, 130


class Session:
    """One call of the command."""

    def __init__(self, flags: dict[str, str | None], profile: str | None) -> None:
        self.flags = flags
        self.profile = profile
        self.format = "table"

    @cached_property
    def settings(self) -> config.Settings:
        return config.resolve(self.flags, self.profile)

    @cached_property
    def client(self) -> Client:
        from jobyard.client import Client  # with it the HTTP library, which --help does not need

        found = self.settings
        return Client(
            found.url,
            found.token,
            workspace=found.workspace,
            project=found.project,
            notify=say,
        )

    @property
    def is_table(self) -> bool:
        return self.format == "table"

    def emit(self, data: Any, names: Sequence[str], table: Callable[[], None]) -> None:
        """Show `data` in the chosen format; nothing else goes to stdout."""
        if self.format == "json":
            click.echo(render.as_json(data))
        elif self.format == "yaml":
            click.echo(render.as_yaml(data), nl=False)
        elif self.format == "name":
            for name in names:
                click.echo(name)
        else:
            table()

    def done(self, message: str, data: Json, name: str) -> None:
        """Report a change, and show its result if a format was chosen."""
        self.emit(data, [name], lambda: None)
        say(message)


def say(message: str) -> None:
    """A line for the person, on stderr."""
    click.echo(message, err=True)


def styled(text: str, **style: Any) -> str:
    """Text for stderr, in colour where that shows it."""
    return click.style(text, **style) if render.has_colour(sys.stderr) else text


def end(code: int) -> Never:
    """End the command with that exit status."""
    raise click.exceptions.Exit(code)


def confirm(question: str, is_agreed: bool) -> None:
    """Ask for consent, unless --yes gave it; a UsageError where nobody can be asked."""
    if is_agreed:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("stdin is no terminal, so nobody can be asked: add --yes")
    if not click.confirm(question, err=True):
        say("Nothing was done.")
        end(REFUSED)
