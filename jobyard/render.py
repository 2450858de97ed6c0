"""
Output for people and programs: tables, JSON, YAML, sparklines.

Tables are plain text in columns where the stream is no terminal; on one they have colour and are
cut to its width, by rich, which is imported then.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TextIO

FORMATS = ("table", "json", "yaml", "name")
STATUS_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "running": "yellow",
    "pending": "cyan",
    "cancelled": "bright_black",
}
GAP = 2
LEAST = 8
"""Cells between two columns, and of one that was shrunk."""
_BARS = "▁▂▃▄▅▆▇█"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its colour on a terminal."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; `may_shrink` where a narrow terminal cuts the text instead of another's."""

    heading: str
    may_shrink: bool = False
    is_number: bool = False


def status_cell(status: str) -> Cell:
    return Cell(status, STATUS_STYLES.get(status, ""))


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def has_colour(stream: TextIO) -> bool:
    """On a terminal, unless NO_COLOR (no-color.org) is set or the terminal is a dumb one."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def one_line(text: str) -> str:
    """Text from elsewhere, fit for one line: without control characters and line ends."""
    return _CONTROL.sub("?", text.replace("\r\n", "\n").replace("\n", " ").replace("\t", " "))


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], out: TextIO) -> None:
    """Rows under headings; nothing where there are no rows."""
    if not rows:
        return
    clean = [[Cell(one_line(cell.text), cell.style) for cell in row] for row in rows]
    if is_terminal(out):
        _drawn(columns, clean, out)
    else:
        out.write("".join(f"{line}\n" for line in _plain(columns, clean)))


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[str]:
    texts = [[column.heading for column in columns], *([c.text for c in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for row in texts:
        cells = [
            text.rjust(width) if column.is_number else text.ljust(width)
            for text, width, column in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], out: TextIO) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out, no_color=not has_colour(out), highlight=False)
    longest = [
        max(cell_len(column.heading), *(cell_len(row[index].text) for row in rows))
        for index, column in enumerate(columns)
    ]
    widths = _fitting(columns, longest, console.width)
    # the terminal wraps what still does not fit, so nothing is lost
    console.width = max(console.width, sum(widths) + GAP * len(widths))
    drawn = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        drawn.add_column(
            column.heading,
            justify="right" if column.is_number else "left",
            overflow="ellipsis",
            no_wrap=True,
            width=width,
        )
    for row in rows:
        drawn.add_row(*(Text(cell.text, style=cell.style) for cell in row))
    console.print(drawn)


def _fitting(columns: Sequence[Column], longest: Sequence[int], width: int) -> list[int]:
    """The columns' widths: the widest of those that may shrink is made narrower, until all fit."""
    widths = list(longest)
    while sum(widths) + GAP * len(widths) > width:
        candidates = [
            (widths[index], index)
            for index, column in enumerate(columns)
            if column.may_shrink and widths[index] > max(LEAST, len(column.heading))
        ]
        if not candidates:
            break
        widths[max(candidates)[1]] -= 1
    return widths


def pairs(found: Sequence[tuple[str, Cell]], out: TextIO) -> None:
    """Names and values, a line each; what is empty is left out."""
    import click

    shown = [(name, cell) for name, cell in found if cell.text]
    width = max((len(name) for name, _ in shown), default=0)
    colour = has_colour(out)
    for name, cell in shown:
        text = one_line(cell.text)
        if colour:
            name_text = click.style(name.ljust(width), dim=True)
            text = click.style(text, fg=cell.style or None)
        else:
            name_text = name.ljust(width)
        out.write(f"{name_text}  {text}\n")


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_yaml(data: Any) -> str:
    """YAML as a person would write it; texts of several lines as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
            return super().increase_indent(flow, False)

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar(
            "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
        )

    Dumper.add_representer(str, represent)
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def sparkline(values: Sequence[float], width: int) -> str:
    """Values from zero to their maximum as bars; more of them than `width` are put together."""
    if not values:
        return ""
    if len(values) > width:
        bounds = [round(index * len(values) / width) for index in range(width + 1)]
        values = [max(values[low:high]) for low, high in pairwise(bounds)]
    top = max(values)
    if top <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)] for value in values)


def megabytes(value: float) -> str:
    """Bytes as MiB, as the API names memory."""
    return f"{value / 1024 / 1024:.0f} MiB"


def usd(cost: Any) -> str:
    """What a run cost, where the API says so."""
    return dollars(cost.get("usd") if isinstance(cost, dict) else None)


def dollars(amount: float | None) -> str:
    """An amount in US dollars; "" where it is not known."""
    return "" if amount is None else f"${amount:,.4f}"


def quiet_after_closed_pipe() -> None:
    """Replace a stdout whose reader has gone, so that Python's flush at exit does not fail."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
