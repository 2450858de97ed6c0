"""The command on the audit trail."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import click

from jobyard import durations, render
from jobyard.cli.options import Duration, example, output, with_session
from jobyard.cli.session import Session, say
from jobyard.render import Cell, Column


@click.command(epilog=example("jobyard audit", "jobyard audit --since 7d --limit 100 -o json"))
@click.option("--since", type=Duration(), metavar="D", help="Within that time.")
@click.option("--until", type=Duration(), metavar="D", help="Longer ago than that.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="The newest.")
@output
@with_session
def audit(session: Session, since: timedelta | None, until: timedelta | None, limit: int) -> None:
    """List who changed what, newest first.

    Jobs that were made, changed or deleted, runs that were cancelled, tokens that were made or
    revoked: with the names of the fields, never their values. It needs a token that may write.
    """
    now = datetime.now(UTC)
    start, end = (
        None if ago is None else durations.write_time(now - ago) for ago in (since, until)
    )
    found = list(session.client.audit(since=start, until=end, limit=limit))

    def table() -> None:
        if not found:
            say("There are no such entries.")
        columns = [Column("AT"), Column("WHO", True), Column("ACTION"), Column("TARGET", True)]
        columns.append(Column("FIELDS", True))
        rows = [
            [
                Cell(durations.moment(entry["at"])),
                Cell(entry["token_name"], "bold"),
                Cell(entry["action"]),
                Cell(f"{entry['target_name']} ({entry['target']})"),
                Cell(", ".join(entry["fields"])),
            ]
            for entry in found
        ]
        render.table(columns, rows, sys.stdout)

    targets = [str(entry["target"]) for entry in found]
    session.emit({"entries": found, "next_cursor": None}, targets, table)
