"""Commands on runs: run, runs, show, cancel."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from jobyard import durations, render
from jobyard.cli import waiting
from jobyard.cli.jobs import COMMAND, duration, value_text
from jobyard.cli.options import Duration, Pair, example, job_argument, output, with_session
from jobyard.cli.session import Session, end, say
from jobyard.render import Cell, Column

if TYPE_CHECKING:
    from jobyard.client import Json

STATUSES = ("pending", "running", "succeeded", "failed", "cancelled")


@click.command(
    epilog=example(
        "jobyard run hello --follow",
        "jobyard run nightly --wait --timeout 2h",
        "jobyard run nightly -e MODE=quick -- python -m etl --day 2026-11-23",
    )
)
@job_argument()
@click.option("-e", "--env", type=Pair(), multiple=True, metavar="K=V", help="For this run.")
@click.option("--wait", "-w", is_flag=True, help="Show its state until it is over.")
@click.option("--follow", "-f", is_flag=True, help="The same, and its output on stdout.")
@click.option("--timeout", type=Duration(), metavar="D", help="Wait no longer; status 124.")
@click.option(
    "--on-interrupt",
    type=click.Choice(waiting.HOW_TO_INTERRUPT),
    default="ask",
    show_default=True,
    help="What Ctrl-C does to the run; without a terminal `ask` leaves it.",
)
@click.option("--timestamps", "-t", is_flag=True, help="Before each line of --follow.")
@COMMAND
@output
@with_session
def run(
    session: Session,
    name: str,
    command: tuple[str, ...],
    env: tuple[tuple[str, str], ...],
    wait: bool,
    follow: bool,
    timeout: timedelta | None,
    on_interrupt: str,
    timestamps: bool,
) -> None:
    """Run a job now, with its own command or another one.

    With --wait or --follow the exit status is the container's exit code; 124: --timeout passed,
    125: it never started, 126: it was cancelled, 130: interrupted, 1: it failed without an exit
    code. Without them the run's id is on stdout.
    """
    if follow and not session.is_table:
        raise click.UsageError("--follow puts the output on stdout, so -o has no place there")
    if timeout is not None and not (wait or follow):
        raise click.UsageError("--timeout goes with --wait or --follow")
    job = session.client.find_job(name)
    made = session.client.trigger(job["id"], command=command, env=dict(env))
    if not (wait or follow):
        say(f"Triggered {job['name']}; follow it with `jobyard logs -f {made['id']}`.")
        session.emit(made, [made["id"]], lambda: click.echo(made["id"]))
        return
    end(_wait(session, job["name"], made, follow, timeout, on_interrupt, timestamps))


def _wait(
    session: Session,
    name: str,
    made: Json,
    follow: bool,
    timeout: timedelta | None,
    on_interrupt: str,
    timestamps: bool,
) -> int:
    from jobyard.client import is_over
    from jobyard.following import RunFollower

    say(f"Triggered {name}: {made['id']}")
    follower = RunFollower(session.client, made, with_lines=follow)
    code = waiting.wait(
        session,
        follower,
        name,
        limit=timeout,
        on_interrupt=on_interrupt,
        with_timestamps=timestamps,
    )
    if is_over(follower.run):
        waiting.verdict(session, follower.run, name, with_tail=not follow)
    if not follow:
        session.emit(follower.run, [made["id"]], lambda: None)
    return code


@click.command(
    epilog=example(
        "jobyard runs",
        "jobyard runs nightly --status failed --since 7d",
        "jobyard runs nightly --limit 1 -o json",
    )
)
@job_argument(required=False, metavar="[NAME]")
@click.option("--status", type=click.Choice(STATUSES), help="Only those.")
@click.option("--trigger", type=click.Choice(("manual", "schedule")), help="Only those.")
@click.option("--since", type=Duration(), metavar="D", help="Made within that time.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="The newest.")
@output
@with_session
def runs(
    session: Session,
    name: str | None,
    status: str | None,
    trigger: str | None,
    since: timedelta | None,
    limit: int,
) -> None:
    """List the runs of a job, or of the whole project, newest first."""
    from jobyard import overview

    now = datetime.now(UTC)
    start = None if since is None else now - since
    if name is None:
        found = overview.runs(
            session.client, status=status, trigger=trigger, since=start, limit=limit
        )
    else:
        job = session.client.find_job(name)
        page = session.client.job_runs(job["id"], status=status, trigger=trigger, limit=limit)
        found = list(overview.since_only(page, start))

    def table() -> None:
        if not found:
            say("There are no such runs.")
        columns = [Column("RUN"), *([] if name else [Column("JOB", True)]), Column("STATUS")]
        columns += [Column("AGE", is_number=True), Column("TOOK", is_number=True)]
        columns += [Column("WHY", True)]
        render.table(columns, [_row(one, now, with_job=name is None) for one in found], sys.stdout)

    names = [str(one["id"]) for one in found]
    session.emit({"runs": found, "next_cursor": None}, names, table)


def _row(one: Json, now: datetime, *, with_job: bool) -> list[Cell]:
    error = one["error"]
    why = "" if error is None else error["code"]
    if one["exit_code"] not in (None, 0):
        why = f"exit code {one['exit_code']}" if why == "nonzero_exit" else why
    job = [Cell(str(one.get("job_name") or one["job_id"]), "bold")] if with_job else []
    return [
        Cell(one["id"]),
        *job,
        render.status_cell(one["status"]),
        Cell(durations.age(one["created_at"], now)),
        Cell(duration(one, now)),
        Cell(why),
    ]


@click.command(
    epilog=example("jobyard show run_01K9Z0000000000000000000AB", "jobyard show RUN -o json")
)
@click.argument("run_id", metavar="RUN")
@output
@with_session
def show(session: Session, run_id: str) -> None:
    """Show a run: how it went, and why it failed.

    With its attempts, times, exit code and cost, and the hint to its error.
    """
    from jobyard import overview

    found = overview.find_run(session.client, run_id)
    session.emit(found, [found["id"]], lambda: _show(found))


def _show(one: Json) -> None:
    now = datetime.now(UTC)
    error = one["error"] or {}
    by = one.get("triggered_by") or {}
    state = waiting.waits_for(one)
    due = one.get("due_at") or one["scheduled_for"]  # an older stage does not say it
    render.pairs(
        [
            ("run", Cell(one["id"])),
            ("job", Cell(" ".join(filter(None, [one.get("job_name"), one["job_id"]])))),
            ("status", Cell(state, render.STATUS_STYLES.get(one["status"], ""))),
            ("exit code", Cell("" if one["exit_code"] is None else str(one["exit_code"]))),
            ("error", Cell(f"{error['code']}: {error['message']}" if error else "", "red")),
            ("hint", Cell(error.get("hint", ""))),
            ("trigger", Cell(" by ".join(filter(None, [one["trigger"], by.get("name")])))),
            ("slot", Cell(durations.moment(one["scheduled_for"]))),
            ("due", Cell(durations.moment(due) if due != one["scheduled_for"] else "")),
            ("created", Cell(durations.moment(one["created_at"]))),
            ("started", Cell(durations.moment(one["started_at"]))),
            ("finished", Cell(durations.moment(one["finished_at"]))),
            ("took", Cell(duration(one, now))),
            ("cost", Cell(_cost(one.get("cost")))),
            ("image", Cell(one["image"])),
            ("command", Cell(value_text(one["command"] or ""))),
            ("size", Cell(f"{one['cpu']:g} vCPU, {one['memory_mib']} MiB")),
            ("capacity", Cell(_capacity(one))),
            ("task", Cell(one["task_arn"] or "")),
        ],
        sys.stdout,
    )
    if len(one["attempts"]) > 1:
        click.echo()
        columns = [Column("ATTEMPT"), Column("STARTED"), Column("TOOK"), Column("EXIT")]
        columns += [Column("COST, ABOUT", is_number=True), Column("WHY", True)]
        render.table(columns, [_attempt(each, now) for each in one["attempts"]], sys.stdout)


def _capacity(one: Json) -> str:
    interrupted = waiting.interruptions(one["attempts"])
    return ", ".join(filter(None, [one.get("capacity"), interrupted]))


def _cost(cost: Json | None) -> str:
    if not cost:
        return ""
    size = f"{cost['vcpu_seconds']:g} vCPU-s, {cost['gib_seconds']:g} GiB-s"
    return f"about {render.usd(cost)} ({size}, prices of {cost['price_date']})"


def _attempt(one: Json, now: datetime) -> list[Cell]:
    error = one["error"]
    return [
        Cell(str(one["attempt"])),
        Cell(durations.moment(one["started_at"])),
        Cell(duration(one, now)),
        Cell("" if one["exit_code"] is None else str(one["exit_code"])),
        Cell(render.usd(one.get("cost"))),
        Cell("" if error is None else error["code"]),
    ]


@click.command(epilog=example("jobyard cancel run_01K9Z0000000000000000000AB"))
@click.argument("run_id", metavar="RUN")
@with_session
def cancel(session: Session, run_id: str) -> None:
    """Cancel a run that is pending or running."""
    from jobyard import overview

    found = overview.find_run(session.client, run_id)
    session.client.cancel_run(found["job_id"], found["id"])
    say(f"{found['id']} was cancelled.")
