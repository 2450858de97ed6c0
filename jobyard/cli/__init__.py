"""The `jobyard` command: its groups of commands, and how errors are shown."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from jobyard.cli.session import INTERRUPTED, OK, REFUSED, USAGE, Session, styled
from jobyard.errors import JobyardError, ManifestError, Refused, SettingsError

CLOSED_PIPE = 141
"""As the shell reports a program that SIGPIPE ended: `jobyard logs … | head` is one."""
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Jobs": {
        "jobs": ("jobs:jobs", "List the project's jobs, failing ones first."),
        "get": ("jobs:get", "Show a job as it is configured."),
        "create": ("jobs:create", "Create a job."),
        "update": ("jobs:update", "Change fields of a job; the others stay."),
        "delete": ("jobs:delete", "Delete a job with its runs and its output."),
        "pause": ("jobs:pause", "Stop a job's schedule; manual runs still work."),
        "resume": ("jobs:resume", "Resume a job's schedule from now on."),
    },
    "Runs": {
        "run": ("runs:run", "Run a job now, with its own command or another one."),
        "runs": ("runs:runs", "List the runs of a job, or of the whole project, newest first."),
        "show": ("runs:show", "Show a run: how it went, and why it failed."),
        "cancel": ("runs:cancel", "Cancel a run that is pending or running."),
    },
    "Output": {
        "logs": ("logs:logs", "Print the output of a run, or of all runs of a job."),
        "metrics": ("logs:metrics", "Show CPU and memory as sparklines, beside the limits."),
    },
    "The project": {
        "status": ("overview:status", "Show the state of a job, or of the whole project."),
        "upcoming": ("overview:upcoming", "List the next fires of all jobs."),
        "audit": ("audit:audit", "List who changed what, newest first."),
        "cost": ("costs:cost", "Show what the jobs' runs of a month cost, estimated."),
        "open": ("overview:open_console", "Open the console in the browser."),
    },
    "Jobs as code": {
        "plan": ("manifests:plan", "Show what apply would do, and change nothing."),
        "apply": ("manifests:apply", "Make the project's jobs what the manifest says."),
        "dump": ("manifests:dump", "Write the project's jobs as a manifest."),
        "import": ("manifests:import_group", "Write a manifest from what another tool has."),
    },
    "This command": {
        "login": ("settings:login", "Store the API's URL and a token as a profile."),
        "completion": ("settings:completion", "Print a shell's completion script."),
        "mcp": ("settings:mcp", "Serve jobs, runs and logs to an agent, by MCP."),
    },
}
"""Each command's module and its name there, and the first sentence of its help.

A module is imported when its command is used, so that `jobyard --help` starts in half the time. A
test compares the sentences with those of the commands.
"""
_WHERE = {name: where for section in SECTIONS.values() for name, (where, _) in section.items()}


class ClosedPipe(Exception):
    """The reader of stdout has closed it. Click would turn the BrokenPipeError into status 1."""


class Sections(click.Group):
    """A group whose help lists its commands by what they are for."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ClosedPipe from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_WHERE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _WHERE:
            return None
        module, _, name = _WHERE[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(f"jobyard.cli.{module}"), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])


@click.group(
    cls=Sections,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings come from these options, else from JOBYARD_URL, JOBYARD_TOKEN, "
    "JOBYARD_WORKSPACE and JOBYARD_PROJECT, else from the profile that `jobyard login` stored.",
)
@click.option("--url", metavar="URL", help="Of the API.")
@click.option("--token", metavar="TOKEN", help="JOBYARD_TOKEN keeps it out of the process list.")
@click.option("--workspace", metavar="ID", help="Whose jobs.")
@click.option("--project", metavar="ID", help="Which of the workspace's projects.")
@click.option("--profile", metavar="NAME", help="Of the config file; else JOBYARD_PROFILE.")
@click.version_option(package_name="jobyard", message="jobyard %(version)s")
@click.pass_context
def command(ctx: click.Context, /, profile: str | None, **flags: str | None) -> None:
    """Run containers to completion in your own AWS account, on demand or on a schedule."""
    ctx.obj = Session(flags, profile)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status, which docs/cli.md lists."""
    for stream in (sys.stdout, sys.stderr):
        # a container's output may contain characters that the terminal's encoding lacks
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a TextIOWrapper
    try:
        code = command.main(arguments, "jobyard", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except click.ClickException as error:
        error.show()
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except (ClosedPipe, BrokenPipeError):
        from jobyard.render import quiet_after_closed_pipe

        quiet_after_closed_pipe()
        return CLOSED_PIPE
    except JobyardError as error:
        return report(error)


def report(error: JobyardError) -> int:
    """Print what is wrong to stderr; returns the exit status."""
    if isinstance(error, ManifestError):
        for problem in error.problems:
            click.echo(str(problem), err=True)
        number = len(error.problems)
        click.echo(f"{_name()} {number} mistake{'s' if number > 1 else ''}", err=True)
        return REFUSED
    if isinstance(error, Refused) and error.errors:
        number = len(error.errors)
        click.echo(
            f"{_name()} the API refused {number} field{'s' if number > 1 else ''}:", err=True
        )
        for one in error.errors:
            click.echo(f"  {one.field}: {one.message}", err=True)
        return REFUSED
    click.echo(f"{_name()} {error}", err=True)
    if isinstance(error, Refused) and error.status == 401:
        click.echo("  hint: `jobyard login` stores another token", err=True)
    return USAGE if isinstance(error, SettingsError) else REFUSED


def _name() -> str:
    return styled("jobyard:", fg="red")


def run_and_exit() -> None:
    """The installed script."""
    sys.exit(main())
