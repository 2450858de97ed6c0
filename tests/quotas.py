"""What the tests of quotas share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.tables.usage import UsedJobs, UsedRuns
from tests.yard import BASE, IMAGE, WORKSPACE, Answer, Yard

OTHER_PROJECT = f"/workspaces/{WORKSPACE}/projects/other"


def limit(yard: Yard, runs: int = 0, jobs: int = 0) -> None:
    """Deploy the stage again, with these quotas."""
    settings = yard.system.settings
    yard.set_up(replace(settings, max_runs_in_flight=runs, max_jobs=jobs))


def in_flight(yard: Yard) -> int:
    """The workspace's number of runs in flight."""
    return int(yard.system.usage_table.get(UsedRuns, WORKSPACE).number)


def jobs_there(yard: Yard) -> int:
    """The workspace's number of jobs."""
    return int(yard.system.usage_table.get(UsedJobs, WORKSPACE).number)


def trigger(yard: Yard, job: dict[str, Any], **how: Any) -> Answer:
    return yard.call("POST", f"/jobs/{job['id']}/runs", **how)


def create(yard: Yard, name: str, base: str = BASE, **how: Any) -> Answer:
    return yard.call("POST", "/jobs", {"name": name, "image": IMAGE}, base=base, **how)


def is_refused(answer: Answer) -> bool:
    return (answer.status, answer.envelope.get("code")) == (409, "quota_exceeded")
