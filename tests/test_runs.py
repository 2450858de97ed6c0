"""What happens to a run, from trigger to its end."""

from __future__ import annotations

from tests.yard import Yard


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
