"""Commands on jobs.yaml: plan, apply, dump, import."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobyard import render
from jobyard.cli.options import example, output, with_session
from jobyard.cli.session import OK, REFUSED, Session, confirm, end, say, styled
from jobyard.errors import JobyardError, ManifestError, Problem, Refused

if TYPE_CHECKING:
    from jobyard.manifest import Manifest
    from jobyard.plan import Action, Plan

SOMETHING_TO_DO = 2
NEXT_FIRES = 3

_FILE = click.option(
    "-f",
    "--file",
    default="jobs.yaml",
    show_default=True,
    metavar="FILE",
    help="The manifest; `-` is stdin.",
)
_PRUNE = click.option(
    "--prune", is_flag=True, help="Remove this manifest's jobs that are not in it any more."
)
_ADOPT = click.option(
    "--adopt", is_flag=True, help="Take over jobs that are not managed by this manifest."
)


@dataclass(frozen=True, slots=True)
class Read:
    """A manifest, its project's jobs against it, and when its new schedules fire."""

    manifest: Manifest
    plan: Plan
    fires: dict[str, list[str]]


def _read(session: Session, file: str, *, prune: bool, adopt: bool) -> Read:
    """ManifestError names every mistake, those that only the API can see too."""
    from jobyard import manifest, plan

    found = manifest.read(_text(file), file, os.environ)
    # an option or a variable must not contradict the manifest's workspace and project
    for name, value in (("workspace", found.workspace), ("project", found.project)):
        given = session.flags.get(name)
        if value is not None and given not in (None, value):
            raise click.UsageError(f"--{name} is {given}, and {file} says {value}")
        session.flags[name] = value or given
    client = session.client
    made = plan.make(found, list(client.jobs()), project=client.project, prune=prune, adopt=adopt)
    return Read(found, made, _fires(session, found, made))


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise JobyardError(f"{file} cannot be read: {why}") from error


def _fires(session: Session, found: Manifest, made: Plan) -> dict[str, list[str]]:
    """
    The next fires of each schedule that begins, by the job's name.

    None at all from a stage that is too old to tell; a schedule that the API refuses is a mistake
    of the manifest's.
    """
    fires: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for action in made.acting:
        if action.new_schedule is None or action.wanted is None:
            continue
        try:
            known = session.client.schedule(*action.new_schedule, count=NEXT_FIRES)
        except Refused as refused:
            if refused.status == 404:
                return {}
            if not refused.errors:
                raise
            problems += [action.wanted.problem(found.file, one) for one in refused.errors]
        else:
            fires[action.name] = known["slots"]
    if problems:
        raise ManifestError(problems)
    return fires


@click.command(
    epilog=example("jobyard plan", "jobyard plan -f jobs.yaml --prune --detailed-exitcode")
)
@_FILE
@_PRUNE
@_ADOPT
@click.option(
    "--detailed-exitcode", is_flag=True, help="0: nothing to do, 2: something to do, 1: an error."
)
@output
@with_session
def plan(session: Session, file: str, prune: bool, adopt: bool, detailed_exitcode: bool) -> None:
    """Show what apply would do, and change nothing.

    What would be created, changed and removed, field by field, with the next fires of each
    schedule that changes.
    """
    try:
        read = _read(session, file, prune=prune, adopt=adopt)
    except click.UsageError as error:
        if not detailed_exitcode:
            raise
        # 2 would mean that there is something to do
        raise JobyardError(error.message) from error
    _show(session, read)
    if read.plan.refused:
        end(REFUSED)
    end(SOMETHING_TO_DO if detailed_exitcode and read.plan.acting else OK)


def _show(session: Session, read: Read) -> None:
    from jobyard.cli import plan_text

    data = {
        "managed_by": read.plan.managed_by,
        "actions": [
            {**one.as_dict(), "next_fires": read.fires.get(one.name)} for one in read.plan.actions
        ],
    }
    names = [one.name for one in read.plan.acting]
    session.emit(data, names, lambda: plan_text.show(read.plan, read.fires, sys.stdout))


@click.command(epilog=example("jobyard apply", "jobyard apply -f jobs.yaml --prune --yes"))
@_FILE
@_PRUNE
@_ADOPT
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@output
@with_session
def apply(session: Session, file: str, prune: bool, adopt: bool, yes: bool) -> None:
    """Make the project's jobs what the manifest says.

    It shows the plan and asks before it does it. Each change holds only for the version that
    the plan saw: what somebody else changed meanwhile is shown as a conflict and not
    overwritten. The other jobs are still done.
    """
    from jobyard.cli import plan_text

    read = _read(session, file, prune=prune, adopt=adopt)
    if session.is_table:
        plan_text.show(read.plan, read.fires, sys.stdout)
    acting = read.plan.acting
    if not acting:
        _show_unless_table(session, read)
        end(REFUSED if read.plan.refused else OK)
    confirm(f"Do {plan_text.number(len(acting), 'change')}?", yes)
    failed = [action for action in acting if not did(session, read, action)]
    _show_unless_table(session, read)
    not_done = len(failed) + len(read.plan.refused)
    say(f"{len(acting) - len(failed)} done, {not_done} not.")
    end(REFUSED if not_done else OK)


def _show_unless_table(session: Session, read: Read) -> None:
    if not session.is_table:
        _show(session, read)


def did(session: Session, read: Read, action: Action) -> bool:
    """Do one action and print it; returns whether it succeeded."""
    try:
        _do(session, read.plan.managed_by, action)
    except Refused as refused:
        say(f"{styled('not done', fg='red')} {action.name}: {_why(refused)}")
        for error in refused.errors:
            problem = action.wanted and action.wanted.problem(read.manifest.file, error)
            say(f"  {problem or error.message}")
        return False
    except JobyardError as error:
        say(f"{styled('not done', fg='red')} {action.name}: {error}")
        return False
    say(f"{styled(f'{action.kind}d', fg='green')} {action.name}")
    return True


def _do(session: Session, managed_by: str, action: Action) -> None:
    from jobyard import plan as planning

    client = session.client
    if action.kind == planning.CREATE:
        client.create_job(planning.body(action, managed_by))
    elif action.job is not None:
        job_id, version = action.job["id"], action.job["version"]
        if action.kind == planning.REMOVE:
            client.delete_job(job_id, if_version=version)
        else:
            client.update_job(job_id, planning.body(action, managed_by), if_version=version)


def _why(refused: Refused) -> str:
    if refused.status == 412:
        return f"somebody changed it since the plan, so nothing was overwritten ({refused.message})"
    if refused.code == "job_name_taken":
        return "somebody created a job of that name since the plan, or it is being renamed"
    if refused.status == 404:
        return "somebody deleted it since the plan"
    return "the API refused it:" if refused.errors else refused.message


@click.command(epilog=example("jobyard dump > jobs.yaml", "jobyard dump | jobyard plan -f -"))
@click.option("--managed-by", metavar="NAME", help="Only the jobs of that manifest.")
@with_session
def dump(session: Session, managed_by: str | None) -> None:
    """Write the project's jobs as a manifest."""
    from jobyard import manifest

    client = session.client
    found = [
        job for job in client.jobs() if managed_by is None or job.get("managed_by") == managed_by
    ]
    owners = {job.get("managed_by") for job in found} - {None}
    name = managed_by or (next(iter(owners)) if len(owners) == 1 else None)
    data = manifest.dump(
        found,
        workspace=client.workspace,
        project=client.project,
        name=None if name == client.project else name,
    )
    click.echo(f"# yaml-language-server: $schema={client.url}/jobs.schema.json")
    click.echo(render.as_yaml(data), nl=False)


@click.group("import", epilog=example("jobyard import copilot . > jobs.yaml"))
def import_group() -> None:
    """Write a manifest from what another tool has."""


@import_group.command(
    epilog=example(
        "jobyard import copilot . > jobs.yaml",
        "jobyard import copilot ./copilot --environment prod > jobs.prod.yaml",
    )
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--environment", metavar="NAME", help="With that environment's own values.")
@with_session
def copilot(session: Session, directory: Path, environment: str | None) -> None:
    """Read the Scheduled Jobs of an AWS Copilot workspace; the manifest goes to stdout.

    What has no counterpart goes to stderr, with what to do about it.
    """
    from jobyard import copilot as importing
    from jobyard import manifest
    from jobyard.cli import plan_text

    found = importing.load(directory, environment)
    project = session.flags.get("project") or os.environ.get("JOBYARD_PROJECT") or "default"
    data = {"version": manifest.VERSION, "project": project, "jobs": found.jobs}
    click.echo(render.as_yaml(data), nl=False)
    for note in found.notes:
        say(f"- {note}")
    say(
        f"{plan_text.number(len(found.jobs), 'job')}, {plan_text.number(len(found.notes), 'note')}."
    )
