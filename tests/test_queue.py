"""`queue`, and `max_concurrent_runs` of every policy that has one."""

from __future__ import annotations

from typing import Any

from infra.local.fidelity.operations import Failure
from tests.yard import Yard


def started(yard: Yard) -> list[str]:
    """The runs that have had a task, in the order of the tasks."""
    return [str(task.started_by).split("/")[1] for task in yard.aws.ecs.tasks]


def ids(*runs: dict[str, Any]) -> list[str]:
    return [run["id"] for run in runs]


def test_runs_start_one_after_the_other_in_the_order_of_their_claims(yard: Yard) -> None:
    """Triggers and a slot; each says what it waits for, and starts after the one before."""
    job = yard.create(schedule="*/5 * * * *", concurrency_policy="queue")
    first, second = yard.trigger(job), yard.trigger(job)
    yard.clock.move(minutes=5)
    yard.fire(job)
    slot = yard.runs(job, trigger="schedule")[0]
    yard.clock.move(seconds=1)
    last = yard.trigger(job)
    assert started(yard) == ids(first)
    assert first["waits_for"] is None
    assert yard.run(second)["waits_for"] == ids(first)
    assert slot["waits_for"] == sorted(ids(first, second))
    order = [first, second, slot, last]
    for number, run in enumerate(order, 1):
        assert started(yard) == ids(*order[:number])
        assert yard.run(run)["waits_for"] is None
        yard.finish(run, exit_code=number % 2)  # how it ends makes no difference
    assert yard.counts(job) == {"succeeded": 2, "failed": 2, "total": 4}


def test_a_run_that_waits_for_its_retry_keeps_its_place(yard: Yard) -> None:
    job = yard.create(concurrency_policy="queue", max_retries=1)
    first, second = yard.trigger(job), yard.trigger(job)
    yard.finish(first, exit_code=1)
    assert started(yard) == ids(first)
    yard.sweep(minutes=2)
    assert started(yard) == ids(first, first)
    yard.finish(first)
    assert started(yard) == ids(first, first, second)


def test_as_many_run_at_once_as_the_job_says(yard: Yard) -> None:
    job = yard.create(concurrency_policy="queue", max_concurrent_runs=2)
    runs = [yard.trigger(job) for _ in range(4)]
    assert started(yard) == ids(*runs[:2])
    yard.finish(runs[1])
    assert started(yard) == ids(*runs[:3])
    yard.finish(runs[0])
    assert started(yard) == ids(*runs)


def test_a_hundred_may_wait(yard: Yard) -> None:
    """The next trigger is refused, and the next slot is skipped and recorded, until one starts."""
    job = yard.create(schedule="*/5 * * * *", concurrency_policy="queue")
    first = yard.trigger(job)
    for _ in range(100):
        yard.trigger(job)
    refused = yard.call("POST", f"/jobs/{job['id']}/runs")
    assert (refused.status, refused.envelope["code"]) == (409, "queue_full")
    yard.clock.move(minutes=5)
    yard.fire(job)
    (slot,) = yard.runs(job, trigger="schedule")
    assert (slot["status"], slot["error"]["code"]) == ("cancelled", "skipped_queue_full")
    assert yard.status(job)["run_counts"]["skipped"] == 1
    assert len(started(yard)) == 1
    yard.finish(first)
    assert yard.trigger(job)["status"] == "pending"
    assert len(started(yard)) == 2


def test_a_cancel_and_a_delete_reach_what_waits(yard: Yard) -> None:
    job = yard.create(concurrency_policy="queue")
    first, second, third = (yard.trigger(job) for _ in range(3))
    yard.call("POST", f"/jobs/{job['id']}/runs/{second['id']}/cancel")
    assert yard.run(second)["finished_at"] is not None
    assert yard.run(second)["waits_for"] is None
    yard.finish(first)
    assert started(yard) == ids(first, third)
    fourth = yard.trigger(job)
    yard.call("DELETE", f"/jobs/{job['id']}")
    yard.aws.ecs.stop(yard.aws.ecs.tasks[-1].arn, exit_code=143)
    yard.deliver()
    yard.sweep(minutes=3)
    assert fourth["id"] not in started(yard)


def test_a_cancelled_run_keeps_its_place_until_its_container_has_ended(yard: Yard) -> None:
    job = yard.create(concurrency_policy="queue")
    first, second = yard.trigger(job), yard.trigger(job)
    arn = yard.task_of(first)
    yard.aws.ecs.start(arn)
    yard.deliver()
    yard.call("POST", f"/jobs/{job['id']}/runs/{first['id']}/cancel")
    yard.sweep(minutes=2)
    assert started(yard) == ids(first)
    yard.aws.ecs.stop(arn, exit_code=143)
    yard.deliver()
    assert started(yard) == ids(first, second)


def test_the_time_in_line_counts_for_no_limit(yard: Yard) -> None:
    """It waits for three days; then there is no capacity at first, and it starts all the same."""
    job = yard.create(concurrency_policy="queue", timeout_seconds=1_209_600)
    first, second = yard.trigger(job), yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(first))
    yard.deliver()
    for _ in range(72):
        yard.sweep(minutes=60)
    assert yard.run(second)["status"] == "pending"
    yard.aws.ecs.refuse_next(Failure("RESOURCE:ENI"), times=1)
    yard.aws.ecs.stop(yard.task_of(first), exit_code=0)
    yard.deliver()
    assert yard.run(second)["status"] == "pending"
    yard.sweep(minutes=2)
    assert started(yard) == ids(first, second)
    yard.finish(second)
    assert yard.run(second)["status"] == "succeeded"


def test_what_waits_keeps_its_place_when_the_policy_changes(yard: Yard) -> None:
    """It goes on under the rule that it was claimed with; new runs go by the new one."""
    job = yard.create(concurrency_policy="queue")
    first, second = yard.trigger(job), yard.trigger(job)
    yard.call("PATCH", f"/jobs/{job['id']}", {"concurrency_policy": "allow"})
    third = yard.trigger(job)
    assert started(yard) == ids(first, third)
    yard.finish(first)
    assert started(yard) == ids(first, third, second)


def test_what_ran_before_the_job_was_a_queue_is_waited_for(yard: Yard) -> None:
    """Its end launches nothing by itself; the sweep does, within two minutes."""
    job = yard.create()
    first = yard.trigger(job)
    yard.call("PATCH", f"/jobs/{job['id']}", {"concurrency_policy": "queue"})
    second = yard.trigger(job)
    assert started(yard) == ids(first)
    yard.finish(first)
    yard.sweep(minutes=2)
    assert started(yard) == ids(first, second)


def test_forbid_skips_a_slot_only_when_so_many_are_in_flight(yard: Yard) -> None:
    job = yard.create(schedule="* * * * *", concurrency_policy="forbid", max_concurrent_runs=2)
    for _ in range(3):
        yard.clock.move(minutes=1)
        yard.fire(job)
    third, second, first = yard.runs(job)
    assert started(yard) == ids(first, second)
    assert third["error"]["code"] == "skipped_overlap"
    assert "2 runs were" in third["error"]["message"]


def test_replace_cancels_the_oldest_so_that_no_more_than_that_many_run(yard: Yard) -> None:
    job = yard.create(schedule="* * * * *", concurrency_policy="replace", max_concurrent_runs=2)
    for _ in range(3):
        yard.clock.move(minutes=1)
        yard.fire(job)
        yard.aws.ecs.start(yard.aws.ecs.tasks[-1].arn)
        yard.deliver()
    third, second, first = yard.runs(job)
    assert [run["status"] for run in (first, second, third)] == ["cancelled", "running", "pending"]
    assert third["waits_for"] == ids(first)
    yard.aws.ecs.stop(yard.task_of(first), exit_code=143)
    yard.deliver()
    assert started(yard) == ids(first, second, third)


def test_replace_lets_a_run_go_on_where_a_cancelled_one_makes_room(yard: Yard) -> None:
    """A run that a user cancelled is stopping: nothing else has to be cancelled for the slot."""
    job = yard.create(schedule="* * * * *", concurrency_policy="replace", max_concurrent_runs=2)
    first = yard.trigger(job)
    yard.clock.move(seconds=1)
    second = yard.trigger(job)
    for run in (first, second):
        yard.aws.ecs.start(yard.task_of(run))
    yard.deliver()
    yard.call("POST", f"/jobs/{job['id']}/runs/{second['id']}/cancel")
    yard.clock.move(minutes=1)
    yard.fire(job)
    assert yard.run(first)["status"] == "running"
    assert yard.runs(job, trigger="schedule")[0]["waits_for"] == ids(second)


def test_what_may_start_at_the_same_time_starts_in_the_order_of_its_claims(yard: Yard) -> None:
    """The first two were claimed before the job was a queue, so their ends launch nothing."""
    job = yard.create()
    first, second = yard.trigger(job), yard.trigger(job)
    changes = {"concurrency_policy": "queue", "max_concurrent_runs": 2}
    yard.call("PATCH", f"/jobs/{job['id']}", changes)
    third, fourth = yard.trigger(job), yard.trigger(job)
    yard.finish(first)
    yard.finish(second)
    assert started(yard) == ids(first, second)
    yard.sweep(minutes=2)
    assert started(yard) == ids(first, second, third, fourth)


def test_a_trigger_starts_at_once_if_what_it_found_in_flight_has_ended_meanwhile(
    yard: Yard,
) -> None:
    """Its end did not see the run, which was not stored yet."""
    job = yard.create(concurrency_policy="queue")
    first = yard.trigger(job)
    ends = [lambda: yard.finish(first)]

    def just_before(**_: Any) -> None:
        if ends:
            ends.pop()()

    events = yard.system.database.client.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", just_before)
    second = yard.trigger(job)
    assert second["waits_for"] == ids(first)
    assert started(yard) == ids(first, second)


def test_the_further_back_a_run_stands_the_later_it_is_looked_at(yard: Yard) -> None:
    """A minute later for each place, and after ten minutes at the latest."""
    job = yard.create(concurrency_policy="queue")
    first = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(first))
    yard.deliver()
    line = [yard.trigger(job) for _ in range(12)]
    yard.sweep(minutes=1)
    looks = [yard.stored(run).look_at for run in line]
    minutes = [(at - yard.clock()).total_seconds() / 60 for at in looks if at]
    assert minutes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]


def test_a_run_in_line_starts_although_many_newer_ones_are_pending(yard: Yard) -> None:
    """The end of the first looks at the newest hundred alone; the sweep looks at each."""
    job = yard.create(concurrency_policy="queue")
    first, second = yard.trigger(job), yard.trigger(job)
    yard.call("PATCH", f"/jobs/{job['id']}", {"concurrency_policy": "allow"})
    newer = [yard.trigger(job) for _ in range(100)]
    yard.finish(first)
    assert started(yard) == ids(first, *newer)
    yard.sweep(minutes=2)
    assert started(yard) == ids(first, *newer, second)


def test_a_job_that_an_older_version_stored_has_room_for_one(yard: Yard) -> None:
    """Its spec has no max_concurrent_runs."""
    job = yard.create(schedule="* * * * *", concurrency_policy="forbid")
    stored = yard.stored_job(job)
    del stored.spec["max_concurrent_runs"]
    yard.system.database.put(stored)
    yard.trigger(job)
    yard.clock.move(minutes=1)
    yard.fire(job)
    assert yard.runs(job, trigger="schedule")[0]["error"]["code"] == "skipped_overlap"
