"""Removes what a verification has made, however it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from infra.api_client import NotOk
from infra.verify import leftovers
from infra.verify.trial import PAUSE, Trial

SECONDS = 150.0
"""A task that ignores SIGTERM, and a sweep or two, must fit into it."""
ABANDONED = timedelta(minutes=15)
"""Older jobs of the workspace are of a verification that was killed."""


def clear_up(trial: Trial) -> list[str]:
    """
    Delete the jobs of this trial, and those of an earlier one that was killed; what stays.

    The stage itself removes what a job has. What it has not removed in time is removed here, as
    far as it runs, fires or costs; records are left to its sweep, and named.
    """
    give_up = time.monotonic() + SECONDS
    print("\nRemoving what was made.", flush=True)
    left: list[str] = []

    def tried(act: Callable[[], None], what: str) -> None:
        try:
            act()
        except (NotOk, ClientError, BotoCoreError) as error:
            left.append(f"{what}: {error}")

    found = set(trial.made)
    tried(lambda: found.update(_jobs(trial)), "jobs of this verification, if there are any")
    for job_id in sorted(found):
        tried(lambda job_id=job_id: trial.forget(job_id), f"job {job_id}")  # type: ignore[misc]
    while found and time.monotonic() < give_up:
        for job_id in sorted(found):
            if not _left(trial, job_id):
                found.remove(job_id)
        if found:
            time.sleep(PAUSE)
    for job_id in sorted(found):
        tried(lambda job_id=job_id: leftovers.remove(trial, job_id), job_id)  # type: ignore[misc]
        left += _left(trial, job_id)
    tried(lambda: leftovers.remove_keys(trial), "Idempotency-Keys, which expire after a day")
    return left


def _jobs(trial: Trial) -> list[str]:
    now = datetime.now(UTC)
    return [
        job["id"]
        for job in trial.api.ask("GET", "jobs")["jobs"]
        if job["name"].endswith(trial.suffix)
        or now - datetime.fromisoformat(job["created_at"]) > ABANDONED
    ]


def _left(trial: Trial, job_id: str) -> list[str]:
    try:
        return leftovers.of_job(trial, job_id)
    except (ClientError, BotoCoreError) as error:
        return [f"what {job_id} has, if anything: {error}"]
