"""Commands on jobs: list, get, create, update, delete, pause, resume."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from jobyard import durations, render
from jobyard.cli.job_options import fields, job_options
from jobyard.cli.options import example, job_argument, output, with_session
from jobyard.cli.session import Session, confirm, say
from jobyard.render import Cell, Column

if TYPE_CHECKING:
    from jobyard.client import Json
    from jobyard.overview import JobActivity

COMMAND = click.argument("command", nargs=-1, metavar="[-- COMMAND...]", type=click.UNPROCESSED)


@click.command(
    epilog=example(
        "jobyard jobs",
        "jobyard jobs --wide --tag team=data",
        "jobyard jobs -o name",
    )
)
@click.option("--wide", "-w", is_flag=True, help="Also the schedule in words, image, tags and id.")
@click.option("--tag", "tags", multiple=True, help="Only those with it; repeat it for all of them.")
@output
@with_session
def jobs(session: Session, wide: bool, tags: tuple[str, ...]) -> None:
    """List the project's jobs, failing ones first."""
    from jobyard import overview

    if not session.is_table:
        found = list(session.client.jobs(tags=tags))
        names = [str(job["name"]) for job in found]
        session.emit({"jobs": found, "next_cursor": None}, names, lambda: None)
        return
    every = overview.activity(session.client, tags)
    if not every:
        say("There are no jobs here yet; `jobyard create --help` makes one.")
    now = datetime.now(UTC)
    columns = [
        *(Column("NAME", not wide), Column("SCHEDULE", not wide), Column("LAST RUN")),
        *(Column("AGE", is_number=True), Column("TOOK", is_number=True), Column("NEXT")),
    ]
    if wide:
        columns += [
            Column("THIS MONTH", is_number=True),
            Column("IMAGE"),
            Column("TAGS"),
            Column("ID"),
        ]
    render.table(columns, [_row(one, now, wide) for one in every], sys.stdout)


def _row(one: JobActivity, now: datetime, wide: bool) -> list[Cell]:
    job, run = one.job, one.latest_run
    words = job.get("schedule_text") if wide else None
    last = Cell("never", "bright_black")
    if run is not None:
        failures = f" {one.consecutive_failures}x" if one.consecutive_failures > 1 else ""
        last = Cell(run["status"] + failures, render.STATUS_STYLES.get(run["status"], ""))
    row = [
        Cell(job["name"], "bold"),
        Cell(words or job["schedule"] or "on demand", "" if job["schedule"] else "bright_black"),
        last,
        Cell("" if run is None else durations.age(run["finished_at"] or run["created_at"], now)),
        Cell(duration(run, now)),
        Cell("paused" if job["paused"] else durations.until(job["next_run_at"], now)),
    ]
    if wide:
        row += [
            Cell(render.dollars(one.cost_this_month)),
            Cell(job["image"]),
            Cell(", ".join(job["tags"])),
            Cell(job["id"]),
        ]
    return row


def duration(run: Json | None, now: datetime) -> str:
    """How long a run took, or has taken so far."""
    if run is None or run["started_at"] is None:
        return ""
    ended = run["finished_at"]
    end = now if ended is None else durations.read_time(ended)
    return durations.in_words((end - durations.read_time(run["started_at"])).total_seconds())


@click.command(epilog=example("jobyard get nightly", "jobyard get nightly -o yaml"))
@job_argument()
@output
@with_session
def get(session: Session, name: str) -> None:
    """Show a job as it is configured."""
    job = session.client.find_job(name)
    session.emit(job, [job["name"]], lambda: _show(job))


def _show(job: Json) -> None:
    from jobyard.job_fields import FIELDS

    now = datetime.now(UTC)
    shown = [("id", Cell(job["id"])), ("name", Cell(job["name"], "cyan"))]
    for field in FIELDS:
        value = job.get(field)
        if field != "name" and value not in (None, {}, []):
            shown.append((field, Cell(value_text(value))))
    ahead = durations.until(job["next_run_at"], now)
    shown += [
        ("managed_by", Cell(job.get("managed_by") or "")),
        ("version", Cell(str(job["version"]))),
        ("created", Cell(durations.moment(job["created_at"]))),
        ("updated", Cell(durations.moment(job["updated_at"]))),
        ("next run", Cell(f"{durations.moment(job['next_run_at'])} ({ahead})" if ahead else "")),
        ("woken by", Cell(job.get("wake") or "")),
    ]
    render.pairs(shown, sys.stdout)


def value_text(value: Any) -> str:
    """A field's value in one line, as a person would write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        import shlex

        return shlex.join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


@click.command(
    epilog=example(
        "jobyard create hello --image busybox:1.36 -- echo hello",
        "jobyard create report --image python:3.13-slim -s '0 3 * * 1-5' --tz Europe/Berlin \\",
        "    --cpu 0.5 --memory 1024 -e MODE=full --retries 2 -- python -m report",
    )
)
@click.argument("name", metavar="NAME")
@click.option("--image", required=True, help="What to run: an OCI image reference.")
@job_options
@click.option("--paused", is_flag=True, help="The schedule does not fire yet.")
@COMMAND
@output
@with_session
def create(
    session: Session, name: str, command: tuple[str, ...], paused: bool, **given: Any
) -> None:
    """Create a job."""
    spec = {"name": name, **fields(given, command)}
    if paused:
        spec["paused"] = True
    job = session.client.create_job(spec)
    session.done(f"Created {job['name']} ({job['id']}){_next(job)}.", job, job["name"])


def _next(job: Json) -> str:
    ahead = durations.until(job["next_run_at"], datetime.now(UTC))
    return f"; its next run is {ahead}" if ahead else ""


@click.command(
    epilog=example(
        "jobyard update nightly --image python:3.14-slim",
        "jobyard update nightly -e MODE=quick --unset-env DEBUG",
        "jobyard update nightly --unset schedule",
    )
)
@job_argument()
@click.option("--rename", metavar="NAME", help="Its name from now on.")
@click.option("--image", help="What to run.")
@job_options
@click.option("--unset-env", multiple=True, metavar="K", help="Remove a variable.")
@click.option("--unset", multiple=True, metavar="FIELD", help="Back to the API's default.")
@COMMAND
@output
@with_session
def update(
    session: Session,
    name: str,
    command: tuple[str, ...],
    rename: str | None,
    unset_env: tuple[str, ...],
    unset: tuple[str, ...],
    **given: Any,
) -> None:
    """Change fields of a job; the others stay.

    Variables are added to those that there are. It takes effect on the next run: a run in flight
    keeps what it began with.
    """
    changes: dict[str, Any] = dict.fromkeys(unset) | fields(given, command)
    if rename is not None:
        changes["name"] = rename
    job = session.client.find_job(name)
    if "env" in changes or unset_env:
        env = {**job["env"], **(changes.get("env") or {})}
        changes["env"] = {key: value for key, value in env.items() if key not in unset_env}
    if not changes:
        raise click.UsageError("nothing to change: name a field, see `jobyard update --help`")
    # the variables were read above: refuse the change if somebody changed the job meanwhile
    version = job["version"] if "env" in changes else None
    changed = session.client.update_job(job["id"], changes, if_version=version)
    session.done(f"Updated {changed['name']}{_next(changed)}.", changed, changed["name"])


@click.command(epilog=example("jobyard delete hello", "jobyard delete hello --yes"))
@job_argument()
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete a job with its runs and its output.

    Runs in flight are stopped.
    """
    job = session.client.find_job(name)
    confirm(f"Delete {job['name']} with all of its runs and output?", yes)
    session.client.delete_job(job["id"])
    say(f"Deleted {job['name']}.")


@click.command(epilog=example("jobyard pause nightly"))
@job_argument()
@output
@with_session
def pause(session: Session, name: str) -> None:
    """Stop a job's schedule; manual runs still work."""
    job = session.client.update_job(session.client.find_job(name)["id"], {"paused": True})
    session.done(f"Paused {job['name']}.", job, job["name"])


@click.command(epilog=example("jobyard resume nightly"))
@job_argument()
@output
@with_session
def resume(session: Session, name: str) -> None:
    """Resume a job's schedule from now on.

    Slots that were due while it was paused do not start.
    """
    job = session.client.update_job(session.client.find_job(name)["id"], {"paused": False})
    session.done(f"Resumed {job['name']}{_next(job)}.", job, job["name"])
