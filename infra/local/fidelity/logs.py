"""
CloudWatch Logs as AWS reads and takes lines, in moto's place.

moto knows few filter patterns and matches everything with the rest, ignores startFromHead and
stream prefixes, includes GetLogEvents' end, forgets tokens' meaning when lines arrive, and sorts
everything for every page. Here PutLogEvents, GetLogEvents and FilterLogEvents work on moto's
streams, kept in order: by timestamp, then by arrival.

    with mock_aws(), LogsFidelity.install(now=clock) as logs:
        logs.scan_limit = 3        # FilterLogEvents looks at so many events a page, then stops
        logs.slice_ms = 3_600_000  # GetLogEvents looks at so much time a page, then stops

Limits and messages: the CloudWatch Logs API reference. That a page without events answers a
forward token two hours ahead of the clock is to be seen in boto/boto3#3718.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogEvent, LogStream
from moto.logs.responses import LogsResponse

from infra.local.fidelity import log_events
from infra.local.fidelity.kept_output import KeptOutput
from infra.local.fidelity.log_events import EVENT_OVERHEAD, MAX_BYTES, MAX_EVENTS, at_ms, key
from infra.local.fidelity.log_patterns import BadPattern, matcher
from infra.local.fidelity.overlay import Overlay

MAX_STREAMS = 100
MAX_PATTERN = 1_024
EARLIEST_DESCENDING = 1_704_067_200_000
"""2024-01-01, epoch ms."""
RETENTIONS = frozenset((1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)) | frozenset(
    (1096, 1827, 2192, 2557, 2922, 3288, 3653)
)
"""Days that PutRetentionPolicy takes."""


def _invalid(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidParameterException", message)


class LogsFidelity(Overlay):
    """Installed over moto's log operations; its attributes make CloudWatch's rarer answers."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.now = now
        self.scan_limit: int | None = None
        """How many events FilterLogEvents looks at for one page; None: all of them."""
        self.slice_ms: int | None = None
        """How much time GetLogEvents looks at for one page; None: all of it."""
        self.kept = KeptOutput()
        self._lock = threading.RLock()
        self._refusals: dict[str, deque[str | None]] = {}

    @classmethod
    def install(cls, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> LogsFidelity:
        """Answer moto's log operations as AWS does; replaces an earlier one."""
        cls._take_off()
        fidelity = cls(now)
        for name in ("put_log_events", "get_log_events", "filter_log_events"):
            fidelity._answer(name, getattr(fidelity, f"_{name}"))
        for name in ("create_log_group", "delete_log_group", "put_retention_policy"):
            fidelity._answer(name, _checked(getattr(LogsResponse, name)))
        return fidelity

    def refuse_next(self, operation: str, code: str, *, after: int = 0, times: int = 1) -> None:
        """Answer `times` calls of `operation` with an error, after `after` calls as usual."""
        queue = self._refusals.setdefault(operation, deque())
        queue.extend([None] * after + [code] * times)

    def _answer(self, name: str, answer: Callable[[Any, dict[str, Any]], Any]) -> None:
        operation = "".join(part.capitalize() for part in name.split("_"))

        def method(handler: Any) -> Any:
            queue = self._refusals.get(operation)
            code = queue.popleft() if queue else None
            if code is not None:
                raise JsonRESTError(code, "Rate exceeded")
            with self._lock:
                return answer(handler, json.loads(handler.body))

        self._replace(LogsResponse, name, method)

    # --- PutLogEvents -----------------------------------------------------------------------

    def _put_log_events(self, handler: Any, request: dict[str, Any]) -> str:
        stream = _stream(handler, request, request["logStreamName"])
        batch = request["logEvents"]
        try:
            log_events.check_batch(batch)
        except ValueError as error:
            raise _invalid(str(error)) from error
        now = self.now()
        oldest = _ms(now - timedelta(days=14))
        newest = _ms(now + timedelta(hours=2))
        times = [event["timestamp"] for event in batch]
        first, last = bisect_left(times, oldest), bisect_right(times, newest)
        events = [LogEvent(_ms(now), event) for event in batch[first:last]]
        log_events.append(stream, events)
        self.kept.add(stream, events)
        stream.last_ingestion_time = now.replace(tzinfo=None)
        stream.stored_bytes += sum(len(event.message) + EVENT_OVERHEAD for event in events)
        stream.upload_sequence_token += 1
        rejected = {}
        if first:
            rejected["tooOldLogEventEndIndex"] = first
        if last < len(batch):
            rejected["tooNewLogEventStartIndex"] = last
        answer: dict[str, Any] = {"nextSequenceToken": f"{stream.upload_sequence_token:056d}"}
        return json.dumps({**answer, "rejectedLogEventsInfo": rejected} if rejected else answer)

    # --- GetLogEvents -----------------------------------------------------------------------

    def _get_log_events(self, handler: Any, request: dict[str, Any]) -> str:
        events = _stream(handler, request, request["logStreamName"]).events
        limit, given = _limit(request), request.get("nextToken")
        from_head = request.get("startFromHead", False)
        side, at = _read_token(given) if given else (None, 0)
        low = at_ms(request.get("startTime", 0))
        high = at_ms(min(request.get("endTime", 2**62), _ms(self.now() + timedelta(hours=2))))
        if side == "f" and not from_head:
            raise _invalid("A forward token needs startFromHead to be true.")
        if side == "f":
            low = max(low, at + 1)
        elif side == "b":
            high = min(high, at)
        if side == "f" or (side is None and from_head):
            page, backward, forward = self._first(events, low, high, limit)
        else:
            page, backward, forward = self._last(events, low, high, limit)
        if backward is None:
            backward = given if side == "b" else log_events.token("b", low)
        if forward is None:
            forward = given if side == "f" else log_events.token("f", high - 1)
        answer = {"events": [event.to_response_dict() for event in page]}
        return json.dumps({**answer, "nextBackwardToken": backward, "nextForwardToken": forward})

    def _first(
        self, events: list[LogEvent], low: int, high: int, limit: int
    ) -> tuple[list[LogEvent], str | None, str | None]:
        """The oldest page of a range and its tokens; None for that of an end that is reached."""
        reached = high if self.slice_ms is None else min(high, low + at_ms(self.slice_ms))
        found = log_events.indexes(events, low, reached)
        page = log_events.page((events[index] for index in found), limit)
        if page:
            return page, *_tokens(page)
        has_more = bool(log_events.indexes(events, reached, high))
        return [], None, log_events.token("f", reached - 1) if has_more else None

    def _last(
        self, events: list[LogEvent], low: int, high: int, limit: int
    ) -> tuple[list[LogEvent], str | None, str | None]:
        """The newest page of a range, likewise."""
        reached = low if self.slice_ms is None else max(low, high - at_ms(self.slice_ms))
        found = log_events.indexes(events, reached, high)
        page = log_events.page((events[index] for index in reversed(found)), limit)[::-1]
        if page:
            return page, *_tokens(page)
        has_more = bool(log_events.indexes(events, low, reached))
        return [], log_events.token("b", reached) if has_more else None, None

    # --- FilterLogEvents --------------------------------------------------------------------

    def _filter_log_events(self, handler: Any, request: dict[str, Any]) -> str:
        streams, matches = _streams(handler, request), _matcher(request)
        limit, from_head = _limit(request), request.get("startFromHead", True)
        start, end = request.get("startTime", 0), request.get("endTime", 2**62)
        if not from_head and start < EARLIEST_DESCENDING:
            raise _invalid("startFromHead false needs a startTime on or after 2024-01-01.")
        low, high = at_ms(start), at_ms(end + 1)
        if given := request.get("nextToken"):
            side, at = _read_token(given)
            from_head = side == "f"  # a token's own direction counts
            low, high = (max(low, at + 1), high) if from_head else (low, min(high, at))
        found: list[dict[str, Any]] = []
        room, last = MAX_BYTES, None
        for seen, (event, name) in enumerate(
            log_events.merged(streams, low, high, from_head=from_head)
        ):
            is_full = len(found) == limit or (found and room < log_events.size(event))
            if is_full or seen == self.scan_limit:
                answer = {"nextToken": log_events.token("f" if from_head else "b", last or 0)}
                break
            last = key(event)
            if matches(event.message):
                room -= log_events.size(event)
                named = {"eventId": f"{last:056d}", "logStreamName": name}
                found.append(event.to_filter_dict() | named)
        else:
            answer = {}
        return json.dumps({"events": found, "searchedLogStreams": [], **answer})


def _checked(original: Callable[[Any], Any]) -> Callable[[Any, dict[str, Any]], Any]:
    def answer(handler: Any, request: dict[str, Any]) -> Any:
        if request.get("retentionInDays", 1) not in RETENTIONS:
            raise _invalid("The retention is not one of those that CloudWatch Logs knows.")
        return original(handler)

    return answer


def _limit(request: dict[str, Any]) -> int:
    limit: int = request.get("limit", MAX_EVENTS)
    if limit > MAX_EVENTS:
        raise _invalid(f"1 validation error detected: Value '{limit}' at 'limit' is over 10000")
    return limit


def _tokens(page: list[LogEvent]) -> tuple[str, str]:
    return log_events.token("b", key(page[0])), log_events.token("f", key(page[-1]))


def _matcher(request: dict[str, Any]) -> Callable[[str], bool]:
    pattern = request.get("filterPattern") or ""
    if len(pattern) > MAX_PATTERN:
        raise _invalid(f"filterPattern is longer than {MAX_PATTERN} characters.")
    try:
        return matcher(pattern)
    except BadPattern as error:
        raise _invalid(f"Invalid filter pattern: {error}") from error


def _read_token(text: str) -> tuple[str, int]:
    try:
        return log_events.read_token(text)
    except ValueError as error:
        raise _invalid("The specified nextToken is invalid.") from error


def _group(handler: Any, request: dict[str, Any]) -> Any:
    name = request.get("logGroupName") or request["logGroupIdentifier"].rsplit(":", 1)[-1]
    group = handler.logs_backend.groups.get(name)
    if group is None:
        raise ResourceNotFoundException("The specified log group does not exist.")
    return group


def _stream(handler: Any, request: dict[str, Any], name: str) -> LogStream:
    stream: LogStream | None = _group(handler, request).streams.get(name)
    if stream is None:
        raise ResourceNotFoundException("The specified log stream does not exist.")
    return stream


def _streams(handler: Any, request: dict[str, Any]) -> list[LogStream]:
    group = _group(handler, request)
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names and prefix:
        raise _invalid("logStreamNames and logStreamNamePrefix cannot be given together.")
    if names:
        if len(names) > MAX_STREAMS:
            raise _invalid(f"logStreamNames has more than {MAX_STREAMS} members.")
        return [_stream(handler, request, name) for name in names]
    return [stream for name, stream in group.streams.items() if name.startswith(prefix or "")]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
