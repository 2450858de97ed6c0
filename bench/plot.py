"""Plots as SVG, with nothing but text: bars in groups, and lines, both with a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLORS = ("#2563eb", "#d97706", "#6b7280")
WIDTH, MARGIN, TOP = 720, 170, 60
ROW, BAR = 22, 16
HEIGHT, LEFT, BOTTOM = 300, 70, 50
INSET = 40
"""From the axis to the first value, whose number must not lie on the axis's own."""

Series = Mapping[str, Sequence[float | None]]
"""Values by the name of who has them; None where there is none."""


def bars(title: str, names: Sequence[str], series: Series, unit: str) -> str:
    """A group of horizontal bars for each of `names`, with the values beside them."""
    known = [value for values in series.values() for value in values if value is not None]
    ticks = _ticks(min(known), max(known))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    room = WIDTH - MARGIN - 90
    height = TOP + len(names) * (len(series) * ROW + 12) + 34

    def x(value: float) -> float:
        return MARGIN + (math.log10(value) - low) / (high - low) * room

    parts = [*_head(title, height), *_legend(series)]
    for tick in ticks:
        parts.append(_line((x(tick), TOP - 6), (x(tick), height - 30)))
        parts.append(_text(x(tick), height - 12, f"{tick:g} {unit}", "middle"))
    y = TOP
    for number, name in enumerate(names):
        middle = y + len(series) * ROW / 2
        parts.append(_text(MARGIN - 10, middle + 4, name, "end"))
        for color, values in zip(COLORS, series.values(), strict=False):
            value = values[number]
            if value is not None:
                wide = max(x(value) - MARGIN, 1)
                parts.append(
                    f'<rect x="{MARGIN}" y="{y}" width="{wide:.1f}" height="{BAR}" fill="{color}"/>'
                )
                parts.append(_text(MARGIN + wide + 6, y + 13, f"{_short(value)} {unit}"))
            y += ROW
        y += 12
    return "\n".join([*parts, "</svg>", ""])


def lines(title: str, at: Sequence[float], series: Series, unit: str, *, x_name: str) -> str:
    """A line for each of `series` over `at`, both axes logarithmic."""
    known = [value for values in series.values() for value in values if value is not None]
    ticks = _ticks(min(known), max(known))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    first, last = math.log10(at[0]), math.log10(at[-1])
    height = TOP + HEIGHT + BOTTOM

    def x(value: float) -> float:
        part = (math.log10(value) - first) / ((last - first) or 1)
        return LEFT + INSET + part * (WIDTH - LEFT - INSET - 80)

    def y(value: float) -> float:
        return TOP + HEIGHT - (math.log10(value) - low) / (high - low) * HEIGHT

    parts = [*_head(title, height), *_legend(series)]
    for tick in ticks:
        parts.append(_line((LEFT, y(tick)), (WIDTH - 60, y(tick))))
        parts.append(_text(LEFT - 8, y(tick) + 4, f"{tick:g} {unit}", "end"))
    parts += [_text(x(value), TOP + HEIGHT + 20, f"{value:,.0f}", "middle") for value in at]
    parts.append(_text((LEFT + WIDTH - 60) / 2, height - 10, x_name, "middle"))
    for color, values in zip(COLORS, series.values(), strict=False):
        points = [(x(a), y(b), b) for a, b in zip(at, values, strict=True) if b is not None]
        path = " ".join(f"{one:.1f},{other:.1f}" for one, other, _ in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for one, other, value in points:
            parts.append(f'<circle cx="{one:.1f}" cy="{other:.1f}" r="3.5" fill="{color}"/>')
            parts.append(_text(one, other - 9, _short(value), "middle"))
    return "\n".join([*parts, "</svg>", ""])


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten around the values, and some room below the least: a bar needs a length."""
    first = math.floor(math.log10(low / 2))
    last = max(math.ceil(math.log10(high)), first + 1)
    return [10.0**power for power in range(first, last + 1)]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _head(title: str, height: float) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="15" font-weight="bold" fill="#111827">'
        f"{escape(title)}</text>",
    ]


def _legend(series: Series) -> list[str]:
    parts, x = [], 16
    for color, name in zip(COLORS, series, strict=False):
        parts.append(f'<rect x="{x}" y="34" width="10" height="10" fill="{color}"/>')
        parts.append(_text(x + 15, 43, name))
        x += 40 + 7 * len(name)
    return parts


def _line(one: tuple[float, float], other: tuple[float, float]) -> str:
    return (
        f'<line x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}" '
        'stroke="#e5e7eb"/>'
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#374151">'
        f"{escape(words)}</text>"
    )
