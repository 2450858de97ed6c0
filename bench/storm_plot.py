"""The storms of `bench.storm` as pictures: how many slots are claimed and launched by when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

Curve = Sequence[tuple[float, int]]
"""(seconds after midnight, how many by then)"""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 250, 60, 20, 40, 45
TICKS = ((1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (36_000, "10 h"))
SERIES = (("claimed", "#0072b2"), ("launched", "#d55e00"))
"""Two colours that stay apart for the colour-blind (Okabe and Ito)."""


def write(storms: Sequence[tuple[int, Curve, Curve]], directory: Path) -> None:
    """One picture for each storm, of its claims and launches: `storm-<slots>.svg`."""
    for slots, claims, launches in storms:
        path = directory / f"storm-{slots}.svg"
        path.write_text(_picture(slots, claims, launches), encoding="utf-8")


def _picture(slots: int, claims: Curve, launches: Curve) -> str:
    last = 10 ** math.ceil(math.log10(launches[-1][0]))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{slots:,} schedules due at one midnight: '
        "slots claimed and runs launched</text>",
        *_axes(slots, last),
    ]
    for number, (name, colour) in enumerate(SERIES):
        events = claims if name == "claimed" else launches
        points = " ".join(f"{_x(at, last):.1f},{_y(done, slots):.1f}" for at, done in _some(events))
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>'
        )
        y = TOP + 18 * (number + 1)
        parts.append(f'<rect x="{LEFT + 12}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 32}" y="{y - 3}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes(slots: int, last: float) -> list[str]:
    found = []
    for at, text in TICKS:
        if at <= last:
            x = _x(at, last)
            found.append(
                f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'
            )
    for share in (0, 0.5, 1):
        y = _y(share * slots, slots)
        found.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share * slots:,.0f}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    found.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
        "after midnight (logarithmic)</text>"
    )
    return found


def _x(at: float, last: float) -> float:
    share = math.log10(max(at, 1.0)) / math.log10(last)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(done: float, slots: int) -> float:
    return HEIGHT - BOTTOM - done / slots * (HEIGHT - TOP - BOTTOM)


def _some(events: Curve) -> list[tuple[float, int]]:
    """At most about 300 of them, with the first and the last."""
    step = max(1, len(events) // 300)
    return [(events[0][0], 0), *events[::step], events[-1]]
