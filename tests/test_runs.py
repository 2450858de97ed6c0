"""What happens to a run, from trigger to its end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.engine import sweep
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from infra.local.provision import ACCOUNT
from tests.yard import Yard

NO_CAPACITY = Failure(
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)


def test_a_run_goes_from_pending_through_running_to_succeeded(yard: Yard) -> None:
    """The three statuses that a user sees when all is well, and what is known at each."""
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


def test_running_may_never_be_seen(yard: Yard) -> None:
    """A container that ends at once may have one event only."""
    run = yard.trigger(yard.create())
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_a_read_tells_what_no_event_did(yard: Yard) -> None:
    """The backend is asked when a run in flight is read, so a lost event does not show."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=3)
    yard.take_events()
    assert yard.status(job)["latest_run"]["status"] == "failed"
    assert yard.run(run)["error"]["code"] == "nonzero_exit"
    assert yard.counts(job) == {"failed": 1, "total": 1}


def test_events_in_any_order_and_number_give_the_same_run(yard: Yard) -> None:
    """Delivered backwards and twice, they lead to the same end, counted once."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.aws.ecs.stop(yard.task_of(run), exit_code=0)
    events = yard.take_events()
    yard.deliver(*reversed(events), *events)
    assert yard.run(run)["status"] == "succeeded"
    assert yard.counts(job) == {"succeeded": 1, "total": 1}


def test_an_event_that_comes_before_the_launch_was_recorded_is_not_lost(yard: Yard) -> None:
    """ECS may be faster than the answer of RunTask."""
    job = yard.create()
    yard.aws.ecs.subscribe(lambda event: yard.deliver(event))
    run = yard.trigger(job)
    assert run["status"] == "pending"
    yard.aws.ecs.start(yard.task_of(run))
    assert yard.stored(run).status == "running"


def test_overrides_reach_the_container_and_not_the_next_run(yard: Yard) -> None:
    """A run's own command and env are its alone; every run is told who it is."""
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
    }
    assert yard.trigger(job)["command"] == ["a"]
    assert "command" not in yard.aws.ecs.tasks[1].overrides["containerOverrides"][0]


def test_a_runs_task_carries_stage_and_job_and_the_tags_of_its_job(yard: Yard) -> None:
    """So that Fargate's cost can be split by them: the stage's and the job's are propagated."""
    job = yard.create(tags=["team=data", "nightly", *(f"tag{n}={n}" for n in range(18))])
    yard.trigger(job)
    (task,) = yard.aws.ecs.tasks
    tags = {tag["key"]: tag["value"] for tag in task.tags}
    assert (tags["jobyard:stage"], tags["jobyard:job"]) == ("test", job["id"])
    assert (tags["team"], tags["nightly"], len(tags)) == ("data", "", 22)


def test_overrides_that_ecs_would_refuse_are_refused_first(yard: Yard) -> None:
    """8,192 characters is what ECS takes; nothing is stored."""
    job = yard.create()
    answer = yard.call("POST", f"/jobs/{job['id']}/runs", {"env": {"A": "x" * 8192}})
    assert (answer.status, answer.envelope["code"]) == (422, "overrides_too_large")
    assert yard.runs(job) == []


def test_the_same_key_triggers_one_run(yard: Yard) -> None:
    """A client that got no answer may ask again."""
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
    """The key decides first: what would be refused of a new run is no matter for the old one."""
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
    """One answer is 201, the others are replays of it."""
    job = yard.create()
    send = lambda: yard.call(  # noqa: E731 - the same request, eight times
        "POST", f"/jobs/{job['id']}/runs", headers={"Idempotency-Key": "once"}
    )
    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.data["id"] for answer in answers}) == 1
    assert len(yard.aws.ecs.tasks) == 1


def test_a_launch_without_an_answer_is_repeated_and_makes_one_task(yard: Yard) -> None:
    """The answer is 201 all the same; the sweep asks again with the same token."""
    job = yard.create()
    yard.aws.ecs.refuse_next(EcsError("ServiceUnavailableException", "down"), times=2)
    run = yard.trigger(job)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(minutes=1)
    yard.sweep(minutes=2)
    assert len(yard.aws.ecs.tasks) == 1
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_a_refusal_that_may_pass_keeps_the_run_pending(yard: Yard) -> None:
    """No capacity now is no verdict; the sweep launches it when there is some."""
    job = yard.create()
    yard.aws.ecs.refuse_next(NO_CAPACITY, times=2)
    run = yard.trigger(job)
    yard.sweep(minutes=1)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(minutes=2)
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_capacity_that_does_not_come_within_a_day_fails_the_run(yard: Yard) -> None:
    """Pending ends."""
    job = yard.create()
    yard.aws.ecs.refuse_next(NO_CAPACITY, times=99)
    run = yard.trigger(job)
    yard.sweep(hours=23)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(hours=2)
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "capacity_unavailable")
    assert yard.counts(job) == {"failed": 1, "total": 1}


def test_a_refusal_that_will_not_pass_fails_the_run(yard: Yard) -> None:
    """With AWS's own reason, and a hint."""
    yard.aws.ecs.refuse_next(
        EcsError("AccessDeniedException", "not authorized to perform: ecs:RunTask")
    )
    run = yard.trigger(yard.create())
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")
    assert "not authorized" in failed["error"]["message"]


NO_ROLE = (
    "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/jobyard/test/acme/a' that "
    "was provided for this task. Please verify that the role being passed has the proper trust "
    "relationship and permissions and that your IAM user has permissions to pass this role."
)


def test_a_role_that_was_just_made_delays_a_run_and_does_not_fail_it(yard: Yard) -> None:
    """IAM takes some minutes to let ECS assume it, whether RunTask says so or the task stops."""
    run = yard.trigger(yard.create(), command=["a"])
    yard.aws.ecs.fail_to_start(yard.task_of(run), NO_ROLE)
    yard.deliver()
    yard.aws.ecs.refuse_next(EcsError("ClientException", NO_ROLE))
    yard.sweep(minutes=1)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(minutes=1)
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


@pytest.mark.parametrize("how", ["refused", "stopped"])
def test_a_role_that_cannot_be_assumed_fails_the_run_within_minutes(yard: Yard, how: str) -> None:
    """With what to check, and without the account's id."""
    if how == "refused":
        yard.aws.ecs.refuse_next(EcsError("ClientException", NO_ROLE), times=99)
    run = yard.trigger(yard.create())
    minutes = 0
    while yard.run(run)["status"] == "pending":
        if how == "stopped" and yard.stored(run).task_arn:
            yard.aws.ecs.fail_to_start(yard.task_of(run), NO_ROLE)
            yard.deliver()
        yard.sweep(minutes=1)
        minutes += 1
    assert 5 <= minutes <= 10
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")
    assert "unable to assume the role" in failed["error"]["message"]
    assert "trust policy" in failed["error"]["hint"]
    assert "123456789012" not in failed["error"]["message"]


def test_an_image_that_cannot_be_pulled_fails_the_run(yard: Yard) -> None:
    """The reason is in the run, where there are no logs to look at."""
    run = yard.trigger(yard.create())
    reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"
    yard.aws.ecs.fail_to_start(yard.task_of(run), reason)
    yard.deliver()
    failed = yard.run(run)
    assert failed["error"]["code"] == "image_pull_failed"
    assert reason in failed["error"]["message"]
    assert failed["exit_code"] is None


def test_a_failure_to_start_that_may_pass_is_launched_again_within_the_attempt(yard: Yard) -> None:
    """Up to five times; it is no attempt of the command's."""
    job = yard.create()
    run = yard.trigger(job)
    reason = "Timeout waiting for network interface provisioning to complete."
    for _ in range(5):
        yard.aws.ecs.fail_to_start(yard.task_of(run), reason)
        yard.deliver()
        assert yard.run(run)["status"] == "pending"
        yard.sweep(minutes=5)
    yard.aws.ecs.fail_to_start(yard.task_of(run), reason)
    yard.deliver()
    failed = yard.run(run)
    assert (failed["status"], failed["attempt"]) == ("failed", 1)
    assert len(yard.aws.ecs.tasks) == 6


def test_a_late_event_of_an_earlier_launch_does_not_end_the_next(yard: Yard) -> None:
    """It comes twice, the second time while the next launch is under way."""
    run = yard.trigger(yard.create())
    yard.aws.ecs.fail_to_start(
        yard.task_of(run), "Timeout waiting for network interface provisioning to complete."
    )
    late = yard.take_events()
    yard.deliver(*late)
    yard.sweep(minutes=1)
    yard.deliver(*late)
    assert len(yard.aws.ecs.tasks) == 2
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_a_failed_attempt_is_retried_after_its_backoff(yard: Yard) -> None:
    """The run stays running and says when; each attempt has its own task."""
    job = yard.create(max_retries=2)
    run = yard.trigger(job)
    yard.finish(run, exit_code=1)
    waiting = yard.run(run)
    assert (waiting["status"], waiting["attempt"]) == ("running", 2)
    assert waiting["retry_at"] == "2026-11-23T12:00:10.000Z"
    assert yard.counts(job) == {"running": 1, "total": 1}
    yard.sweep(seconds=9)
    assert len(yard.aws.ecs.tasks) == 1
    yard.sweep(seconds=2)
    assert yard.run(run)["retry_at"] is None
    yard.finish(run)
    done = yard.run(run)
    assert (done["status"], done["exit_code"]) == ("succeeded", 0)
    assert [(a["attempt"], a["exit_code"]) for a in done["attempts"]] == [(1, 1), (2, 0)]
    assert len({attempt["task_arn"] for attempt in done["attempts"]}) == 2
    assert yard.counts(job) == {"succeeded": 1, "total": 1}


def test_retries_end(yard: Yard) -> None:
    """After the last attempt the run has failed."""
    job = yard.create(max_retries=1)
    run = yard.trigger(job)
    yard.finish(run, exit_code=1)
    yard.sweep(minutes=1)
    yard.finish(run, exit_code=2)
    failed = yard.run(run)
    assert (failed["status"], failed["exit_code"]) == ("failed", 2)
    assert yard.status(job)["consecutive_failures"] == 1


def test_an_attempt_that_runs_too_long_is_stopped(yard: Yard) -> None:
    """By the sweep, and the verdict is that it timed out, whatever the exit code."""
    run = yard.trigger(yard.create(timeout_seconds=60))
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yard.deliver()
    yard.sweep(seconds=59)
    assert yard.run(run)["status"] == "running"
    yard.sweep(seconds=2)
    assert yard.aws.ecs.task(arn).desired_status == "STOPPED"
    yard.aws.ecs.stop(arn, exit_code=143)
    yard.deliver()
    stopped = yard.run(run)
    assert (stopped["status"], stopped["error"]["code"]) == ("failed", "timed_out")
    assert stopped["exit_code"] == 143


def test_a_task_that_does_not_start_within_an_hour_fails_the_run(yard: Yard) -> None:
    """Its task is stopped first."""
    run = yard.trigger(yard.create())
    arn = yard.task_of(run)
    yard.sweep(minutes=61)
    assert yard.aws.ecs.task(arn).desired_status == "STOPPED"
    yard.aws.ecs.stop(arn, exit_code=None, stop_code="UserInitiated")
    yard.deliver()
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")


def test_a_task_that_ecs_forgot_is_lost_only_in_the_end(yard: Yard) -> None:
    """Two answers of MISSING ten minutes apart, an hour after it was last seen."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.deliver()
    yard.aws.ecs.reset()
    assert yard.run(run)["status"] == "running"
    for _ in range(5):
        yard.sweep(minutes=11)
        assert yard.run(run)["status"] == "running"
    yard.sweep(minutes=11)
    lost = yard.run(run)
    assert (lost["status"], lost["error"]["code"]) == ("failed", "lost")
    assert yard.counts(job) == {"failed": 1, "total": 1}


def test_a_running_run_is_cancelled_at_once_and_told_its_exit_code_later(yard: Yard) -> None:
    """Terminal when the answer is given; the container stops in its own time."""
    job = yard.create()
    run = yard.trigger(job)
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yard.deliver()
    answer = yard.call("POST", f"/jobs/{job['id']}/runs/{run['id']}/cancel")
    assert (answer.status, answer.data) == (200, None)
    cancelled = yard.run(run)
    assert (cancelled["status"], cancelled["finished_at"]) == ("cancelled", None)
    assert cancelled["error"]["code"] == "cancelled_by_user"
    assert yard.counts(job) == {"cancelled": 1, "total": 1}
    yard.aws.ecs.stop(arn, exit_code=143)
    yard.deliver()
    stopped = yard.run(run)
    assert (stopped["status"], stopped["exit_code"]) == ("cancelled", 143)
    assert stopped["finished_at"] is not None
    assert yard.counts(job) == {"cancelled": 1, "total": 1}
    again = yard.call("DELETE", f"/jobs/{job['id']}/runs/{run['id']}")
    assert (again.status, again.envelope["code"]) == (409, "run_already_finished")
    assert "cancelled" in again.envelope["message"]


def test_a_run_that_waits_for_a_retry_is_cancelled_and_not_launched_again(yard: Yard) -> None:
    """It has no task, so it is over."""
    job = yard.create(max_retries=1)
    run = yard.trigger(job)
    yard.finish(run, exit_code=1)
    assert yard.call("DELETE", f"/jobs/{job['id']}/runs/{run['id']}").status == 200
    yard.sweep(minutes=10)
    assert len(yard.aws.ecs.tasks) == 1
    assert yard.run(run)["status"] == "cancelled"


def test_a_task_does_not_outlive_a_cancel_that_came_before_it_was_known(yard: Yard) -> None:
    """RunTask made a task, but its answer was lost: the sweep finds and stops it."""
    job = yard.create()
    run = yard.trigger(job)
    arn = yard.task_of(run)
    yard.take_events()
    record = yard.stored(run)
    assert yard.system.database.update(record, [type(record).task_arn.remove()])
    assert yard.call("DELETE", f"/jobs/{job['id']}/runs/{run['id']}").status == 200
    yard.sweep(minutes=2)
    assert yard.aws.ecs.task(arn).desired_status == "STOPPED"
    yard.aws.ecs.stop(arn, exit_code=143)
    yard.deliver()
    assert yard.stored(run).live is None


def test_runs_are_listed_newest_first_page_by_page(yard: Yard) -> None:
    """Each once, whatever the page's size."""
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


def test_the_sweep_launches_several_at_once_and_each_once(yard: Yard) -> None:
    """In threads: one after the other would launch far less than Fargate takes."""
    job = yard.create()
    yard.aws.ecs.refuse_next(NO_CAPACITY, times=20)
    made = [yard.trigger(job)["id"] for _ in range(20)]
    assert yard.aws.ecs.tasks == []
    under_way = threading.Condition()
    numbers = [0]

    def wait_for_another(**_: object) -> None:
        with under_way:
            numbers.append(numbers[-1] + 1)
            under_way.notify_all()
            assert under_way.wait_for(lambda: max(numbers) > 1, timeout=30), "it came alone"

    def leave(**_: object) -> None:
        with under_way:
            numbers.append(numbers[-1] - 1)

    hooks = yard.system.clients.get("ecs").meta.events
    hooks.register("before-call.ecs.RunTask", wait_for_another)
    hooks.register("after-call.ecs.RunTask", leave)
    try:
        yard.sweep(minutes=1)
    finally:
        hooks.unregister("before-call.ecs.RunTask", wait_for_another)
        hooks.unregister("after-call.ecs.RunTask", leave)
    assert 1 < max(numbers) <= sweep.LAUNCHERS
    assert sorted(str(task.started_by).split("/")[1] for task in yard.aws.ecs.tasks) == made
    assert yard.counts(job) == {"pending": 20, "total": 20}
    yard.sweep(minutes=1)
    assert len(yard.aws.ecs.tasks) == 20
