"""From what AWS's names carry, a job's id, to the job."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.tables import db
from chalicelib.tables.records import Job, Stats


def of(job_ids: Sequence[str]) -> dict[str, Job | None]:
    """
    The jobs with these ids, at most 100, also those being deleted; None where there is none.

    A job's counts stay as long as the job, and say where it is.
    """
    wanted = list(dict.fromkeys(job_ids))
    found = db.get_many([(Stats, job_id, "stats") for job_id in wanted]) if wanted else []
    owned = [stats for stats in found if stats is not None]
    jobs = db.get_many([(Job, stats.project, stats.pk) for stats in owned]) if owned else []
    by_id = {job.job_id: job for job in jobs if job is not None}
    return {job_id: by_id.get(job_id) for job_id in wanted}
