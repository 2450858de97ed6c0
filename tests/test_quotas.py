"""Quotas of a workspace: how many runs it may have in flight, and how many jobs."""

from __future__ import annotations

from typing import Any

from tests.quotas import OTHER_PROJECT, create, in_flight, is_refused, jobs_there, limit, trigger
from tests.yard import Yard

# --- runs in flight ------------------------------------------------------------------------------


def test_a_trigger_over_the_quota_is_refused_until_a_run_has_ended(
    yard: Yard,
) -> None:
    """The refusal says what is used, what the quota is and what to do, and leaves no run."""
    limit(yard, runs=2)
    job = yard.create()
    runs = [yard.trigger(job), yard.trigger(job)]
    refused = trigger(yard, job)
    assert is_refused(refused)
    assert refused.envelope["message"] == (
        "The workspace acme has 2 runs in flight, and its quota is 2. Wait until some have ended, "
        "cancel some, or ask the operator for more."
    )
    assert len(yard.runs(job)) == len(yard.aws.ecs.tasks) == 2
    yard.finish(runs[0], exit_code=1)
    yard.trigger(job)
    assert is_refused(trigger(yard, job))


def test_the_projects_of_a_workspace_share_its_quota_and_other_workspaces_do_not(
    yard: Yard,
) -> None:
    limit(yard, runs=1)
    other = create(yard, "a", OTHER_PROJECT).data
    run = yard.trigger(yard.create(name="a"))
    assert is_refused(trigger(yard, other, base=OTHER_PROJECT))
    theirs = "/workspaces/them/projects/etl"
    as_them = {"Authorization": f"Bearer {yard.make_token('write', 'them')}"}
    job = create(yard, "a", theirs, headers=as_them).data
    assert trigger(yard, job, base=theirs, headers=as_them).status == 201
    assert is_refused(trigger(yard, job, base=theirs, headers=as_them))
    yard.finish(run)
    assert trigger(yard, other, base=OTHER_PROJECT).status == 201


def test_a_cancelled_run_counts_until_its_task_has_stopped(yard: Yard) -> None:
    limit(yard, runs=1)
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.call("POST", f"/jobs/{job['id']}/runs/{run['id']}/cancel")
    assert yard.run(run)["status"] == "cancelled"
    assert is_refused(trigger(yard, job))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=143)
    yard.deliver()
    yard.deliver(*yard.events)
    assert trigger(yard, job).status == 201


def test_a_run_counts_once_whatever_its_attempts_and_however_often_its_end_is_heard(
    yard: Yard,
) -> None:
    limit(yard, runs=5)
    job = yard.create(max_retries=2)
    run = yard.trigger(job)
    yard.finish(run, exit_code=1)
    yard.sweep(minutes=2)
    assert (len(yard.aws.ecs.tasks), in_flight(yard)) == (2, 1)
    yard.aws.ecs.start(yard.task_of(run))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=0)
    events = yard.take_events()
    yard.deliver(*events)
    yard.deliver(*events)
    assert (yard.run(run)["status"], in_flight(yard)) == ("succeeded", 0)
    assert yard.stored(run).counted is None


def test_a_run_that_waits_in_line_counts(yard: Yard) -> None:
    limit(yard, runs=2)
    job = yard.create(concurrency_policy="queue")
    first, second = yard.trigger(job), yard.trigger(job)
    assert is_refused(trigger(yard, job))
    yard.finish(first)
    assert yard.trigger(job)["status"] == "pending"
    assert in_flight(yard) == 2
    yard.finish(second)


def test_a_repeated_request_is_answered_with_what_it_made_also_at_the_quota(
    yard: Yard,
) -> None:
    """A refused one leaves no trace of its key: it starts a run as soon as there is room."""
    limit(yard, runs=1, jobs=1)
    key = {"Idempotency-Key": "k"}
    made = create(yard, "a", headers=key)
    again = create(yard, "a", headers=key)
    assert (made.status, again.status, again.data["id"]) == (201, 200, made.data["id"])
    run = trigger(yard, made.data, headers=key)
    again = trigger(yard, made.data, headers=key)
    assert (run.status, again.status, again.data["id"]) == (201, 200, run.data["id"])
    other = {"Idempotency-Key": "other"}
    assert is_refused(trigger(yard, made.data, headers=other))
    yard.finish(run.data)
    assert trigger(yard, made.data, headers=other).status == 201


def test_a_slot_over_the_quota_is_recorded_as_skipped(yard: Yard) -> None:
    """Like a slot that `forbid` skips; the next one finds room again."""
    limit(yard, runs=1)
    job = yard.create(name="nightly", schedule="*/5 * * * *")
    run = yard.trigger(job)
    yard.clock.move(minutes=5)
    yard.fire(job)
    yard.fire(job)
    (slot,) = yard.runs(job, trigger="schedule")
    assert (slot["status"], slot["started_at"]) == ("cancelled", None)
    assert slot["error"]["code"] == "skipped_quota"
    assert slot["error"]["message"] == (
        "The slot was skipped: the workspace's quota of runs in flight, 1, was used up."
    )
    assert yard.counts(job) == {"pending": 1, "skipped": 1, "total": 1}
    yard.finish(run)
    yard.clock.move(minutes=5)
    yard.fire(job)
    newest = yard.runs(job, trigger="schedule")[0]
    assert (newest["status"], in_flight(yard)) == ("pending", 1)


def test_a_quota_adds_no_call_but_a_read_before_a_job_is_created(yard: Yard) -> None:
    def calls() -> list[dict[str, int]]:
        yard.call("GET", "/jobs")
        job: dict[str, Any] = {}
        found = []
        for act in (
            lambda: job.update(yard.create(name=f"{len(yard.aws.ecs.tasks)}")),
            lambda: job.update(run=yard.trigger(job)),
            lambda: yard.finish(job["run"]),
            lambda: yard.call("DELETE", f"/jobs/{job['id']}"),
        ):
            with yard.counting() as counted:
                act()
            found.append(counted.counted)
        return found

    without = calls()
    limit(yard, runs=5, jobs=5)
    created, *others = calls()
    assert others == without[1:]
    assert created == without[0] | {"dynamodb.GetItem": without[0]["dynamodb.GetItem"] + 1}


# --- jobs ----------------------------------------------------------------------------------------


def test_a_job_over_the_quota_is_refused_until_one_is_deleted(yard: Yard) -> None:
    """Refused, it leaves nothing in AWS; what is there can be changed."""
    limit(yard, jobs=2)
    first = yard.create(name="a")
    assert create(yard, "b", OTHER_PROJECT).status == 201
    with yard.counting() as calls:
        refused = create(yard, "c")
    assert is_refused(refused)
    assert refused.envelope["message"] == (
        "The workspace acme has 2 jobs, and its quota is 2. Delete some, or ask the operator for "
        "more."
    )
    assert {name.partition(".")[0] for name in calls.made} == {"dynamodb"}
    path = f"/jobs/{first['id']}"
    assert yard.call("PATCH", path, {"name": "z"}).status == 200
    assert create(yard, "z").envelope["code"] == "job_name_taken"
    assert yard.call("DELETE", path).status == 200
    assert create(yard, "c").status == 201
    assert is_refused(create(yard, "d"))


def test_a_job_that_is_being_deleted_does_not_count(yard: Yard) -> None:
    """It is gone for its readers, while its task still stops."""
    limit(yard, jobs=1)
    job = yard.create(name="a")
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.call("DELETE", f"/jobs/{job['id']}")
    assert yard.stored_job(job).state == "deleting"
    assert create(yard, "b").status == 201
    yard.aws.ecs.stop(yard.task_of(run), exit_code=143)
    yard.deliver()
    yard.sweep(minutes=2)
    assert jobs_there(yard) == 1
