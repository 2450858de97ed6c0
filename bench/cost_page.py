"""
`make costs`: docs/costs.md, from what the operations are measured to take and from a price list.

    python -m bench.cost_page

A test compares the page with a new measurement, so a change that costs more changes the page.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.costs import measure
from bench.plan import FULL
from bench.report import Table
from chalicelib.domain import prices, run_cost

PAGE = Path(__file__).resolve().parent.parent / "docs" / "costs.md"
BEGIN, END = "<!-- make costs -->", "<!-- end of what it writes -->"

HOURS = prices.HOURS
DAYS = HOURS / 24
WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
GB_SECOND, INVOCATION, GATEWAY_REQUEST, LOG_GB = 0.0000133334, 0.2e-6, 3.5e-6, 0.5
INSIGHTS_BY_JOB = 0.30
"""US dollars of us-east-1, as docs/operating.md names them with where they are from. Those of a
task are in chalicelib/domain/prices.py, for the estimates of runs."""

SWEEPS, AUDITS = 43_200, 4_320
"""In a month: each minute, and every ten minutes."""
SWEEP_GB_SECONDS, AUDIT_GB_SECONDS = 0.3, 0.5
"""0.3 s on 1 GB, most of it waiting for answers; 1 s on 0.5 GB."""
ALARMS, DASHBOARD, IDLE_LOGS = 1.00, 3.00, 0.01
BILLED_SECONDS, REQUESTS, CALLS, GB_SECONDS, LOG_KB = 90, 4, 6, 0.25, 13
"""Of the run in the table: with the pull of its image; a trigger and three reads; functions."""
LIFE = ("trigger a run", "pending → running", "finish")
READS = 3 * ("get a run in flight",)

Units = Mapping[str, tuple[float, float]]


def render(operations: Table) -> str:
    """What the page says below its introduction; "" for the sums where no units were measured."""
    text = operations.markdown()
    read, write = (operations.columns.index(name) for name in ("RCU", "WCU"))
    if not operations.rows[0][write]:
        return text
    units = {row[0]: (float(row[read]), float(row[write])) for row in operations.rows}
    (sweep,) = (row[1] for row in operations.rows if row[0] == "a sweep")
    parts = (text, _life(units).markdown(), _idle(sweep).markdown(), _runs(units).markdown())
    return "\n".join(parts)


def _life(units: Units) -> Table:
    names = {LIFE[0]: "claim and launch", LIFE[1]: "start", LIFE[2]: "finish"}
    rows = [[names[one], f"{units[one][0]:g}", f"{units[one][1]:g}"] for one in LIFE]
    rows.append(["**together**", *(f"**{sum(units[one][n] for one in LIFE):g}**" for n in (0, 1))])
    return Table("A run's life", ["step", "RCU", "WCU"], rows)


def idle_usd(sweep: str) -> dict[str, float]:
    """USD a month of a stage without runs; `sweep`: the calls of one sweep, in words."""
    queries = sum(
        int(words[0]) if len(words) > 1 else 1
        for words in (one.split() for one in sweep.split(", "))
    )
    return {
        f"Lambda: {SWEEPS:,} sweeps of 0.3 s on 1 GB, {AUDITS:,} audits": (
            (SWEEPS * SWEEP_GB_SECONDS + AUDITS * AUDIT_GB_SECONDS) * GB_SECOND
            + (SWEEPS + AUDITS) * INVOCATION
        ),
        f"DynamoDB: {queries} index queries a sweep, half a read unit each": (
            SWEEPS * queries * READ_UNIT / 2
        ),
        "logs of both": IDLE_LOGS,
        "ten alarm metrics": ALARMS,
        "the dashboard (`Dashboard=false` leaves it out)": DASHBOARD,
    }


FREE = ("Lambda's allowance", "", "", "ten alarms an account", "three dashboards an account")


def _idle(sweep: str) -> Table:
    found = idle_usd(sweep)
    rows = [
        [what, f"{usd:.2f}", free] for (what, usd), free in zip(found.items(), FREE, strict=True)
    ]
    charged = sum(usd for usd, free in zip(found.values(), FREE, strict=True) if not free)
    rows.append(["**together**", f"**{sum(found.values()):.2f}**", f"**{charged:.2f} is left**"])
    return Table("An idle stage, USD a month", ["", "USD a month", "free within"], rows)


def _runs(units: Units) -> Table:
    write = sum(units[one][1] for one in LIFE)
    read = sum(units[one][0] for one in LIFE + READS)
    each = {
        f"Fargate: {BILLED_SECONDS} s of 0.25 vCPU and 0.5 GB": estimated(has_address=False),
        f"public address: {BILLED_SECONDS} s": estimated() - estimated(has_address=False),
        f"DynamoDB: {write:g} write and {read:g} read units": (
            write * WRITE_UNIT + read * READ_UNIT
        ),
        f"API Gateway: {REQUESTS} requests": REQUESTS * GATEWAY_REQUEST,
        f"logs: 10 kB of output, {LOG_KB - 10} kB of Jobyard's": LOG_KB / 1e6 * LOG_GB,
        f"Lambda: {CALLS} calls, {GB_SECONDS} GB-s": CALLS * INVOCATION + GB_SECONDS * GB_SECOND,
    }
    counts = [daily * DAYS for daily in (1, 1_000, 100_000)]
    rows = [[what, *(_usd(usd * count) for count in counts)] for what, usd in each.items()]
    together = [f"**{_usd(sum(each.values()) * count)}**" for count in counts]
    rows.append(["**without Container Insights**", *together])
    by_job = [_usd(12 * INSIGHTS_BY_JOB / HOURS * min(count, HOURS)) for count in counts]
    rows.append(["Container Insights, `enabled`: 12 metrics of the job, by the hour", *by_job])
    metrics = estimated(has_task_metrics=True) - estimated()
    by_run = [_usd(metrics * count) for count in counts]
    rows.append(["Container Insights, `enhanced`: 25 metrics of each task, an hour", *by_run])
    columns = ["", "1 run a day", "1,000", "100,000"]
    return Table("Runs of a minute, USD a month", columns, rows)


def estimated(*, has_address: bool = True, has_task_metrics: bool = False) -> float:
    """US dollars of the run in the table, as the API estimates it in us-east-1."""
    spec = {"cpu": 0.25, "memory_mib": 512, "architecture": "x86_64"}
    kept = run_cost.rates(
        spec, "us-east-1", has_address=has_address, has_task_metrics=has_task_metrics
    )
    began = datetime(2026, 11, 23, tzinfo=UTC)
    bill = run_cost.bill(kept, began, began + timedelta(seconds=BILLED_SECONDS))
    assert bill.nano_usd is not None  # the region's price is known
    return bill.nano_usd / prices.NANO


def _usd(amount: float) -> str:
    if amount < 0.005:
        return "<0.01"
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the product's log
    (operations,) = measure(FULL)
    if not operations.rows[0][-1]:
        sys.exit(f"make costs: {operations.notes[0]}")
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n\n{render(operations)}\n{END}{tail}")
    answers.write(f"wrote {PAGE}\n")


if __name__ == "__main__":
    main()
