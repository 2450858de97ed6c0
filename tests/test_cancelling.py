"""Cancelling a run in each of its states."""

from __future__ import annotations

from tests.yard import Yard


def test_a_running_run_is_cancelled_at_once_and_told_its_exit_code_later(yard: Yard) -> None:
    """The run is terminal when the answer is sent; the container stops later."""
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
    """The run has no task, so it is over at once."""
    job = yard.create(max_retries=1)
    run = yard.trigger(job)
    yard.finish(run, exit_code=1)
    assert yard.call("DELETE", f"/jobs/{job['id']}/runs/{run['id']}").status == 200
    yard.sweep(minutes=10)
    assert len(yard.aws.ecs.tasks) == 1
    assert yard.run(run)["status"] == "cancelled"


def test_a_task_does_not_outlive_a_cancel_that_came_before_it_was_known(yard: Yard) -> None:
    """RunTask made a task, but its answer was lost: the sweep finds the task and stops it."""
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
