"""CloudWatch Logs: the log group of a job, and the lines in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.cloud import aws
from chalicelib.domain.errors import BadRequest

MAX_PAGE = 10_000
"""Events in a page at most; a page also ends at 1 MB (GetLogEvents, FilterLogEvents)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line: `timestamp` in epoch milliseconds, `stream` the name of its log stream."""

    timestamp: int
    message: str
    stream: str
    event_id: str
    """Empty where CloudWatch does not tell it: GetLogEvents."""


@dataclass(frozen=True, slots=True)
class StreamPage:
    """Part of one stream, oldest first; a token equal to the one sent marks the range's end."""

    events: list[Event]
    backward: str
    forward: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Part of a search, in the direction asked for; no token: the search is complete."""

    events: list[Event]
    token: str | None


@dataclass(slots=True)
class Logs:
    """
    What Jobyard does with CloudWatch Logs.

    Throttling and outages are `Unavailable`; a group or a stream that is not there (yet, or any
    more) is None, since a task that has not written has no stream.
    """

    clients: aws.Clients

    @property
    def _client(self) -> Any:
        return self.clients.get("logs")

    def create_group(
        self, name: str, retention_days: int, tags: Mapping[str, str] | None = None
    ) -> None:
        """
        Make a log group and set how long it keeps its lines; both may be there already.

        A crash between the two calls leaves a group without a retention, until the caller's
        operation is repeated or the audit removes the group because it has no job.
        """
        with aws.translated("create the log group"):
            try:
                self._client.create_log_group(logGroupName=name, tags=dict(tags or {}))
            except ClientError as error:
                _unless(error, "ResourceAlreadyExistsException", "create the log group")
            self._client.put_retention_policy(logGroupName=name, retentionInDays=retention_days)

    def delete_group(self, name: str) -> None:
        """Remove a log group with every line in it; it may be gone already."""
        with aws.translated("delete the log group"):
            try:
                self._client.delete_log_group(logGroupName=name)
            except ClientError as error:
                _unless(error, "ResourceNotFoundException", "delete the log group")

    def list_groups(self, prefix: str, token: str | None = None) -> tuple[list[str], str | None]:
        """At most 50 names of groups, in ASCII order, and the token of the next page if any."""
        request: dict[str, Any] = {"logGroupNamePrefix": prefix, "limit": 50}
        if token is not None:
            request["nextToken"] = token
        with aws.page("list the log groups", token):
            answer = self._client.describe_log_groups(**request)
        return [group["logGroupName"] for group in answer["logGroups"]], answer.get("nextToken")

    def get_events(
        self,
        group: str,
        stream: str,
        *,
        start: int,
        end: int,
        limit: int,
        token: str | None,
        from_head: bool,
    ) -> StreamPage | None:
        """
        A page of one stream's lines with `start` <= timestamp < `end` (epoch milliseconds).

        `from_head` reads towards the newest and is needed with a forward token too; a page may be
        short or empty before its range is exhausted: CloudWatch cuts pages by time as well, and
        says that an end is reached by repeating the token it was given (GetLogEvents).
        """
        request = _request(group, start, end, limit, token) | {"logStreamName": stream}
        answer = _read(self._client.get_log_events, request | {"startFromHead": from_head})
        if answer is None:
            return None
        events = [Event(e["timestamp"], e["message"], stream, "") for e in answer["events"]]
        return StreamPage(events, answer["nextBackwardToken"], answer["nextForwardToken"])

    def filter_events(
        self,
        group: str,
        *,
        streams: Sequence[str],
        pattern: str | None,
        start: int,
        end: int,
        limit: int,
        token: str | None,
        from_head: bool,
    ) -> SearchPage | None:
        """
        A page of the lines of a group, or of at most 100 of its streams, that match `pattern`.

        `start` <= timestamp < `end`, oldest first if `from_head`, else newest first. Empty pages
        with a token are normal (FilterLogEvents).
        """
        # FilterLogEvents includes its end, unlike GetLogEvents
        request = _request(group, start, end - 1, limit, token) | {"startFromHead": from_head}
        if streams:
            request["logStreamNames"] = list(streams)
        if pattern is not None:
            request["filterPattern"] = pattern
        answer = _read(self._client.filter_log_events, request)
        if answer is None:
            return None
        events = [
            Event(e["timestamp"], e["message"], e["logStreamName"], e["eventId"])
            for e in answer["events"]
        ]
        return SearchPage(events, answer.get("nextToken"))


def _request(group: str, start: int, end: int, limit: int, token: str | None) -> dict[str, Any]:
    request = {"logGroupName": group, "startTime": start, "endTime": end}
    request["limit"] = min(limit, MAX_PAGE)
    return request if token is None else {**request, "nextToken": token}


def _read(operation: Any, request: dict[str, Any]) -> dict[str, Any] | None:
    try:
        with aws.translated("read the logs"):
            answer: dict[str, Any] = operation(**request)
            return answer
    except ClientError as error:
        code = aws.error_code(error)
        if code == "ResourceNotFoundException":
            return None
        if code == "InvalidParameterException" and "nextToken" in request:
            # tokens live 24 hours (GetLogEvents, FilterLogEvents)
            raise stale_cursor() from error
        raise


def stale_cursor() -> BadRequest:
    """A cursor that is no longer valid, or never was."""
    return BadRequest("The cursor is no longer valid: start again without it.", code="bad_cursor")


def _unless(error: ClientError, expected: str, what: str) -> None:
    code = aws.error_code(error)
    if code == "OperationAbortedException":  # another call on the same group is under way
        raise aws.unavailable(what) from error
    if code != expected:
        raise error


def quoted(text: str) -> str:
    """
    A filter pattern that matches the lines containing `text`, whatever is in it.

    A quoted phrase is matched as it is, case-sensitively; within it `\\` and `"` are escaped
    ("Filter pattern syntax", CloudWatch Logs user guide).
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
