"""From a query of logs to what the use-case takes, and from what it found to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.http import views
from chalicelib.http.answer import Answer, ok
from chalicelib.http.cursors import decode_cursor, encode_cursor
from chalicelib.http.room import LineRoom

if TYPE_CHECKING:
    from chalicelib.http.queries import LogsQuery
    from chalicelib.usecases.logs import LogPage, LogsRequest


def asked(query: LogsQuery, scope: str) -> LogsRequest:
    """What the query asks of the lines of `scope`, a job or a run."""
    from chalicelib.usecases.logs import LogsRequest

    cursor = None if query.cursor is None else decode_cursor("logs", scope, query.cursor)
    return LogsRequest(query.window, query.limit, query.filter, cursor, LineRoom())


def lines(page: LogPage, scope: str) -> Answer:
    """The lines, and how to go on from them in both directions."""
    older, newer = page.previous_cursor, page.next_cursor
    data = {
        "logs": [views.log_line(line) for line in page.lines],
        "next_cursor": newer and encode_cursor("logs", scope, newer),
        "previous_cursor": older and encode_cursor("logs", scope, older),
    }
    cut = " The answer is partial: go on with its cursor." if page.is_partial else ""
    return ok(f"{len(page.lines)} line(s).{cut}", data)
