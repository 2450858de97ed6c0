"""
The audit: what exists in AWS against what the tables say should.

The sweep repairs what it knows of; the audit finds what nobody knows of: a task whose launcher
died, rules and definitions of a job that was never stored, a rule that somebody removed by hand.
Names carry the job's id, and the id its age, so that what is being made just now is left alone.

It works page by page and notes after each how to go on, so a turn that ends early, for want of
time or by dying, is continued by the next. Every repair may be made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import ids, lifecycle, log, states
from chalicelib.cloud import aws
from chalicelib.errors import Conflict, Unavailable
from chalicelib.services import Services
from chalicelib.tables import jobs as jobs_table
from chalicelib.tables import owners
from chalicelib.tables import runs as table
from chalicelib.tables.records import SHARDS, Job

TURN = 240.0
"""Seconds; the function has five minutes."""
ENOUGH = 8.0
"""Seconds left under which no further page is begun."""
TASK_AGE = timedelta(minutes=5)
"""Younger tasks may not have been recorded yet."""
OWNER_AGE = timedelta(hours=1)
"""Younger jobs may not have been stored yet."""
HOURLY = timedelta(minutes=55)

Page = Callable[..., str | None]


def turn(*, on: Services, seconds: float = TURN) -> dict[str, int]:
    """
    One turn, every 10 minutes: tasks each time, the rest once an hour; pages done by part.
    """
    parts: list[tuple[str, Page, timedelta]] = [
        ("tasks", _tasks, timedelta(0)),
        ("rules", _rules, HOURLY),
        ("schedules", _schedules, HOURLY),
        ("definitions", _definitions, HOURLY),
        ("log-groups", _log_groups, HOURLY),
    ]
    done = {}
    with aws.deadline(seconds):
        for name, page, every in parts:
            with log.going_on("audit interrupted", part=name):
                done[name] = _part(name, page, every, on=on)
    return done


def _part(name: str, page: Page, every: timedelta, *, on: Services) -> int:
    place = jobs_table.place(name)
    now = on.now()
    if place.token is None and place.done_at is not None and place.done_at > now - every:
        return 0
    pages = 0
    token = place.token
    while aws.remaining() > ENOUGH:
        try:
            token = page(token, on=on)
        except ClientError as error:
            if token is None or "token" not in str(error).lower():
                raise
            token = None  # AWS has forgotten the token: begin again
            continue
        pages += 1
        jobs_table.keep_place(place, token, now if token is None else None)
        if token is None:
            break
    return pages


def _age(job_id: str, now: datetime) -> timedelta:
    """How long ago a job's id was made; for ever where it is none of ours."""
    made_at = ids.made_at(job_id)
    return timedelta.max if made_at is None else now - made_at


@contextmanager
def _one(message: str, **ids: str) -> Iterator[None]:
    """
    What one item fails with does not keep the others from being looked at.

    Unless AWS is throttling or down: then the part ends here, and the next turn goes on with
    the same page.
    """
    try:
        yield
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - one item that cannot be handled must not stop all others
        log.exception(message, **ids)


def _tasks(token: str | None, *, on: Services) -> str | None:
    """
    Tasks are seen as by their event: one that is no live run's current attempt is stopped, one
    whose launch went unanswered is adopted.
    """
    arns, more = on.ecs.running(token)
    if not arns:
        return more
    old = []
    for task in on.ecs.describe(arns).tasks.values():
        is_old = task.created_at is None or on.now() - task.created_at > TASK_AGE
        if states.owner(task.started_by) is not None and is_old:
            old.append(task)
    for task in old:
        with _one("task not audited", task=task.arn):
            lifecycle.task_seen(task, on=on)
    return more


def _rules(token: str | None, *, on: Services) -> str | None:
    """Rules that no active job should have are removed, others made as they should be."""
    rules, token = on.rules.all(token, 50)
    jobs = owners.of([on.rules.job_of(rule["Name"]) for rule in rules])
    for rule in rules:
        job_id = on.rules.job_of(rule["Name"])
        with _one("rule not audited", rule=rule["Name"]):
            _rule(rule, job_id, jobs[job_id], on=on)
    return token


def _rule(rule: dict[str, Any], job_id: str, job: Job | None, *, on: Services) -> None:
    name = rule["Name"]
    if job is None:
        if _age(job_id, on.now()) > OWNER_AGE:
            log.warning("rule without a job removed", rule=name)
            on.rules.remove([name])
        return
    wanted = {r["Name"]: r for r in _wanted(job, on=on)}
    if name not in wanted:
        log.warning("rule removed", rule=name)
        on.rules.remove([name])
    elif not _as_wanted(rule, wanted[name], job, on=on):
        log.warning("rule put right", rule=name)
        on.rules.put(job.job_id, job.pk, [wanted[name]])


def _wanted(job: Job, *, on: Services) -> list[dict[str, Any]]:
    return on.rules.render(job.job_id, job.pk, job.spec) if job.state == jobs_table.ACTIVE else []


def _as_wanted(rule: dict[str, Any], wanted: dict[str, Any], job: Job, *, on: Services) -> bool:
    if any(rule.get(name) != value for name, value in wanted.items()):
        return False
    return on.rules.targets(rule["Name"]) == [on.rules.target(job.job_id, job.pk)]


def _schedules(token: str | None, *, on: Services) -> str | None:
    """
    Schedules that lack a rule get it back; a page is a shard of the jobs with a slot to come.

    A job that was paused or changed meanwhile is rendered as it is when it is read.
    """
    number = int(token or 0)
    keys = jobs_table.all_in_shard(number)
    for start in range(0, len(keys), 100):
        for job in jobs_table.get_many(keys[start : start + 100]):
            with _one("schedule not audited", job_id=job.job_id):
                wanted = _wanted(job, on=on)
                there = {rule["Name"] for rule in on.rules.of_job(job.job_id)} if wanted else set()
                lacking = [rule for rule in wanted if rule["Name"] not in there]
                if lacking:
                    log.warning("rules put back", job_id=job.job_id, rules=len(lacking))
                    _put_back(job, lacking, on=on)
    return str(number + 1) if number + 1 < SHARDS else None


def _put_back(job: Job, rules: list[dict[str, Any]], *, on: Services) -> None:
    try:
        on.rules.put(job.job_id, job.pk, rules)
    except Conflict as error:
        # the sweep advances the schedule without its rules, only later
        log.error("rules not put back", job_id=job.job_id, reason=error.message)


def _definitions(token: str | None, *, on: Services) -> str | None:
    """Revisions that are neither current nor used by a live run are retired."""
    arns, token = on.ecs.definitions(token)
    jobs = owners.of([on.ecs.job_of(arn) for arn in arns])
    for arn in arns:
        with _one("task definition not audited", task_definition=arn):
            if _is_unused(arn, jobs[on.ecs.job_of(arn)], on=on):
                log.info("task definition retired", task_definition=arn)
                on.ecs.retire([arn])
    return token


def _is_unused(arn: str, job: Job | None, *, on: Services) -> bool:
    if job is None:
        return _age(on.ecs.job_of(arn), on.now()) > OWNER_AGE
    if job.state != jobs_table.ACTIVE or arn == job.task_definition:
        return False  # a delete retires its own
    if _revision(arn) > _revision(job.task_definition):
        # perhaps of an update that is just being stored
        registered = on.ecs.registered_at(arn)
        if registered is None or on.now() - registered < OWNER_AGE:
            return False
    live = [(job.job_id, run_id) for run_id, _ in table.live(job.job_id)]
    return all(
        run.task_definition != arn
        for start in range(0, len(live), 100)
        for run in table.get_many(live[start : start + 100])
    )


def _revision(arn: str) -> int:
    return int(arn.rpartition(":")[2])


def _log_groups(token: str | None, *, on: Services) -> str | None:
    """Log groups without a job are removed."""
    prefix = on.settings.log_group("job_")
    names, token = on.logs.list_groups(prefix, token)
    job_ids = [name.rpartition("/")[2] for name in names]
    for name, job_id in _without_job(names, job_ids):
        if _age(job_id, on.now()) > OWNER_AGE:
            with _one("log group not removed", group=name):
                log.warning("log group without a job removed", group=name)
                on.logs.delete_group(name)
    return token


def _without_job(names: Sequence[str], job_ids: Sequence[str]) -> list[tuple[str, str]]:
    jobs = owners.of(job_ids)
    return [
        (name, job_id) for name, job_id in zip(names, job_ids, strict=True) if jobs[job_id] is None
    ]
