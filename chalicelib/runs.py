"""Use-cases on runs: trigger, get, list, cancel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from chalicelib import contention, ids, lifecycle, log, transitions, views
from chalicelib.cloud import aws
from chalicelib.cloud.ecs import MAX_OVERRIDES
from chalicelib.errors import Conflict, FieldError, InvalidFields, NotFound, Unavailable
from chalicelib.http import MAX_BODY, encoded_size
from chalicelib.services import Services
from chalicelib.specs import RunOverrides, check_overrides
from chalicelib.states import PENDING
from chalicelib.tables import jobs as jobs_table
from chalicelib.tables import runs as table
from chalicelib.tables.records import Job, Run, RunKey

T = TypeVar("T")

KEY_LIFE = timedelta(hours=24)
LOOK_BUDGET = 5.0
"""Seconds that a read spends on asking the backend before it answers what is stored."""


def no_such_run(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id} of this job.")


def find(project: str, job_id: str, run_id: str, *, on: Services) -> tuple[Job, Run]:
    """A run and its job, where the job is active in this project and the run is its own."""
    job, run = table.get_with_job(project, job_id, run_id)
    if job is None or job.state != jobs_table.ACTIVE:
        raise NotFound(f"There is no job {job_id} in this project.")
    if run is None or run.is_expired(on.now()):
        raise no_such_run(run_id)
    return job, run


def get(project: str, job_id: str, run_id: str, *, on: Services) -> Run:
    """A run as it is now: the backend is asked if it is in flight."""
    _, run = find(project, job_id, run_id, on=on)
    fresh = _refreshed([run], on=on)
    if not fresh:
        raise no_such_run(run_id)
    return fresh[0]


def _refreshed(runs: Sequence[Run], *, on: Services) -> list[Run]:
    """What a reader is shown: never an error because the backend cannot answer just now."""
    try:
        with aws.deadline(LOOK_BUDGET):
            return lifecycle.refresh(runs, on=on)
    except Unavailable:
        return list(runs)


def finder(job_id: str) -> Callable[[set[str]], dict[str, tuple[str, int]]]:
    """What tells run and attempt of those of a job's tasks that are known, by their ids."""
    return partial(table.of_tasks, job_id)


def latest(project: str, job_id: str, *, on: Services) -> Run | None:
    """The newest run of a job that was to start, as it is now."""
    run = table.latest_claimed(job_id)
    if run is None or run.project != project or run.is_expired(on.now()):
        return None
    return next(iter(_refreshed([run], on=on)), None)


def list_page(
    project: str,
    job_id: str,
    *,
    limit: int | None,
    before: str | None,
    status: str | None,
    trigger: str | None,
    on: Services,
) -> tuple[list[dict[str, Any]], str | None]:
    """
    Runs newest first, as JSON, and the run id to go on before (None at the end).

    Ends early at MAX_BODY bytes or when the caller's time is nearly up. Those in flight among
    the newest 100 of the page are refreshed; a run that thereby leaves the `status` asked for is
    left out.
    """
    job = jobs_table.get(project, job_id)
    if job is None or job.state != jobs_table.ACTIVE:
        raise NotFound(f"There is no job {job_id} in this project.")
    where = None
    if status is not None:
        where = Run.status == status
    if trigger is not None:
        where = (where & (Run.trigger == trigger)) if where is not None else Run.trigger == trigger
    now = on.now()
    wanted = None if where is not None or limit is None else limit + 1
    found = table.newest(job_id, before=before, limit=wanted, where=where)
    page, more = take((run for run in found if not run.is_expired(now)), limit, views.run)
    last = page[-1][0].run_id if page and more else None
    over = {run.run_id: shown for run, shown in page if not run.live}
    runs = _refreshed([run for run, _ in page], on=on)
    wanted_runs = (run for run in runs if status is None or run.status == status)
    return [over.get(run.run_id) or views.run(run) for run in wanted_runs], last


def take(
    records: Iterable[T], limit: int | None, view: Callable[[T], dict[str, Any]]
) -> tuple[list[tuple[T, dict[str, Any]]], bool]:
    """The first records that one answer can carry, with their JSON, and whether there are more."""
    taken: list[tuple[T, dict[str, Any]]] = []
    size = 0
    for record in records:
        if limit is not None and len(taken) == limit:
            return taken, True
        shown = view(record)
        size += encoded_size(shown) + 1
        if taken and (size > MAX_BODY or aws.remaining() < LOOK_BUDGET):
            return taken, True
        taken.append((record, shown))
    return taken, False


def trigger(
    project: str,
    job_id: str,
    wanted: RunOverrides,
    *,
    key: str | None,
    body_hash: str,
    on: Services,
) -> tuple[dict[str, Any], bool]:
    """
    Start a run of a job by hand: the run as JSON, and whether this call made it.

    1. Read the job and what the Idempotency-Key made. A key that was used decides, whatever the
       job is by now: the answer is what it made.
    2. Claim the run, on condition that the job is still that version and the key still unused;
       else all is done again, after a pause, on what they are now.
    3. Launch it. Whatever ECS says, the run is claimed and will reach an end: dying here leaves
       it to the sweep. The answer is the pending run that was claimed.
    """
    for _ in contention.tries():
        now = on.now()
        job, used = _job_and_key(project, job_id, key)
        if job is None or job.state != jobs_table.ACTIVE:
            raise NotFound(f"There is no job {job_id} in this project.")
        if used is not None and used.expires > now.timestamp():
            return views.run(_replayed(used, body_hash, on=on)), False
        check_overrides(wanted, job.spec["secrets"])
        run = new_run(job, ids.new_run(now), now)
        _override(run, wanted)
        failed = table.claim(
            run,
            job,
            gate=None,
            counts_as_overlap=job.spec["concurrency_policy"] != "allow",
            key=None if key is None else _marker(run, key, body_hash, now),
            now=now,
        )
        if not failed:
            claimed = views.run(run)
            _launch(run, on=on)
            return claimed, True
    raise contention.gave_up()


def _job_and_key(project: str, job_id: str, key: str | None) -> tuple[Job | None, RunKey | None]:
    if key is None:
        return jobs_table.get(project, job_id), None
    return table.job_and_key(project, job_id, key_id(key))


def _marker(run: Run, key: str, body_hash: str, now: datetime) -> RunKey:
    expires = int((now + KEY_LIFE).timestamp())
    return RunKey(run.job_id, key_id(key), made=run.run_id, body_hash=body_hash, expires=expires)


def _launch(run: Run, *, on: Services) -> None:
    with log.going_on("launch left to the sweep", job_id=run.job_id, run_id=run.run_id):
        lifecycle.launch(run, on=on)


def key_id(key: str) -> str:
    """Sort key of an Idempotency-Key's record."""
    return f"key#{hashlib.sha256(key.encode()).hexdigest()}"


def _replayed(used: RunKey, body_hash: str, *, on: Services) -> Run:
    """What an Idempotency-Key made, as it is now."""
    check_same_body(used.body_hash, body_hash)
    run = table.get(used.pk, used.made)
    if run is None:
        raise key_reused("what it made was removed")
    return next(iter(_refreshed([run], on=on)), run)


def check_same_body(first: str, second: str) -> None:
    """The same key must come with the same body."""
    if first != second:
        raise key_reused("it came with another body before")


def key_reused(why: str) -> Conflict:
    message = f"This Idempotency-Key was used already: {why}. Use a new one."
    return Conflict(message, code="idempotency_key_reused")


def new_run(job: Job, run_id: str, now: datetime) -> Run:
    """A pending run of a job as it is configured now, to be launched at once."""
    spec = job.spec
    return Run(
        job.job_id,
        run_id,
        rev=1,
        project=job.pk,
        job_version=job.version,
        status=PENDING,
        trigger="manual",
        claimed=run_id,
        live=run_id,
        look_at=now + transitions.LAUNCH_LEASE,
        requested_at=now,
        task_definition=job.task_definition,
        image=spec["image"],
        command=spec["command"],
        tags=spec["tags"],
        cpu=spec["cpu"],
        memory_mib=spec["memory_mib"],
        timeout_seconds=spec["timeout_seconds"],
        max_attempts=spec["max_retries"] + 1,
        attempt=1,
        launch=1,
        waiting_since=now,
        created_at=now,
    )


def _override(run: Run, wanted: RunOverrides) -> None:
    if wanted.command is not None:
        run.command = wanted.command
        run.overridden = True
    if wanted.env:
        run.env = wanted.env
    size = len(json.dumps(lifecycle.run_overrides(run)))
    if size > MAX_OVERRIDES:
        what = f"take {size} characters as ECS counts them; at most {MAX_OVERRIDES} fit"
        field = "env" if wanted.env else "command"
        raise InvalidFields(
            [FieldError(field, f"The overrides of this run {what}. Put them into the job.")],
            code="overrides_too_large",
        )


def cancel(project: str, job_id: str, run_id: str, *, on: Services) -> None:
    """Cancel a run that is not over: 409 `run_already_finished` where it is."""
    _, run = find(project, job_id, run_id, on=on)
    was = run.status
    if run.is_terminal:
        raise _finished(was)
    now_it_is = lifecycle.cancel(run, "cancelled_by_user", on=on)
    if now_it_is is None:
        raise no_such_run(run_id)
    if now_it_is.stop_reason != "cancelled_by_user" or now_it_is.status != "cancelled":
        raise _finished(now_it_is.status)


def _finished(status: str) -> Conflict:
    return Conflict(
        f"The run is over already: its status is {status}.", code="run_already_finished"
    )
