"""
The tables and plots of a storm on docs/scale.md.

    python -m bench.storm            # the tables
    python -m bench.storm --write    # and the plots, docs/storm-*.svg
"""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path

from bench.report import Table
from bench.storm_model import Assumed, model

SIZES = (300, 3_000, 30_000, 300_000)
DOCS = Path(__file__).resolve().parent.parent / "docs"
LIMITS = {
    "Fargate's RunTask, and the launcher's own pace": {
        "run_tasks": 2.0,
        "pace": 2.0,
        "launchers": 2.0,
    },
    "writes of the tables": {"write_units": 2.0},
    "writes of an index's partition": {"shard_units": 2.0},
    "functions at once": {"functions": 2.0},
    "a claim's CPU": {"cpu": 0.5},
    "DynamoDB's latency": {"dynamodb": 0.5},
    "the delay of the sweep's rule": {"trigger": 0.5},
    "a part's cold start": {"cold_start": 0.5},
}


def _changed(assumed: Assumed, factors: dict[str, float]) -> Assumed:
    known = {field.name: getattr(assumed, field.name) for field in fields(assumed)}
    return replace(assumed, **{name: known[name] * factor for name, factor in factors.items()})


def measure(_: object = None) -> list[Table]:
    """The tables of docs/scale.md."""
    rows = []
    for slots in SIZES:
        found = model(slots)
        rows.append(
            [
                f"{slots:,}",
                _time(found.last_claim),
                _time(found.last_launch),
                _time(found.last_start),
                f"{found.functions}",
                f"{found.cost(Assumed()):.4f}",
            ]
        )
    columns = ["schedules", "last slot claimed", "last launch", "last container runs",
               "functions", "USD"]  # fmt: skip
    return [Table("Schedules due at one midnight, modelled", columns, rows), _sensitivity(30_000)]


def _sensitivity(slots: int) -> Table:
    first = model(slots)
    rows = []
    for name, factors in LIMITS.items():
        found = model(slots, _changed(Assumed(), factors))
        rows.append(
            [
                name,
                ", ".join(f"`{field}` times {factor:g}" for field, factor in factors.items()),
                f"{found.last_claim - first.last_claim:+.1f} s",
                f"{found.last_launch - first.last_launch:+.1f} s",
            ]
        )
    title = f"What each limit does to {slots:,} schedules, if it were twice as good"
    return Table(title, ["limit", "changed", "last claim", "last launch"], rows)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="the plots, into docs/")
    options = parser.parse_args()
    for table in measure():
        print(table.markdown())
    if options.write:
        from bench.storm_plot import write

        storms = [(slots, model(slots)) for slots in SIZES[1:]]
        write([(slots, found.claims, found.launches) for slots, found in storms], DOCS)


if __name__ == "__main__":
    main()
