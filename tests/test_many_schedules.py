"""More schedules than EventBridge has rules for: 301 and 2,000, created through the API."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import boto3
import pytest

from infra.local.fidelity.events import RULES_PER_BUS
from tests.yard import Yard

SECONDS_EACH = 0.4
"""The most real time that creating a job may take on average; it takes a tenth of that."""


@pytest.mark.parametrize("number", [301, 2_000])
def test_schedules_beyond_the_quota_of_rules_are_created_and_fire(yard: Yard, number: int) -> None:
    """
    The local bus has room for 300 rules, as on AWS; the other jobs have no rule. At its minute each
    job gets the run of its slot, whether a rule or the sweep wakes it.
    """
    began = time.monotonic()
    minutes = [(n - number + 2) % 60 for n in range(number)]  # the last one's is the next: 1
    jobs = [yard.create(name=f"job {n}", schedule=f"{m} * * * *") for n, m in enumerate(minutes)]
    assert time.monotonic() - began < number * SECONDS_EACH
    assert Counter(job["wake"] for job in jobs) == {
        "rule": RULES_PER_BUS,
        "sweep": number - RULES_PER_BUS,
    }
    assert rules_of(yard) == {job["id"] for job in jobs[:RULES_PER_BUS]}
    due = [job for job, minute in zip(jobs, minutes, strict=True) if minute == 1]
    yard.clock.move(minutes=1)
    slot = yard.clock()
    for job in due:
        if job["wake"] == "rule":
            yard.fire(job)
    yard.sweep(seconds=10)
    for job in due:
        (run,) = yard.runs(job)
        assert run["scheduled_for"].startswith(f"{slot:%Y-%m-%dT%H:%M:00}"), (job["wake"], run)
    assert sum(job["wake"] == "sweep" for job in due) == len(due) - RULES_PER_BUS // 60


def rules_of(yard: Yard) -> set[str]:
    """The ids of the jobs that have a rule on the bus."""
    found: set[str] = set()
    pages: Any = boto3.client("events").get_paginator("list_rules").paginate()
    for page in pages:
        found |= {yard.system.rules.job_of(rule["Name"]) for rule in page["Rules"]}
    return found
