"""People are told when a job begins to fail, when it recovers, and which slots were missed."""

from __future__ import annotations

from typing import Any

import pytest
from pynamodb.attributes import JSONAttribute

from chalicelib.tables.records import Job
from tests.reliability import invariants
from tests.reliability.operations.operation import just_before
from tests.reliability.wire import Death, Failing, die, throttled
from tests.reliability.world import World


def at_the_bus(fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if name == "events.PutEvents" else None


def kinds(world: World) -> list[str]:
    return [detail["kind"] for detail in world.notified]


def ends(world: World, job: dict[str, Any], *codes: int) -> None:
    """Runs of a job end with these exit codes, one after the other."""
    for code in codes:
        world.clock.move(minutes=1)
        world.yard.finish(world.yard.trigger(job), exit_code=code)


@pytest.fixture
def world(world: World) -> World:
    return world.fresh(bus=True)


def test_a_job_is_told_of_once_when_it_fails_and_once_when_it_recovers(world: World) -> None:
    """Further failures and further successes tell nothing."""
    ends(world, world.job(name="a"), 0, 3, 3, 3, 0, 0, 1)
    assert kinds(world) == ["failing", "recovered", "failing"]


def test_a_notification_says_what_happened_and_where_to_look(world: World) -> None:
    """The text is for a person, the rest of the detail for programs."""
    job = world.job(name="nightly")
    ends(world, job, 0, 3, 4, 0)
    failing, recovered = world.notified
    run = world.yard.runs(job)[2]
    assert failing["text"] == (
        f"nightly (acme/etl) is failing: {run['id']} failed at 2026-11-23 12:02 UTC with exit "
        f"code 3, nonzero_exit: {run['error']['message'].rstrip('.')}. {run['error']['hint']} "
        "Last success: 2026-11-23 12:01 UTC."
    )
    assert failing["run"] == {"workspace_id": "acme", "project_id": "etl", **run}
    assert failing["console_path"] == f"#/acme/etl/jobs/{job['id']}/runs/{run['id']}"
    assert (failing["failures"], failing["failing_since"]) == (1, run["finished_at"])
    assert recovered["text"].endswith("It had failed 2 times in a row since 2026-11-23 12:02 UTC.")
    assert (recovered["failures"], recovered["failing_since"]) == (2, run["finished_at"])
    assert {detail["stage"] for detail in world.notified} == {world.on.settings.stage}


def test_every_failure_is_told_to_those_who_ask_for_it(world: World) -> None:
    """The first one is `failing` for those who also ask for that."""
    ends(world, world.job(name="a", notify=["every_failure"]), 3, 3, 0)
    ends(world, world.job(name="b", notify=["failing", "every_failure"]), 3, 3, 0)
    assert kinds(world) == ["every_failure", "every_failure", "failing", "every_failure"]
    assert "has failed, 2 times in a row since" in world.notified[1]["text"]


def test_a_job_that_wants_to_tell_nothing_tells_nothing(world: World) -> None:
    """Its runs are announced all the same."""
    ends(world, world.job(name="a", notify=[]), 3, 0)
    assert (kinds(world), len(world.announced)) == ([], 2)


def test_a_change_of_notify_counts_for_the_next_end(world: World) -> None:
    """Also for that of a run that was in flight already: who mutes a job is not told any more."""
    job = world.job(name="a")
    run = world.yard.trigger(job)
    world.yard.call("PATCH", f"/jobs/{job['id']}", {"notify": []})
    world.yard.finish(run, exit_code=1)
    assert kinds(world) == []


def test_a_job_stored_before_there_was_notify_has_the_default(world: World) -> None:
    """And is told of like any other."""
    job = world.job(name="a")
    stored = world.yard.stored_job(job)
    spec = {name: value for name, value in stored.spec.items() if name != "notify"}
    attribute: JSONAttribute = Job.spec
    assert world.on.database.update(stored, [attribute.set(spec)])
    assert world.yard.call("GET", f"/jobs/{job['id']}").data == job
    ends(world, job, 3, 0)
    assert kinds(world) == ["failing", "recovered"]


def test_a_cancelled_or_skipped_run_neither_ends_nor_begins_a_streak(world: World) -> None:
    """Nor is it told of."""
    job = world.job(name="a")
    ends(world, job, 3)
    run = world.yard.trigger(job)
    world.yard.call("POST", f"/jobs/{job['id']}/runs/{run['id']}/cancel")
    ends(world, job, 3, 0)
    assert kinds(world) == ["failing", "recovered"]


def test_of_two_runs_that_fail_at_once_one_is_the_first(world: World) -> None:
    """Whichever is announced first: here both are only told of after both were counted."""
    job = world.job(name="a")
    for run in [world.yard.trigger(job) for _ in range(2)]:
        world.ecs.stop(world.yard.task_of(run), exit_code=3)
    with world.wire.failing(asking=at_the_bus(lambda _, name: throttled(name))):
        world.deliver(world.yard.take_events())
    assert kinds(world) == []
    invariants.hold_in_the_end(world)
    assert kinds(world) == ["failing"]


@pytest.mark.parametrize(
    ("first", "code", "meanwhile", "expected"),
    [
        (3, 3, 0, ["failing", "recovered", "failing"]),
        (3, 0, 0, ["failing", "recovered"]),
        (0, 3, 3, ["failing"]),
        (0, 0, 3, ["failing", "recovered"]),
    ],
)
def test_a_run_that_is_counted_between_the_two_tries_of_another_is_noticed(
    world: World, first: int, code: int, meanwhile: int, expected: list[str]
) -> None:
    """What was not so at the first try may not be so at the second either: then it starts anew."""
    job = world.job(name="a")
    ends(world, job, first)
    runs = [world.yard.trigger(job) for _ in range(2)]
    events = []
    for run, exit_code in zip(runs, (code, meanwhile), strict=True):
        world.ecs.stop(world.yard.task_of(run), exit_code=exit_code)
        events.append(world.yard.take_events()[-1])
    event, other = events
    twice = "dynamodb.TransactWriteItems"
    between = lambda: just_before(world, twice, lambda: world.deliver([other]))  # noqa: E731
    just_before(world, twice, between if first else lambda: world.deliver([other]))
    world.deliver([event])
    invariants.hold_in_the_end(world)
    assert sorted(kinds(world)) == sorted(expected)


def test_a_recovery_that_could_not_be_told_at_once_is_told_later(world: World) -> None:
    """Also where the job has succeeded again meanwhile, or fails again."""
    job = world.job(name="a")
    ends(world, job, 3)
    with world.wire.failing(asking=at_the_bus(lambda _, name: throttled(name))):
        ends(world, job, 0, 0, 3)
    invariants.hold_in_the_end(world)
    assert sorted(kinds(world)) == ["failing", "failing", "recovered"]


@pytest.mark.parametrize("moment", ["asking", "answered"])
def test_dying_at_the_bus_tells_again(world: World, moment: str) -> None:
    """At least once: twice if the bus had taken it already, and then the same."""
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=3)
    with pytest.raises(Death), world.wire.failing(**{moment: at_the_bus(die)}):
        world.deliver(world.yard.take_events())
    invariants.hold_in_the_end(world)
    assert kinds(world) == ["failing"] * (1 if moment == "asking" else 2)
    assert all(detail["run"]["id"] == run["id"] for detail in world.notified)


def test_slots_that_were_missed_together_are_told_of_together(world: World) -> None:
    """An outage of a night is one message and not a hundred."""
    job = world.job(name="a", schedule="*/5 * * * *")
    world.clock.move(hours=12)
    world.yard.fire(job)
    (missed,) = world.notified
    assert (missed["kind"], missed["missed_slots"]) == ("missed", 143)
    assert missed["console_path"] == f"#/acme/etl/jobs/{job['id']}"
    assert "a (acme/etl) missed 143 slots, " in missed["text"]
    assert missed["text"].endswith("It never succeeded.")
    assert [entry[1] for entry in world.announced] == ["cancelled"] * 99
    assert {run.notice is None for run in world.runs()} == {True}


def test_nothing_is_noted_where_there_is_no_bus(world: World) -> None:
    """And the transaction that counts a run has no further condition: there is one of it."""
    world.announcing(None)
    job = world.job(name="a")
    run = world.yard.trigger(job)
    ends(world, job, 3)
    world.ecs.stop(world.yard.task_of(run), exit_code=3)
    event = world.yard.take_events()[-1]
    with world.wire.failing() as wire:
        world.deliver([event])
    assert wire.names == ["dynamodb.GetItem", "dynamodb.TransactWriteItems"]
    assert (kinds(world), {run.notice for run in world.runs()}) == ([], {None})
