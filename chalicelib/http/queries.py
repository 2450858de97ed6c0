"""Query parameters as validated models (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import WithJsonSchema

from chalicelib.domain import fields
from chalicelib.domain.body_types import TAG_SCHEMA
from chalicelib.domain.window import EPOCH, Window, fits_a_pattern

MAX_DURATION = timedelta(days=3650)
_DURATION = re.compile(
    r"(?=.)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII
)
_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def parse_duration(text: str) -> timedelta | None:
    """A duration such as `90s`, `15m`, `6h`, `1h30m`, `7d`; None if `text` is none."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < duration <= MAX_DURATION:
        raise ValueError("must be longer than nothing and at most 3650d")
    return duration


def parse_time(text: str) -> datetime:
    """An RFC 3339 time, or an epoch in s (to 11 digits), ms (12 to 14) or ns (18 or 19)."""
    try:
        if text.isascii() and text.isdigit():
            at = EPOCH + _since_epoch(text)
        elif _RFC_3339.fullmatch(text):
            at = datetime.fromisoformat(_to_microseconds(text.upper())).astimezone(UTC)
        else:
            raise ValueError(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            "must be an RFC 3339 time such as 2026-01-31T08:00:00Z (write + as %2B), "
            "or an epoch in s, ms or ns"
        ) from error
    if at < EPOCH:
        raise ValueError("must not be before 1970")
    return at


def _since_epoch(digits: str) -> timedelta:
    number, length = int(digits), len(digits)
    if length <= 11:
        return timedelta(seconds=number)
    if length <= 14:
        return timedelta(milliseconds=number)
    if length in (18, 19):
        return timedelta(microseconds=number // 1000)
    raise ValueError(digits)


def _to_microseconds(text: str) -> str:
    # Python reads no more than six digits of a fraction
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def _duration_or_time(text: object) -> object:
    if not isinstance(text, str):
        return text
    return parse_duration(text) or parse_time(text)


def _time(text: object) -> object:
    return parse_time(text) if isinstance(text, str) else text


def _whole_number(text: object) -> object:
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return int(text)
    return text


def _comma_separated(text: object) -> object:
    return text.split(",") if isinstance(text, str) else text


_TIME = (
    "[0-9]{1,14}|[0-9]{18,19}|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SPAN = "([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?"
Time = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({_TIME})$",
            "description": "RFC 3339, or an epoch in s, ms or ns.",
        }
    ),
]
_DurationOrTime = Annotated[timedelta | datetime, BeforeValidator(_duration_or_time)]


def _span_or_time(description: str) -> WithJsonSchema:
    """What JSON Schema can say of a duration or a time."""
    pattern = f"^({_SPAN}|{_TIME})$"
    schema = {"type": "string", "minLength": 1, "pattern": pattern, "description": description}
    return WithJsonSchema(schema)


Since = Annotated[
    _DurationOrTime,
    _span_or_time("A duration back from now, such as 1h30m, or a time; not with start."),
]
Until = Annotated[
    _DurationOrTime,
    _span_or_time("A duration ahead from now, such as 12h, or a time; 7 days at most."),
]
Back = Annotated[
    _DurationOrTime,
    _span_or_time("A duration back from now, such as 1h30m, or a time."),
]
Limit = Annotated[
    int,
    Field(ge=1, le=10_000, description="A page may hold fewer, even none, and still go on."),
    BeforeValidator(_whole_number),
]
Cursor = Annotated[
    str, Field(min_length=1, max_length=8_192, description="What an earlier answer gave.")
]


MOST_WITH_ACTIVITY = 100
"""Jobs on a page: the counts of so many are read in one call."""


class Query(BaseModel):
    """No parameter at all; a route that takes some has a model of its own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
    repeatable: ClassVar[frozenset[str]] = frozenset()
    """Parameters that may be given more than once: their field is the list of all values."""

    @classmethod
    def needs_parameters(cls) -> bool:
        """Whether one of them has no default."""
        return any(field.is_required() for field in cls.model_fields.values())


def named(name: str) -> type[Query]:
    """The model that a route names. KeyError: there is none of that name."""
    found: type[Query] = globals()[name]
    return found


class ListJobs(Query):
    """Without `limit`, everything that one response can carry."""

    repeatable: ClassVar[frozenset[str]] = frozenset({"tag"})

    limit: Limit | None = None
    cursor: Cursor | None = None
    name: (
        Annotated[str, Field(min_length=1, max_length=128), AfterValidator(fields.one_line)] | None
    ) = None
    tag: Annotated[
        list[Annotated[str, Field(json_schema_extra=TAG_SCHEMA), AfterValidator(fields.tag)]],
        Field(max_length=20, description="All that are given must be a job's."),
    ] = []
    include: (
        Annotated[
            Literal["activity"],
            Field(description="Each job with its `activity`; then a page has at most 100 jobs."),
        ]
        | None
    ) = None

    @property
    def most(self) -> int | None:
        """How many jobs a page may hold."""
        if self.include is None:
            return self.limit
        return min(self.limit or MOST_WITH_ACTIVITY, MOST_WITH_ACTIVITY)


class ListRuns(Query):
    """Without `limit`, everything that one response can carry."""

    limit: Limit | None = None
    cursor: Cursor | None = None
    status: Literal["pending", "running", "succeeded", "failed", "cancelled"] | None = None
    trigger: Literal["manual", "schedule"] | None = None


class ListProjectRuns(ListRuns):
    """Runs by the time in their ids: when they were triggered, or their slots."""

    since: Back | None = None
    until: Annotated[Back | None, Field(description="Runs before it.")] = None


class AuditQuery(Query):
    """Entries of the audit trail by their time."""

    limit: Limit | None = None
    cursor: Cursor | None = None
    since: Back | None = None
    until: Annotated[Back | None, Field(description="Entries before it.")] = None


class PreviewQuery(Query):
    """A schedule as a job would have it; whether it is a valid one, is not decided here."""

    expression: Annotated[str, Field(description="As in a job's `schedule`.")]
    timezone: Annotated[str, Field(description="As in a job's `timezone`.")] = "UTC"
    count: Annotated[
        int,
        Field(ge=1, le=100, description="How many of the next slots."),
        BeforeValidator(_whole_number),
    ] = 5


class UpcomingQuery(Query):
    """Slots to come, of the next 24 hours unless `until` says otherwise."""

    until: Until | None = None
    limit: Annotated[
        int,
        Field(ge=1, le=1_000, description="How many slots at most."),
        BeforeValidator(_whole_number),
    ] = 100


class CostQuery(Query):
    """A month in UTC, the present one unless it is given."""

    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] | None = None


class _WindowQuery(Query):
    since: Since | None = None
    start: Time | None = None
    end: Time | None = None

    @field_validator("start")
    @classmethod
    def _not_both(cls, start: datetime | None, info: ValidationInfo) -> datetime | None:
        if start is not None and info.data.get("since") is not None:
            raise ValueError("must not be given together with since")
        return start

    @property
    def window(self) -> Window:
        return Window(self.since, self.start, self.end)


class LogsQuery(_WindowQuery):
    """The newest `limit` lines of a window, or those around a cursor."""

    limit: Limit = 1_000
    filter: Annotated[str, Field(min_length=1), AfterValidator(fits_a_pattern)] | None = None
    cursor: Cursor | None = None


class MetricsQuery(_WindowQuery):
    """Which metrics, over which window; no names means all of them."""

    names: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=64)]],
            Field(max_length=20),
            BeforeValidator(_comma_separated),
            WithJsonSchema(
                {
                    "type": "string",
                    "pattern": "^[^,]{1,64}(,[^,]{1,64}){0,19}$",
                    "description": "Comma-separated; absent: all of them.",
                }
            ),
        ]
        | None
    ) = None
