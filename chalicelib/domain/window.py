"""A window of time for which a caller asks for logs or metrics. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.domain.errors import BadRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` (a time, or a duration back from now) or `start`, to `end`; each may be None."""

    since: timedelta | datetime | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_default(self) -> bool:
        """Whether the caller said nothing."""
        return self.since is self.start is self.end is None

    def between(self, now: datetime, default: timedelta | datetime) -> tuple[datetime, datetime]:
        """
        (start, end) in UTC: `since` counts back from `now`, and `end` is `now` if absent.

        `default` is where the window begins if the caller does not say: a time, or a duration
        before its end. BadRequest if it is empty, that is, `start` is not before `end`.
        """
        end = self.end or now
        start = self.start or _before(self.since, now) or _before(default, end)
        assert start is not None  # the default is there
        start = max(start, EPOCH)  # CloudWatch counts from there
        if start >= end:
            raise BadRequest(f"start ({start.isoformat()}) must be before end ({end.isoformat()}).")
        return start, end


def _before(start: timedelta | datetime | None, end: datetime) -> datetime | None:
    return end - start if isinstance(start, timedelta) else start


PATTERN_CHARACTERS = 1_024
"""CloudWatch's limit for a filter pattern, into which the text goes quoted."""


def fits_a_pattern(text: str) -> str:
    """The text of a filter, if it fits into a pattern of CloudWatch's; else ValueError."""
    quoted = len(text) + text.count('"') + text.count("\\") + 2
    if quoted > PATTERN_CHARACTERS:
        raise ValueError("must be at most 1,022 characters, each quote and backslash counted twice")
    return text
