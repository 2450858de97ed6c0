"""What happens to a run, from its trigger to its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from infra.local.provision import ACCOUNT
from tests.yard import Yard


def test_a_run_goes_from_pending_through_running_to_succeeded(yard: Yard) -> None:
    """A user sees these three statuses if all goes well; each has its own fields."""
    job = yard.create(command=["true"])
    run = yard.trigger(job)
    assert run["status"] == "pending"
    assert yard.run(run)["status"] == "pending"

    arn = yard.task_of(run)
    yard.clock.move(seconds=5)
    yard.aws.ecs.start(arn)
    yard.deliver()
    running = yard.run(run)
    assert running["status"] == "running"
    assert running["started_at"] == "2026-11-23T12:00:05.000Z"
    assert yard.counts(job) == {"running": 1, "total": 1}

    yard.clock.move(seconds=7)
    yard.aws.ecs.stop(arn, exit_code=0)
    yard.deliver()
    done = yard.run(run)
    assert (done["status"], done["exit_code"], done["duration_seconds"]) == ("succeeded", 0, 7.0)
    assert [attempt["task_arn"] for attempt in done["attempts"]] == [arn]
    assert yard.counts(job) == {"succeeded": 1, "total": 1}


def test_a_run_may_end_without_having_been_seen_running(yard: Yard) -> None:
    """A container that ends at once may have only one event."""
    run = yard.trigger(yard.create())
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_reading_a_run_applies_what_no_event_reported(yard: Yard) -> None:
    """Reading a run in flight asks ECS, so that a lost event is not noticed."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=3)
    yard.take_events()
    assert yard.status(job)["latest_run"]["status"] == "failed"
    assert yard.run(run)["error"]["code"] == "nonzero_exit"
    assert yard.counts(job) == {"failed": 1, "total": 1}


def test_events_in_any_order_and_number_give_the_same_run(yard: Yard) -> None:
    """Delivered backwards and twice, the events give the same status, counted once."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=0)
    events = yard.take_events()
    yard.deliver(*reversed(events), *events)
    assert yard.run(run)["status"] == "succeeded"
    assert yard.counts(job) == {"succeeded": 1, "total": 1}


def test_an_event_that_comes_before_the_launch_was_recorded_is_not_lost(yard: Yard) -> None:
    """ECS's event may arrive before RunTask's answer."""
    job = yard.create()
    yard.aws.ecs.subscribe(lambda event: yard.deliver(event))
    run = yard.trigger(job)
    assert run["status"] == "pending"
    yard.aws.ecs.start(yard.task_of(run))
    assert yard.stored(run).status == "running"


def test_overrides_reach_the_container_and_not_the_next_run(yard: Yard) -> None:
    """
    The overrides are for this run only, and the container gets the ids of job, run and attempt.
    """
    job = yard.create(command=["a"], env={"A": "job"})
    run = yard.trigger(job, command=["b", "c"], env={"A": "run"})
    told = yard.aws.ecs.tasks[0].overrides["containerOverrides"][0]
    env = {pair["name"]: pair["value"] for pair in told["environment"]}
    assert told["command"] == ["b", "c"]
    assert env == {
        "A": "run",
        "JOBYARD_JOB_ID": job["id"],
        "JOBYARD_RUN_ID": run["id"],
        "JOBYARD_ATTEMPT": "1",
        "JOBYARD_TRIGGER": "manual",
        "JOBYARD_JOB_NAME": job["name"],
        "JOBYARD_MAX_ATTEMPTS": "1",
    }
    assert yard.trigger(job)["command"] == ["a"]
    assert "command" not in yard.aws.ecs.tasks[1].overrides["containerOverrides"][0]


def test_a_runs_task_carries_stage_and_job_and_the_tags_of_its_job(yard: Yard) -> None:
    """Fargate's costs can then be split by stage, job and the job's own tags."""
    job = yard.create(tags=["team=data", "nightly", *(f"tag{n}={n}" for n in range(18))])
    yard.trigger(job)
    (task,) = yard.aws.ecs.tasks
    tags = {tag["key"]: tag["value"] for tag in task.tags}
    assert (tags["jobyard:stage"], tags["jobyard:job"]) == ("test", job["id"])
    assert (tags["team"], tags["nightly"], len(tags)) == ("data", "", 22)


def test_overrides_that_ecs_would_refuse_are_refused_first(yard: Yard) -> None:
    """ECS takes 8,192 characters; nothing is stored."""
    job = yard.create()
    answer = yard.call("POST", f"/jobs/{job['id']}/runs", {"env": {"A": "x" * 8192}})
    assert (answer.status, answer.envelope["code"]) == (422, "overrides_too_large")
    assert yard.runs(job) == []


def test_the_same_key_triggers_one_run(yard: Yard) -> None:
    """A client that got no answer can repeat the request."""
    job = yard.create()
    key = {"Idempotency-Key": "once"}
    first = yard.call("POST", f"/jobs/{job['id']}/runs", headers=key)
    again = yard.call("POST", f"/jobs/{job['id']}/runs", headers=key)
    assert (first.status, again.status) == (201, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data["id"] == first.data["id"]
    other = yard.call("POST", f"/jobs/{job['id']}/runs", {"command": ["b"]}, headers=key)
    assert (other.status, other.envelope["code"]) == (409, "idempotency_key_reused")
    assert len(yard.aws.ecs.tasks) == 1
    yard.clock.move(hours=24, seconds=1)
    assert yard.call("POST", f"/jobs/{job['id']}/runs", headers=key).status == 201


def test_a_repeated_trigger_is_answered_whatever_the_job_is_by_now(yard: Yard) -> None:
    """The key is checked first: what a new run would be refused for does not affect the old one."""
    job = yard.create()
    body, key = {"env": {"A": "1"}}, {"Idempotency-Key": "once"}
    path = f"/jobs/{job['id']}/runs"
    first = yard.call("POST", path, body, headers=key)
    secret = f"arn:aws:ssm:{yard.system.settings.region}:{ACCOUNT}:parameter/jobyard/test/acme/a"
    changed = yard.call("PATCH", f"/jobs/{job['id']}", {"secrets": {"A": secret}})
    assert (first.status, changed.status) == (201, 200)
    again = yard.call("POST", path, body, headers=key)
    assert (again.status, again.data["id"]) == (200, first.data["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    refused = yard.call("POST", path, body, headers={"Idempotency-Key": "another"})
    assert refused.status == 422
    other = yard.call("POST", path, {"env": {"A": "2"}}, headers=key)
    assert (other.status, other.envelope["code"]) == (409, "idempotency_key_reused")
    assert yard.call("POST", path, {"env": {"A": 1}}, headers=key).status == 422
    yard.call("DELETE", f"/jobs/{job['id']}")
    assert yard.call("POST", path, body, headers=key).status == 404


def test_the_same_trigger_sent_many_times_at_once_starts_one_run(yard: Yard) -> None:
    """One answer is 201, and the others are replays of it."""
    job = yard.create()
    send = lambda: yard.call(  # noqa: E731 - the same request, eight times
        "POST", f"/jobs/{job['id']}/runs", headers={"Idempotency-Key": "once"}
    )
    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.data["id"] for answer in answers}) == 1
    assert len(yard.aws.ecs.tasks) == 1


def test_runs_are_listed_newest_first_page_by_page(yard: Yard) -> None:
    """Each run comes once, whatever the size of a page."""
    job = yard.create()
    made = []
    for _ in range(5):
        yard.clock.move(seconds=1)
        made.append(yard.trigger(job)["id"])
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = yard.call("GET", f"/jobs/{job['id']}/runs", query=query)
        seen += [run["id"] for run in answer.data["runs"]]
        cursor = answer.data["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert [run["id"] for run in yard.runs(job)] == made[::-1]
    yard.finish({"job_id": job["id"], "id": made[0]})
    assert [run["id"] for run in yard.runs(job, status="succeeded")] == made[:1]
    assert yard.runs(job, trigger="schedule") == []
