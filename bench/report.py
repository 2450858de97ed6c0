"""Writes what a part found as a table in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one part; `notes` say what was left out or how to read it."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """A heading, the table and the notes."""
        lines = [f"### {self.title}", ""]
        if self.rows:
            lines += [_line(self.columns), _line(["---"] * len(self.columns))]
            lines += [_line(row) for row in self.rows]
            lines.append("")
        lines += [f"{note}\n" for note in self.notes]
        return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` percent of `values` do not exceed; for one value, that value."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def verdict(value: float, goal: float) -> str:
    """Whether `value` is at most `goal`, for a table's last column."""
    return "met" if value <= goal else "missed"
