"""What NAME|RUN means: a job by its name or id, or a run by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobyard.cli.session import Session

if TYPE_CHECKING:
    from jobyard.client import Json


@dataclass(frozen=True, slots=True)
class Target:
    """A job, or a run of a job that is known by its id alone."""

    job_id: str
    run: Json | None
    job: Json | None


def find(session: Session, named: str) -> Target:
    """Refused (404) where there is no such job or run."""
    from jobyard import overview
    from jobyard.client import is_run_id

    if is_run_id(named):
        run = overview.find_run(session.client, named)
        return Target(run["job_id"], run, None)
    job = session.client.find_job(named)
    return Target(job["id"], None, job)
