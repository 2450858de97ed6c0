"""Quotas of a workspace: no race lets more through, and no failure leaves anything counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.reliability import copies, invariants
from tests.reliability.cases import at_every_call
from tests.reliability.intruders import Intruder, Meeting
from tests.reliability.operations.operation import fire_when_due
from tests.reliability.operations.quotas import within
from tests.reliability.storm import run_storm, runs_by_slot, slots_due, tasks_by_run
from tests.reliability.test_random_walk import Walk, do_walks
from tests.reliability.walk_faults import pick
from tests.reliability.walk_specs import SPECS
from tests.reliability.world import World
from tests.yard import BASE, IMAGE, WORKSPACE

Act = Callable[[], Any]


def meet(
    world: World, prepare: Callable[[], Act], intruder: Intruder, hold: Callable[[], None]
) -> None:
    """The intruder acts before each call of an act in turn; `hold` after each, and at rest."""

    def once(number: int) -> str | None:
        world.fresh()
        act = prepare()
        world.observe()
        meeting = Meeting(world, intruder, number)
        with world.wire.failing(asking=meeting):
            act()
        meeting.check()
        if meeting.met is None:
            intruder(world)
        world.observe()
        hold()
        assert not list(copies.fit(world))
        return meeting.met

    at_every_call(once, lambda: invariants.hold_at_rest(world))


def started(world: World) -> list[str]:
    return [run.run_id for run in world.runs() if run.live]


@pytest.mark.parametrize("other", ["the same job", "another project", "a fire"])
def test_of_two_claims_at_the_last_place_exactly_one_wins(world: World, other: str) -> None:
    """Two triggers of a job, of jobs of two projects, and a trigger and a slot."""
    elsewhere = f"/workspaces/{WORKSPACE}/projects/elsewhere"
    answers: list[int] = []
    paths: list[tuple[str, str]] = []
    fires: list[Act] = []

    def prepare() -> Act:
        answers.clear()
        within(world, max_runs_in_flight=2)
        job, fire = fire_when_due(world)
        mine = f"/jobs/{job['id']}/runs"
        world.yard.trigger(job)
        there = world.yard.call("POST", "/jobs", {"name": "b", "image": IMAGE}, base=elsewhere)
        theirs = (f"/jobs/{there.data['id']}/runs", elsewhere)
        paths[:] = [theirs if other == "another project" else (mine, BASE)]
        fires[:] = [fire]
        return lambda: answers.append(world.yard.call("POST", mine).status)

    def intrude(world: World) -> None:
        if other == "a fire":
            fires[0]()
            return
        ((path, base),) = paths
        answers.append(world.yard.call("POST", path, base=base).status)

    def hold() -> None:
        assert len(started(world)) == 2
        if other == "a fire":
            (slot,) = [run for run in world.runs() if run.scheduled_for is not None]
            won = (slot.error or {}).get("code") != "skipped_quota"
            assert answers == [409 if won else 201]
        else:
            assert sorted(answers) == [201, 409]

    meet(world, prepare, intrude, hold)


def test_of_two_jobs_at_the_last_place_exactly_one_is_created(world: World) -> None:
    answers: list[int] = []

    def create(name: str) -> None:
        body = {"name": name, "image": IMAGE}
        answers.append(world.yard.call("POST", "/jobs", body).status)

    def prepare() -> Act:
        answers.clear()
        within(world, max_jobs=2)
        create("a")
        return lambda: create("b")

    def hold() -> None:
        assert sorted(answers) == [201, 201, 409]
        assert len(world.jobs()) == 2

    meet(world, prepare, lambda _: create("c"), hold)


def test_an_audit_beside_claims_and_ends_leaves_the_numbers_right(world: World) -> None:
    """At each of its calls a job is created, one deleted, a run claimed, and another one ends."""

    def prepare() -> Act:
        job, gone = world.job(name="a"), world.job(name="b")
        world.yard.trigger(job)
        within(world, max_runs_in_flight=9, max_jobs=9)
        world.yard.trigger(gone)
        world.miscount(7)
        return world.audit

    def intrude(world: World) -> None:
        for job in world.jobs()[:2]:
            if job.name == "b":
                world.yard.call("DELETE", f"/jobs/{job.job_id}")
            else:
                world.yard.trigger({"id": job.job_id})
        world.job(name="c")
        for task in world.ecs.tasks[:1]:
            world.ecs.stop(task.arn, exit_code=0)
        world.deliver(world.yard.take_events())

    def audited_again() -> None:
        world.clock.move(minutes=62)
        world.audit()

    meet(world, prepare, intrude, audited_again)


def test_people_are_told_of_a_slot_that_the_quota_skips(world: World) -> None:
    """As of a slot that was missed, with the reason."""
    world.fresh(bus=True)
    within(world, max_runs_in_flight=1)
    job, fire = fire_when_due(world)
    world.yard.trigger(job)
    fire()
    (told,) = world.notified
    assert told["kind"] == "missed"
    assert "missed its slot of 2026-11-23 13:00 UTC: the quota of the workspace" in told["text"]


@pytest.mark.usefixtures("all_partitions")
def test_a_storm_lets_exactly_as_many_through_as_the_quota(world: World) -> None:
    """
    Functions claim side by side, and their transactions conflict over the workspace's number. (The
    jobs of a storm have no counts, so a slot that is skipped leaves no record here.)
    """
    world.fresh()
    jobs = slots_due(world, {"many": 70, "some": 30})
    within(world, max_runs_in_flight=60)
    outcome = run_storm(world, jobs, waiting=60 - 100)
    assert outcome.calls["conflicts"] > 0
    assert set(runs_by_slot(world).values()) == {1}
    assert len(world.runs()) == 60
    assert set(tasks_by_run(world).values()) == {1}
    assert not list(copies.fit(world))


class QuotaWalk(Walk):
    """A walk in which the operator sets, changes and removes quotas."""

    @initialize(
        bus=pick(True, False),
        specs=st.lists(SPECS, min_size=1, max_size=3),
        runs=pick(0, 1, 2, 3),
        jobs=pick(0, 2, 3),
    )
    def begin(self, bus: bool, specs: list[dict[str, Any]], runs: int, jobs: int) -> None:
        super().begin(bus, specs)
        within(self.world, max_runs_in_flight=runs, max_jobs=jobs)

    @rule(runs=pick(0, 1, 2, 4), jobs=pick(0, 2, 4))
    def a_deployment(self, runs: int, jobs: int) -> None:
        within(self.world, max_runs_in_flight=runs, max_jobs=jobs)


def test_no_random_walk_with_quotas_breaks_an_invariant(world: World) -> None:
    """What workspaces use is what carries the mark after every step, and none of it in the end."""
    do_walks(world, QuotaWalk, part=0)
