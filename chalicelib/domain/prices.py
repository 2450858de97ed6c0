"""
What AWS charges for a task, by region: read by estimates only, so imported where one is made.

US dollars before taxes and discounts, as decimal text. A price that no source was found for is not
here, and an estimate that needs it is not made. To add a region, or to bring the prices up to date,
change FARGATE and PRICE_DATE together; runs keep the prices that they were triggered with.

Sources. Linux on x86-64: the list of https://aws.amazon.com/fargate/pricing/ as kept by
https://github.com/theuves/fgcalc (src/utils/data.js); us-east-1 and eu-west-1 agree with later
quotations of AWS's price list, eu-central-1 with one of July 2026. arm64: quotations of the same
page, found for four regions. None was read from AWS's own page on PRICE_DATE.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

PRICE_DATE = "2026-11-28"
"""When the prices were last compared with their sources."""

NANO = 10**9
"""Amounts are whole billionths of a dollar: sums of them are exact."""


class Size(NamedTuple):
    """The price of an hour, by what a task has of it."""

    vcpu: str
    gb: str


FARGATE: dict[str, dict[str, Size]] = {
    "x86_64": {
        "af-south-1": Size("0.0546", "0.006"),
        "ap-east-1": Size("0.0556", "0.0061"),
        "ap-northeast-1": Size("0.05056", "0.00553"),
        "ap-northeast-2": Size("0.04656", "0.00511"),
        "ap-south-1": Size("0.04256", "0.004655"),
        "ap-southeast-1": Size("0.05056", "0.00553"),
        "ap-southeast-2": Size("0.04856", "0.00532"),
        "ca-central-1": Size("0.04456", "0.004865"),
        "eu-central-1": Size("0.04656", "0.00511"),
        "eu-north-1": Size("0.0445", "0.0049"),
        "eu-south-1": Size("0.0486", "0.0053"),
        "eu-west-1": Size("0.04048", "0.004445"),
        "eu-west-2": Size("0.04656", "0.00511"),
        "eu-west-3": Size("0.0486", "0.0053"),
        "me-south-1": Size("0.0526", "0.0058"),
        "sa-east-1": Size("0.0696", "0.0076"),
        "us-east-1": Size("0.04048", "0.004445"),
        "us-east-2": Size("0.04048", "0.004445"),
        "us-gov-east-1": Size("0.0486", "0.0053"),
        "us-gov-west-1": Size("0.0486", "0.0053"),
        "us-west-1": Size("0.04656", "0.00511"),
        "us-west-2": Size("0.04048", "0.004445"),
    },
    "arm64": {
        "ap-southeast-2": Size("0.03885", "0.00426"),
        "eu-west-1": Size("0.03238", "0.00356"),
        "sa-east-1": Size("0.0557", "0.00612"),
        "us-east-1": Size("0.03238", "0.00356"),
    },
}
"""On demand, by architecture and region. Fargate Spot's prices change with supply and demand, so
there are none here: what ran on Spot has no estimate."""

ADDRESS_HOUR = "0.005"
"""A public IPv4 address, in every region; by the second."""
TASK_METRIC_MONTH = "0.07"
"""A metric of enhanced Container Insights; billed by the hour, a month has HOURS."""
TASK_METRICS = 25
"""Of each task with enhanced Container Insights: 11 of the task, 14 of its container (an estimate,
see docs/operating.md)."""
HOURS = 730


def nano(usd: str) -> int:
    """An amount in whole billionths of a dollar."""
    return int(Decimal(usd) * NANO)


def task_hour(region: str, architecture: str, cpu: float, memory_mib: int) -> int | None:
    """What Fargate charges for an hour of a task on demand; None: the price is not known."""
    size = FARGATE.get(architecture, {}).get(region)
    if size is None:
        return None
    # exact: cpu is in quarters, memory in half GB, and prices end before the seventh decimal
    hour = Decimal(size.vcpu) * Decimal(cpu) + Decimal(size.gb) * memory_mib / 1024
    return int(hour * NANO)


def task_metrics_hour() -> int:
    """What the metrics of one task cost for each hour that is begun."""
    return round(Decimal(TASK_METRIC_MONTH) * NANO * TASK_METRICS / HOURS)
