"""The command on costs."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from jobyard import render
from jobyard.cli.options import example, output, with_session
from jobyard.cli.session import Session, say
from jobyard.render import Cell, Column

if TYPE_CHECKING:
    from jobyard.client import Json

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


def _month(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text is not None and not _MONTH.fullmatch(text):
        raise click.BadParameter("a month is written as 2026-11")
    return text


@click.command(epilog=example("jobyard cost", "jobyard cost --month 2026-10 -o json"))
@click.option("--month", metavar="YYYY-MM", callback=_month, help="In UTC; else the present one.")
@output
@with_session
def cost(session: Session, month: str | None) -> None:
    """Show what the jobs' runs of a month cost, estimated.

    The dearest job first, with those that were deleted since. A run counts in the month in which
    it ended. It is an estimate from list prices, not AWS's bill.
    """
    data = session.client.cost(month=month)
    session.emit(data, [job["job_name"] for job in data["jobs"]], lambda: _show(data))


def _show(data: Json) -> None:
    columns = [Column("JOB", True), Column("RUNS", is_number=True)]
    columns.append(Column("COST, ABOUT", is_number=True))
    rows = [
        [
            Cell(job["job_name"], "bold"),
            Cell(str(job["runs"])),
            Cell(render.dollars(job["usd"]) or "not known"),
        ]
        for job in data["jobs"]
    ]
    render.table(columns, rows, sys.stdout)
    left_out = sum(job["runs_without_price"] for job in data["jobs"])
    if left_out:
        say(f"{left_out} run(s) are left out: Jobyard does not know the price of their region.")
    total = render.dollars(data["usd"])
    if total:
        say(f"{data['month']}: about {total}, an estimate from list prices.")
