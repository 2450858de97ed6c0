"""
Copilot's schedules as standard cron (pure).

Copilot takes standard cron and its macros, `none`, `@every` with a duration of Go's, and the
`rate` and `cron` of EventBridge (AWS: "Schedule expressions", cron with six fields and Sunday as
1). A rate counts from when its rule was made and cron from the clock, so a rate becomes a cron of
the same length where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from jobyard import job_fields

Note = Callable[[str], None]
"""Takes a note on what a person must check."""

_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_RATE = re.compile(r"rate\(\s*(\d+)\s+(minute|hour|day)s?\s*\)", re.IGNORECASE)
_CRON = re.compile(r"cron\((.*)\)", re.IGNORECASE)


def to_cron(given: object, note: Note) -> str | None:
    """Standard cron, or None for on demand."""
    text = str(given or "none").strip()
    if text.lower() == "none":
        return None
    if found := _CRON.fullmatch(text):
        cron = _from_six_fields(found[1].split(), note)
    elif found := _RATE.fullmatch(text):
        minutes = int(found[1]) * {"minute": 1, "hour": 60, "day": 1440}[found[2].lower()]
        cron = _every(minutes, text, note)
    elif text.startswith("@every"):
        seconds = seconds_of(text.removeprefix("@every").strip())
        cron = None if seconds is None or seconds % 60 else _every(int(seconds) // 60, text, note)
    else:
        cron = text
    if cron is None or any(job_fields.FIELDS["schedule"].check(cron)):
        note(f"the schedule {text} has no counterpart in cron: choose one; until then on demand")
        return None
    return cron


def _every(minutes: int, text: str, note: Note) -> str | None:
    """A cron that fires every so many minutes, evenly; None where there is none."""
    if minutes < 1:
        return None
    cron = None
    if 60 % minutes == 0:
        cron = "0 * * * *" if minutes == 60 else f"*/{minutes} * * * *"
    elif minutes % 60 == 0 and 24 % (minutes // 60) == 0:
        hours = minutes // 60
        cron = "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"
    elif minutes == 7 * 1440:
        cron = "0 0 * * 0"
    if cron is not None:
        note(f"{text} counted from its deployment; {cron} goes by the clock, in UTC")
    return cron


def _from_six_fields(parts: list[str], note: Note) -> str | None:
    """AWS's minute, hour, day, month, weekday (Sunday is 1) and year."""
    if len(parts) != 6 or parts[5] != "*" or re.search(r"[LW#]", parts[2] + _digits(parts[4])):
        return None
    lasts = (59, 23, 31, 12, 7)
    fields = [_field(part, last) for part, last in zip(parts[:5], lasts, strict=True)]
    fields[4] = re.sub(
        r"(?<![/\d])\d+", lambda found: str(int(found[0]) - 1), fields[4].replace("?", "*")
    )
    if fields[2] != "*" and fields[4] != "*":
        note("day of month and day of week together mean either, in standard cron")
    return " ".join(fields)


def _digits(weekday: str) -> str:
    """A weekday field without the names of days, whose letters are no special characters."""
    return re.sub(r"SUN|MON|TUE|WED|THU|FRI|SAT", "", weekday.upper())


def _field(part: str, last: int) -> str:
    """`?` means any; AWS's `5/15` goes on to the last value, which standard cron must be given."""
    if part == "?":
        return "*"
    return ",".join(
        re.sub(r"^(\d+)/(\d+)$", lambda found: f"{found[1]}-{last}/{found[2]}", one)
        for one in part.split(",")
    )


def seconds_of(text: str) -> float | None:
    """A duration as Go writes them, `1h30m`; None if it is none."""
    if not text or _DURATION.sub("", text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
