"""Every terminal run is announced at least once, and announcing never delays anything."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.tables.run_records import Run
from tests.reliability import invariants
from tests.reliability.wire import Death, Failing, die, refused, throttled
from tests.reliability.world import World


def at_the_bus(fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if name == "events.PutEvents" else None


def finished(world: World, **spec: Any) -> Run:
    """A run whose container has ended, and whose event is about to arrive."""
    run = world.yard.trigger(world.job(**({"name": "a"} | spec)))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    return world.yard.stored(run)


def arrive(world: World) -> None:
    world.deliver(world.yard.take_events())


def test_a_terminal_run_is_announced_with_all_that_the_api_shows(world: World) -> None:
    """The event has source, detail type, bus and task, and the run as its detail."""
    world.fresh(bus=True)
    sent: list[dict[str, Any]] = []
    world.wire.made = lambda name, params: (
        sent.append(json.loads(params["body"])["Entries"][0])
        if name == "events.PutEvents"
        else None
    )
    run = finished(world)
    arrive(world)
    (entry,) = sent
    assert (entry["Source"], entry["DetailType"]) == ("jobyard", "Run State Change")
    assert (entry["EventBusName"], entry["Resources"]) == ("notices", [run.task_arn])
    shown = world.yard.run({"id": run.run_id, "job_id": run.job_id})
    told = json.loads(entry["Detail"])
    assert told == {"workspace_id": "acme", "project_id": "etl", **shown}


def test_nothing_is_announced_where_no_bus_is_named(world: World) -> None:
    """Announcing is off by default."""
    world.fresh()
    finished(world)
    with world.wire.failing() as wire:
        arrive(world)
    assert "events.PutEvents" not in wire.names
    assert world.announced == []


@pytest.mark.parametrize("moment", ["asking", "answered"])
def test_dying_at_the_bus_announces_again(world: World, moment: str) -> None:
    """The event is sent at least once: twice if the bus had already taken it."""
    world.fresh(bus=True)
    run = finished(world)
    with pytest.raises(Death), world.wire.failing(**{moment: at_the_bus(die)}):
        arrive(world)
    invariants.hold_in_the_end(world)
    again = [(run.run_id, "succeeded")] * (1 if moment == "asking" else 2)
    assert world.announced == again


@pytest.mark.parametrize(
    "fail",
    [
        lambda _, name: throttled(name),
        lambda _, name: refused(name, "ResourceNotFoundException", "Event bus does not exist", 400),
        lambda _, name: refused(name, "AccessDeniedException", "No.", 400),
    ],
    ids=["throttled", "gone", "denied"],
)
def test_a_bus_that_is_down_delays_no_run(world: World, fail: Failing) -> None:
    """The run's status is stored and shown, and a retry starts; the event is sent later."""
    world.fresh(bus=True)
    job = world.job(name="a", max_retries=1)
    run, other = world.yard.trigger(job), world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.ecs.stop(world.yard.task_of(other), exit_code=1)
    with world.wire.failing(asking=at_the_bus(fail)):
        arrive(world)
        assert world.yard.run(run)["status"] == "succeeded"
        for _ in range(5):
            world.clock.move(minutes=1)
            world.sweep()
        assert world.yard.run(other)["attempt"] == 2
        assert len(world.made) == 3
    assert world.announced == []
    invariants.hold_in_the_end(world)
    assert (run["id"], "succeeded") in world.announced


def test_an_entry_that_the_bus_did_not_take_is_sent_again(world: World) -> None:
    """PutEvents reports it as FailedEntryCount in an answer of 200."""
    world.fresh(bus=True)
    finished(world)
    events = world.on.clients.get("events")

    def fail_entry(parsed: dict[str, Any], **_: Any) -> None:
        parsed["FailedEntryCount"] = 1
        parsed["Entries"] = [{"ErrorCode": "InternalFailure"}]

    events.meta.events.register("after-call.events.PutEvents", fail_entry)
    try:
        arrive(world)
    finally:
        events.meta.events.unregister("after-call.events.PutEvents", fail_entry)
    (run,) = world.runs()
    assert (run.announce, run.look_at) == (True, world.clock() + timedelta(minutes=1))
    invariants.hold_in_the_end(world)
    assert len(world.announced) == 2


def test_unsent_events_are_tried_at_growing_intervals_while_the_bus_is_down(world: World) -> None:
    """Unsent events thus leave the sweep time for launches and time-outs."""
    world.fresh(bus=True)
    finished(world)
    with world.wire.failing(asking=at_the_bus(lambda _, name: throttled(name))) as wire:
        arrive(world)
        for _ in range(120):
            world.clock.move(minutes=1)
            if world.is_due():
                world.sweep()
        tried = wire.names.count("events.PutEvents")
    assert 5 <= tried <= 10


def test_a_run_does_not_expire_before_its_event_is_out(world: World) -> None:
    """Retention is set when the event was sent, and counts from the end of the run."""
    world.fresh(bus=True)
    world.set_up(event_bus=world.on.settings.event_bus, run_retention_days=3)
    world.job(name="b", schedule="0 13 * * *", concurrency_policy="forbid")
    (scheduled,) = world.jobs()
    finished(world)
    with world.wire.failing(asking=at_the_bus(lambda _, name: throttled(name))):
        arrive(world)
        world.yard.trigger({"id": scheduled.job_id})
        world.clock.move(hours=1)
        world.yard.fire({"id": scheduled.job_id})
        over = [run for run in world.runs() if run.is_terminal]
        assert {run.status for run in over} == {"succeeded", "cancelled"}
        assert [(run.announce, run.expires) for run in over] == [(True, None)] * 2
    world.clock.move(minutes=90)
    world.sweep()
    for run in world.runs():
        if run.finished_at is not None:
            three_days_on = (run.finished_at + timedelta(days=3)).replace(microsecond=0)
            assert (run.announce, run.expires) == (None, three_days_on)


def test_removing_the_bus_from_the_settings_delays_no_run(world: World) -> None:
    """Runs with an unsent event need no more work, and their job can be deleted."""
    world.fresh(bus=True)
    run = finished(world)
    with world.wire.failing(asking=at_the_bus(lambda _, name: throttled(name))):
        arrive(world)
    world.announcing(None)
    world.clock.move(minutes=2)
    world.sweep()
    (stored,) = world.runs()
    assert (stored.announce, stored.look_at) == (None, None)
    world.yard.call("DELETE", f"/jobs/{run.job_id}")
    invariants.hold_in_the_end(world)
    assert world.jobs() == []


def test_a_delete_waits_for_the_events_of_its_runs(world: World) -> None:
    """Once the runs are deleted, nothing could send their events."""
    world.fresh(bus=True)
    run = finished(world)
    with world.wire.failing(asking=at_the_bus(lambda _, name: throttled(name))):
        arrive(world)
        assert world.yard.call("DELETE", f"/jobs/{run.job_id}").status == 200
        world.clock.move(minutes=3)
        world.sweep()
        assert [each.run_id for each in world.runs()] == [run.run_id]
    invariants.hold_in_the_end(world)
    assert world.runs() == []
    assert world.announced == [(run.run_id, "succeeded")]
