"""Use-cases on jobs: create, get, list, update, delete, status."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib import ids, log, runs, views
from chalicelib.cloud import aws, ecs
from chalicelib.errors import Conflict, FieldError, InvalidFields, NotFound, without_account_ids
from chalicelib.lazy import lazily
from chalicelib.services import Services
from chalicelib.settings import STAGE_TAG
from chalicelib.specs import CONTAINER_FIELDS, JobPatch, JobSpec, apply_patch, stored_spec
from chalicelib.tables import jobs as table
from chalicelib.tables.records import Job, JobKey

if TYPE_CHECKING:
    from chalicelib import deletion, scheduler
else:
    deletion, scheduler = lazily("deletion", "scheduler")

KEY_LIFE = timedelta(hours=24)
UPDATE_TRIES = 4
INLINE_DELETE = 4.0
"""Seconds that the answer to a delete spends on clearing up before it leaves that to the sweep."""


def no_such_job(job_id: str) -> NotFound:
    return NotFound(f"There is no job {job_id} in this project.")


def get(project: str, job_id: str) -> Job:
    """An active job of this project."""
    job = table.get(project, job_id)
    if job is None or job.state != table.ACTIVE:
        raise no_such_job(job_id)
    return job


def list_page(
    project: str, *, limit: int | None, before: str | None, name: str | None, tags: list[str]
) -> tuple[list[dict[str, Any]], str | None]:
    """
    Jobs newest first, as JSON, and the job id to go on before (None at the end); all of `tags`
    must be a job's. Ends early when one answer is full or the caller's time is nearly up.
    """
    found: Iterable[Job]
    if name is not None:
        found = [job for job in _named(project, name) if before is None or job.job_id < before]
    else:
        wanted = None if tags or limit is None else limit + 1
        found = table.newest(project, before=before, limit=wanted)
    matching = (job for job in found if set(tags) <= set(job.spec["tags"]))
    page, more = runs.take(matching, limit, views.job)
    return [shown for _, shown in page], page[-1][0].job_id if page and more else None


def _named(project: str, name: str) -> list[Job]:
    owner = table.named(project, name)
    job = table.get(project, owner.job_id) if owner else None
    return [job] if job is not None and job.state == table.ACTIVE else []


def create(
    project: str, spec: JobSpec, *, key: str | None, body_hash: str, on: Services
) -> tuple[Job, bool]:
    """
    Create a job: the job, and whether this call made it.

    1. Look whether the name is free, and what the Idempotency-Key made before.
    2. Make what AWS must hold for it: task definition, log group, rules.
    3. Store it, with its name and key, in one transaction.

    Dying before 3 leaves things in AWS whose names carry a job that does not exist: the audit
    removes them. A rule that fires meanwhile finds no job.
    """
    now = on.now()
    marker = None
    if key is not None:
        owner, marker = table.name_and_key(project, spec.name, runs.key_id(key))
        if marker is not None and marker.expires > now.timestamp():
            return _replayed(project, marker, body_hash), False
    else:
        owner = table.named(project, spec.name)
    if owner is not None:
        raise _name_taken(spec.name)

    job_id = ids.new_job(now)
    stored = spec.model_dump(mode="json")
    definition = _register(job_id, stored, on=on)
    on.logs.create_group(
        on.settings.log_group(job_id),
        on.settings.log_retention_days,
        {STAGE_TAG: on.settings.stage, "jobyard:job": job_id},
    )
    rules = on.rules.render(job_id, project, stored) if spec.schedule else []
    try:
        on.rules.put(job_id, project, rules)
        job = _new(project, job_id, stored, definition, on=on)
        if key is not None:
            expires = int((now + KEY_LIFE).timestamp())
            marker = JobKey(project, runs.key_id(key), made=job_id, body_hash=body_hash)
            marker.expires = expires
        failed = table.create(job, marker if key is not None else None, now)
    except Conflict:
        _take_back(job_id, definition, rules, on=on)
        raise
    if not failed:
        log.info("job created", job_id=job_id, project=project)
        return job, True
    _take_back(job_id, definition, rules, on=on)
    if "key" in failed and key is not None:
        made = table.key(project, runs.key_id(key))
        if made is not None:
            return _replayed(project, made, body_hash), False
    raise _name_taken(spec.name)


def _new(project: str, job_id: str, spec: dict[str, Any], definition: str, *, on: Services) -> Job:
    now = on.now()
    next_slot = scheduler.first_slot(spec, now)
    return Job(
        project,
        job_id,
        spec=spec,
        version=1,
        task_definition=definition,
        state=table.ACTIVE,
        schedule_version=1,
        next_slot=next_slot,
        work_at=scheduler.work_at(next_slot),
        gate=0,
        created_at=now,
        updated_at=now,
    )


def _name_taken(name: str) -> Conflict:
    return Conflict(
        f"Another job of this project is named {name!r}. Names are unique: choose another.",
        code="job_name_taken",
    )


def _replayed(project: str, marker: JobKey, body_hash: str) -> Job:
    runs.check_same_body(marker.body_hash, body_hash)
    job = table.get(project, marker.made)
    if job is None or job.state != table.ACTIVE:
        raise runs.key_reused("the job that it made was deleted")
    return job


def _register(job_id: str, spec: dict[str, Any], *, on: Services) -> str:
    """Register the job's container; what ECS finds wrong with it is the caller's to mend."""
    definition = ecs.render(job_id, spec, on.settings)
    if ecs.size(definition) > ecs.MAX_DEFINITION:
        why = f"with these fields the task definition takes {ecs.size(definition)} bytes; at most "
        raise InvalidFields([FieldError("env", f"{why}{ecs.MAX_DEFINITION} fit")])
    try:
        return on.ecs.register(definition)
    except ClientError as error:
        if aws.error_code(error) not in ("ClientException", "InvalidParameterException"):
            raise
        why = without_account_ids(aws.error_message(error))
        raise InvalidFields([FieldError("image", f"ECS refused the container: {why}")]) from error


def _take_back(job_id: str, definition: str, rules: list[dict[str, Any]], *, on: Services) -> None:
    """Remove what was made for a job that was not stored; what stays, the audit finds."""
    with log.going_on("left to the audit", job_id=job_id):
        on.rules.remove([rule["Name"] for rule in rules])
        on.logs.delete_group(on.settings.log_group(job_id))
        on.ecs.retire([definition])


def update(project: str, job_id: str, patch: JobPatch, *, on: Services) -> Job:
    """
    Change a job; it takes effect on the next run.

    1. Where the schedule changes, advance the old one first: a slot that is due already keeps
       its run. The new one begins with the first slot after now, never before.
    2. Register the container if it changed, and put the rules that changed.
    3. Store the new version, on condition that the job is still the one that was read; else all
       is done again on what it is now.
    4. Remove the rules that are not needed any more.

    Dying after 2 leaves rules that wake the schedule at other times than it is due at, which
    does nothing; the sweep advances what is due, and the audit mends the rules.
    """
    for _ in range(UPDATE_TRIES):
        job = get(project, job_id)
        old = job.spec
        spec = apply_patch(stored_spec(old), patch).model_dump(mode="json")
        if spec == old:
            return job
        # one moment for both: a slot that comes due in between would belong to neither schedule
        now = on.now()
        is_due = job.next_slot is not None and job.next_slot <= now
        if is_due and _schedule(spec) != _schedule(old):
            scheduler.advance(job, now, on=on)
            continue
        if _stored(job, spec, now, on=on):
            return job
    raise Conflict("The job is being changed at the same time. Try again.")


def _schedule(spec: dict[str, Any]) -> tuple[Any, ...]:
    """What decides when a job is due."""
    return spec["schedule"], spec["timezone"], spec["paused"]


def _stored(job: Job, spec: dict[str, Any], now: datetime, *, on: Services) -> bool:
    old = job.spec
    changes: dict[str, Any] = {"spec": spec, "updated_at": now}
    if any(spec[name] != old[name] for name in CONTAINER_FIELDS):
        changes["task_definition"] = _register(job.job_id, spec, on=on)
    if _schedule(spec) != _schedule(old):
        next_slot = scheduler.first_slot(spec, now)
        changes["next_slot"] = next_slot
        changes["work_at"] = scheduler.work_at(next_slot)
        changes["schedule_version"] = job.schedule_version + 1
    before = on.rules.render(job.job_id, job.pk, old) if old["schedule"] else []
    after = on.rules.render(job.job_id, job.pk, spec) if spec["schedule"] else []
    try:
        on.rules.put(job.job_id, job.pk, [rule for rule in after if rule not in before])
        failed = table.update(job, changes)
    except Conflict:
        _put_back(job, before, after, changes, on=on)
        raise
    if "name" in failed and "job" not in failed:
        _put_back(job, before, after, changes, on=on)
        raise _name_taken(spec["name"])
    if failed:
        return False
    on.rules.remove([rule["Name"] for rule in before[len(after) :]])
    log.info("job updated", job_id=job.job_id, version=int(job.version))
    return True


def _put_back(
    job: Job,
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    changes: dict[str, Any],
    *,
    on: Services,
) -> None:
    """Undo in AWS what was made for a change that was not stored; what stays, the audit mends."""
    with log.going_on("left to the audit", job_id=job.job_id):
        on.rules.put(job.job_id, job.pk, [rule for rule in before if rule not in after])
        on.rules.remove([rule["Name"] for rule in after[len(before) :]])
        if "task_definition" in changes:
            on.ecs.retire([changes["task_definition"]])


def delete(project: str, job_id: str, *, on: Services) -> None:
    """
    Delete a job: gone for every reader at once, then cleared up within bounded turns.

    One transaction makes it invisible and frees its name. What follows may die anywhere: the
    job keeps its `work_at`, and the sweep goes on.
    """
    for _ in range(UPDATE_TRIES):
        job = get(project, job_id)
        if table.mark_deleting(job, on.now()):
            log.info("job deleted", job_id=job_id)
            _clear_up(job, on=on)
            return
    raise Conflict("The job is being changed at the same time. Try again.")


def _clear_up(job: Job, *, on: Services) -> None:
    left = log.going_on("delete left to the sweep", job_id=job.job_id)
    with left, aws.deadline(INLINE_DELETE):
        deletion.turn(job, on=on)


def status(project: str, job_id: str, *, on: Services) -> dict[str, Any]:
    """
    A job's latest run, refreshed, its counts and its next slot.

    What is in flight is read before what has finished: a run that finishes in between is counted
    twice in that one answer, never not at all.
    """
    from chalicelib.tables import runs as runs_table

    latest = runs.latest(project, job_id, on=on)
    live = runs_table.live(job_id)
    job, stats = table.get_with_stats(project, job_id)
    if job is None or job.state != table.ACTIVE or stats is None:
        raise no_such_job(job_id)
    return views.status(job, stats, latest, live)
