"""How attempts end: retries, time-outs, and tasks that ECS no longer knows."""

from __future__ import annotations

from tests.yard import Yard


def test_a_failed_attempt_is_retried_after_its_backoff(yard: Yard) -> None:
    """The run stays running and shows when the retry comes; each attempt has its own task."""
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
    """After the last attempt the run is failed."""
    job = yard.create(max_retries=1)
    run = yard.trigger(job)
    yard.finish(run, exit_code=1)
    yard.sweep(minutes=1)
    yard.finish(run, exit_code=2)
    failed = yard.run(run)
    assert (failed["status"], failed["exit_code"]) == ("failed", 2)
    assert yard.status(job)["consecutive_failures"] == 1


def test_an_attempt_that_runs_too_long_is_stopped(yard: Yard) -> None:
    """The sweep stops it, and the error is `timed_out` whatever the exit code."""
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


def test_a_task_that_ecs_forgot_is_lost_only_in_the_end(yard: Yard) -> None:
    """The run is lost after two MISSING ten minutes apart, an hour after the task was last seen."""
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
