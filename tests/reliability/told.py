"""
The audit trail and what it tells of: no change is there without its entry, and no entry without its
change, since one transaction stores both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.reliability.world import World


def fit(world: World) -> Iterator[str]:
    """8. Each change of a job and each cancel has exactly one entry; else what is wrong."""
    told = Counter((entry.action, entry.target) for entry in world.entries())
    jobs = {job.job_id: job for job in world.jobs()}
    gone = {target for action, target in told if action in ("create_job", "delete_job")} - set(jobs)
    done: dict[tuple[str, str], int] = {}
    for job in jobs.values():
        done["create_job", job.job_id] = 1
        done["update_job", job.job_id] = int(job.version) - 1
        done["delete_job", job.job_id] = 0
    for job_id in gone:
        done["create_job", job_id] = done["delete_job", job_id] = 1
    for run in world.runs():
        done["cancel_run", run.run_id] = int(run.stop_reason == "cancelled_by_user")
    for (action, target), number in done.items():
        if told[action, target] != number:
            yield f"{action} of {target} was done {number} times, told {told[action, target]} times"
