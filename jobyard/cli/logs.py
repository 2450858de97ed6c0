"""Commands on output and metrics: logs, metrics."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from jobyard import durations, render
from jobyard.cli import targets, waiting
from jobyard.cli.options import example, job_argument, output, with_session
from jobyard.cli.session import Session, end, say
from jobyard.render import Cell, Column

if TYPE_CHECKING:
    from jobyard.client import Client, Json

JOB_SECONDS = (1.0, 5.0)
"""Seconds between two reads of a followed job's output, while lines come and afterwards."""
COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_cyan", "bright_magenta")
SHORT = 6
"""Last characters of a run's id: enough to tell apart the runs in one listing."""
SPARK_WIDTH = 40


@click.command(
    epilog=example(
        "jobyard logs nightly",
        "jobyard logs nightly --since 7d --filter ERROR",
        "jobyard logs -f run_01K9Z0000000000000000000AB",
    )
)
@job_argument("named", "NAME|RUN")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes: a run to its end.")
@click.option("--since", metavar="D|TIME", help="A duration back, such as 6h, or an RFC 3339 time.")
@click.option("--until", "end", metavar="TIME", help="An RFC 3339 time.")
@click.option("--filter", "text", metavar="TEXT", help="Only lines that contain it.")
@click.option("--limit", type=click.IntRange(1), help="The newest.  [run: all; job: 1000]")
@click.option("--timestamps", "-t", is_flag=True, help="Before each line.")
@output
@with_session
def logs(session: Session, named: str, follow: bool, timestamps: bool, **window: Any) -> None:
    """Print the output of a run, or of all runs of a job.

    A job's lines have the last characters of their run's id before them. They are those of the
    last 24 hours unless --since says otherwise.
    """
    if follow and (window["end"] or window["since"]):
        raise click.UsageError("--follow begins at the beginning: leave out --since and --until")
    if follow and session.format in ("yaml", "name"):
        raise click.UsageError("--follow knows -o json (a line each) and the plain form")
    target = targets.find(session, named)
    query = {"since": window["since"], "end": window["end"], "filter": window["text"]}
    show = _writer(session, timestamps, with_run=target.run is None)
    if target.run is not None and follow:
        end(_follow_run(session, target.run, window["text"], show))
    if target.run is None and follow:
        _follow_job(session, target.job_id, query | {"limit": window["limit"]}, show)
    pages = _pages(session.client, target, query, window["limit"])
    if session.is_table:
        for page in pages:
            show(page["logs"])
        return
    found = [line for page in pages for line in page["logs"]]
    session.emit({"logs": found}, [line["message"] for line in found], lambda: None)


def _pages(
    client: Client, target: targets.Target, query: dict[str, Any], limit: int | None
) -> Iterator[Json]:
    """Pages in time order: all of a run's output, or the newest lines."""
    from jobyard.following import PAGE, RunReader

    run = target.run
    if run is not None and limit is None and not (query["since"] or query["end"]):
        reader = RunReader(client, run, query["filter"])
        # for a run in flight, the lines so far
        while not reader.is_done:
            lines = reader.read()
            yield {"logs": lines}
            if not lines:
                return
        return
    wanted = limit or (1_000 if run is None else sys.maxsize)
    pages: list[Json] = []
    place: dict[str, Any] = query
    while wanted > 0:
        asked = {**place, "limit": min(wanted, PAGE)}
        if run is None:
            page = client.job_logs(target.job_id, **asked)
        else:
            page = client.run_logs(run["job_id"], run["id"], **asked)
        pages.append(page)
        wanted -= len(page["logs"])
        if page["previous_cursor"] is None:
            break
        place = {"cursor": page["previous_cursor"]}
    yield from reversed(pages)


def _writer(session: Session, timestamps: bool, *, with_run: bool) -> Any:
    """Returns a function that prints lines to stdout."""

    def show(lines: list[Json]) -> None:
        if session.format == "json":
            import json

            sys.stdout.write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines))
            sys.stdout.flush()
        elif with_run:
            is_coloured = render.has_colour(sys.stdout)
            for line in lines:
                prefix = _prefix(line["run_id"], is_coloured)
                waiting.write_lines([{**line, "message": prefix + line["message"]}], timestamps)
        else:
            waiting.write_lines(lines, timestamps)

    return show


def _prefix(run_id: str | None, is_coloured: bool) -> str:
    short = "?" * SHORT if run_id is None else run_id[-SHORT:]
    if is_coloured:
        short = click.style(short, fg=COLOURS[sum(map(ord, short)) % len(COLOURS)])
    return f"{short} | "


def _follow_run(session: Session, run: Json, text: str | None, show: Any) -> int:
    """Follow to the run's end; returns 0 whatever became of the run: its output was asked for."""
    from jobyard.following import RunFollower

    follower = RunFollower(session.client, run, filter_text=text)
    session.client.transport.patience = waiting.OUTAGE_PATIENCE
    while not follower.is_done:
        show(follower.poll())
        if not follower.is_done:
            time.sleep(follower.seconds_left())
    say(f"{run['id']} {follower.run['status']}.")
    return 0


def _follow_job(session: Session, job_id: str, query: dict[str, Any], show: Any) -> None:
    """Follow until interrupted, since a job has no end."""
    session.client.transport.patience = waiting.OUTAGE_PATIENCE
    page = session.client.job_logs(job_id, **query)
    wait = JOB_SECONDS[0]
    while True:
        show(page["logs"])
        wait = JOB_SECONDS[0] if page["logs"] else min(wait * 1.4, JOB_SECONDS[1])
        time.sleep(wait)
        page = session.client.job_logs(job_id, cursor=page["next_cursor"])


@click.command(
    epilog=example(
        "jobyard metrics nightly --since 7d",
        "jobyard metrics run_01K9Z0000000000000000000AB -o json",
    )
)
@job_argument("named", "NAME|RUN")
@click.option("--since", metavar="D|TIME", help="A duration back, such as 6h, or an RFC 3339 time.")
@output
@with_session
def metrics(session: Session, named: str, since: str | None) -> None:
    """Show CPU and memory as sparklines, beside the limits.

    Of a run its whole life, and of a job its last hour, unless --since says otherwise.
    """
    target = targets.find(session, named)
    if target.run is not None:
        data = session.client.run_metrics(target.job_id, target.run["id"], since=since)
    else:
        data = session.client.job_metrics(target.job_id, since=since)
    limits = target.run or target.job or {}
    session.emit(data, list(data["metrics"]), lambda: _show_metrics(data, limits))


def _show_metrics(data: Json, limits: Json) -> None:
    columns = [Column("METRIC"), Column("", True)]
    columns += [Column(name, is_number=True) for name in ("MIN", "MEAN", "MAX", "LIMIT")]
    rows = []
    for name, series in data["metrics"].items():
        if series["status"] == "error":
            say(f"{name}: {render.one_line(series['message'])}")
        elif not series["points"]:
            say(f"{name}: no data; a run of under a minute may have none")
        else:
            rows.append(_metric(name, series, limits))
    render.table(columns, rows, sys.stdout)
    if rows:
        period = durations.in_words(data["period_seconds"])
        say(f"Each value is of {period}, up to {durations.moment(data['end'])}.")


def _metric(name: str, series: Json, limits: Json) -> list[Cell]:
    values = [float(point["value"]) for point in series["points"]]
    is_memory = series["unit"] == "bytes"
    limit = float(limits["memory_mib"]) * 1024 * 1024 if is_memory else float(limits["cpu"])
    show = render.megabytes if is_memory else "{:.2f}".format
    numbers = (min(values), sum(values) / len(values), max(values), limit)
    style = "red" if max(values) > 0.9 * limit else "green"
    spark = Cell(render.sparkline(values, SPARK_WIDTH), style)
    return [Cell(name), spark, *(Cell(show(number)) for number in numbers)]
