"""Commands on the whole project: status, upcoming, open."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from jobyard import durations, render
from jobyard.cli import targets, waiting
from jobyard.cli.jobs import duration
from jobyard.cli.options import Duration, example, job_argument, output, with_session
from jobyard.cli.session import Session, say
from jobyard.render import Cell, Column

if TYPE_CHECKING:
    from jobyard.client import Json
    from jobyard.overview import JobActivity


@click.command(epilog=example("jobyard status", "jobyard status nightly"))
@job_argument(required=False, metavar="[NAME]")
@output
@with_session
def status(session: Session, name: str | None) -> None:
    """Show the state of a job, or of the whole project.

    For a project: which jobs fail and why, what is in flight, and what is next.
    """
    if name is not None:
        job = session.client.find_job(name)
        data = session.client.job_status(job["id"])
        session.emit(data, [job["name"]], lambda: _show_job(job, data))
        return
    from jobyard import overview

    every = overview.activity(session.client)
    failing = [one.job["name"] for one in every if one.is_failing]
    data = {"jobs": [one.as_dict() for one in every]}
    session.emit(data, failing, lambda: _show_project(session, every))


def _show_job(job: Json, data: Json) -> None:
    now = datetime.now(UTC)
    run, counts = data["latest_run"], data["run_counts"]
    ahead = durations.until(data["next_run_at"], now)
    shown = [
        ("job", Cell(f"{job['name']} ({job['id']})")),
        ("schedule", Cell(_schedule(job))),
        ("next run", Cell(f"{durations.moment(data['next_run_at'])} ({ahead})" if ahead else "")),
    ]
    if run is None:
        shown.append(("latest run", Cell("never")))
    else:
        state = waiting.waits_for(run)
        shown += [
            ("latest run", Cell(run["id"])),
            ("  status", Cell(state, render.STATUS_STYLES.get(run["status"], ""))),
            ("  took", Cell(duration(run, now))),
            ("  error", Cell(run["error"]["code"] if run["error"] else "", "red")),
            ("  hint", Cell(run["error"]["hint"] if run["error"] else "")),
        ]
    failures = data["consecutive_failures"]
    shown += [
        ("failures", Cell(f"{failures} in a row" if failures else "", "red")),
        ("last success", Cell(durations.moment(data["last_succeeded_at"]))),
        ("runs", Cell(", ".join(f"{number} {name}" for name, number in counts.items() if number))),
        ("this month", Cell(_about(data.get("cost_this_month")))),
    ]
    render.pairs(shown, sys.stdout)


def _about(amount: float | None) -> str:
    """What this month's runs cost, which is an estimate."""
    return "" if amount is None else f"about {render.dollars(amount)}"


def _schedule(job: Json) -> str:
    if not job["schedule"]:
        return "on demand"
    words = f" ({job['schedule_text']})" if job.get("schedule_text") else ""
    return f"{job['schedule']} {job['timezone']}{words}{', paused' if job['paused'] else ''}"


def _show_project(session: Session, every: list[JobActivity]) -> None:
    now = datetime.now(UTC)
    failing = [one for one in every if one.is_failing]
    counts = Counter[str]()
    for one in every:
        counts.update(one.run_counts)
    ahead = sorted(
        (one.job["next_run_at"], one.job["name"]) for one in every if one.job["next_run_at"]
    )
    next_run = f"{ahead[0][1]} {durations.until(ahead[0][0], now)}" if ahead else "none"
    flight = ", ".join(f"{counts[name]} {name}" for name in ("pending", "running") if counts[name])
    ended = ("succeeded", "failed", "cancelled", "skipped")
    ends = ", ".join(f"{counts[name]} {name}" for name in ended if counts[name])
    render.pairs(
        [
            ("project", Cell(f"{session.client.workspace}/{session.client.project}")),
            ("jobs", Cell(_jobs(every))),
            ("failing", Cell(str(len(failing)) if failing else "none", "red" if failing else "")),
            ("in flight", Cell(flight or "nothing", "yellow" if flight else "")),
            ("runs so far", Cell(ends or "none")),
            ("next run", Cell(next_run)),
            ("this month", Cell(_about(_this_month(every)))),
        ],
        sys.stdout,
    )
    if failing:
        click.echo()
        columns = [Column("FAILING", True), Column("IN A ROW", is_number=True), Column("WHY", True)]
        columns.append(Column("LAST SUCCESS"))
        render.table(columns, [_failing(one, now) for one in failing], sys.stdout)


def _this_month(every: list[JobActivity]) -> float | None:
    """Of the jobs that are there, in whole billionths of a dollar until the end."""
    known = [one.cost_this_month for one in every if one.cost_this_month is not None]
    return sum(round(amount * 1e9) for amount in known) / 1e9 if known else None


def _jobs(every: list[JobActivity]) -> str:
    scheduled = sum(bool(one.job["schedule"]) for one in every)
    paused = sum(bool(one.job["schedule"] and one.job["paused"]) for one in every)
    words = [f"{len(every)}", f"{scheduled} scheduled"]
    return ", ".join([*words, f"{paused} paused"] if paused else words)


def _failing(one: JobActivity, now: datetime) -> list[Cell]:
    error = (one.latest_run or {}).get("error") or {}
    why = error.get("code") or (one.latest_run or {}).get("error_code") or ""
    last = durations.age(one.last_succeeded_at, now)
    return [
        Cell(one.job["name"], "bold"),
        Cell(str(one.consecutive_failures), "red"),
        Cell(why),
        Cell(f"{last} ago" if last else "never"),
    ]


@click.command(epilog=example("jobyard upcoming", "jobyard upcoming --until 7d --limit 50"))
@click.option("--until", type=Duration(), metavar="D", default="24h", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@output
@with_session
def upcoming(session: Session, until: timedelta, limit: int) -> None:
    """List the next fires of all jobs."""
    from jobyard import overview

    now = datetime.now(UTC)
    data = overview.upcoming(session.client, now + until, limit)
    slots = data["slots"]

    def table() -> None:
        if not slots:
            say("No schedule fires within that time.")
        columns = [Column("FIRES"), Column("IN", is_number=True), Column("JOB", True)]
        rows = [
            [
                Cell(durations.moment(starts)),
                Cell(durations.until(starts, now).removeprefix("in ")),
                Cell(slot["job_name"], "bold"),
            ]
            for slot in slots
            for starts in [
                slot.get("due_at") or slot["scheduled_for"]
            ]  # an older stage has no jitter
        ]
        render.table(columns, rows, sys.stdout)
        if slots and not data["is_complete"]:
            say("There are more: --limit and --until show them, where the stage tells all.")

    session.emit(data, [slot["job_name"] for slot in slots], table)


@click.command("open", epilog=example("jobyard open", "jobyard open nightly"))
@job_argument("named", "[NAME|RUN]", required=False)
@click.option("--print", "only_print", is_flag=True, help="Only say where it is.")
@with_session
def open_console(session: Session, named: str | None, only_print: bool) -> None:
    """Open the console in the browser.

    At the page of the project, of a job or of a run. The browser is signed in with your token,
    which it gets behind the link's # and takes out of the address; what is printed does not
    have it.
    """
    settings = session.settings
    parts = [settings.workspace, settings.project]
    if named is not None:
        target = targets.find(session, named)
        parts += ["jobs", target.job_id, *(["runs", target.run["id"]] if target.run else [])]
    place = "/".join(quote(part, safe="") for part in parts)
    url = f"{settings.url.rstrip('/')}/console#/{place}"
    click.echo(url)
    if not only_print and sys.stdout.isatty():
        click.launch(f"{url}?token={quote(settings.token, safe='')}")
