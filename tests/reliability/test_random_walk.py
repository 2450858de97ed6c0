"""
Random walks: operations, events, time and failures in any order, compared with a small model.

The model has what Jobyard has promised so far: what was answered with a success. This and the
invariants must hold after each quiet period, whatever happened before.

  JOBYARD_WALKS=2000 JOBYARD_WALK_STEPS=60 pytest tests/reliability/test_random_walk.py
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from infra.local.fidelity.run_task import EcsError
from infra.local.fidelity.tasks import Task
from tests.reliability import copies, invariants
from tests.reliability.walk_client import Client, Promises
from tests.reliability.walk_faults import ENDS, FAULTS, NONE, REFUSALS, Fault, pick
from tests.reliability.walk_specs import KEYS, PATCHES, SPECS
from tests.reliability.world import World

WALKS = int(os.environ.get("JOBYARD_WALKS", "200"))
PARTS = 4  # so that several processes walk at once
STEPS = int(os.environ.get("JOBYARD_WALK_STEPS", "30"))


class Walk(Client, RuleBasedStateMachine):
    """
    One walk: STEPS of the rules below, in an order that hypothesis chooses.

    There are few rules and each draws what it does, because hypothesis leaves out some rules in
    each walk. So every walk has requests and time, and most walks have everything.
    """

    lengths: list[int]
    """The number of steps of each walk so far."""

    @initialize(bus=pick(True, False), specs=st.lists(SPECS, min_size=1, max_size=3))
    def begin(self, bus: bool, specs: list[dict[str, Any]]) -> None:
        self.world.fresh(bus=bus)
        self.world.exits = lambda task: None
        self.promised = Promises()
        self.told: list[dict[str, Any]] = []
        """Events that were delivered: they may come again."""
        self.overlaps: list[str] = []
        self.swept_at = self.world.clock()
        self.world.ecs.on_run.append(self._made)
        for spec in specs:
            self.create(NONE, spec, None)

    def _made(self, task: Task) -> None:
        """Invariant 2, checked when a task is made: attempts and launches never overlap."""
        run = (task.started_by or "").rsplit("/", 1)[0]
        alive = [
            other.started_by
            for other in self.world.ecs.store.values()
            if other is not task
            and other.last_status != "STOPPED"
            and (other.started_by or "").rsplit("/", 1)[0] == run
        ]
        if alive:
            # Jobyard's own `except` would catch an error that is raised here.
            self.overlaps.append(f"{task.started_by} was begun beside {alive}")

    # --- the API ----------------------------------------------------------------------------

    @rule(
        data=st.data(),
        what=pick(
            "create", "update", "delete", *["trigger"] * 4, "cancel", "cancel", "get", "read"
        ),
        fault=FAULTS,
    )
    def a_request(self, data: st.DataObject, what: str, fault: Fault) -> None:
        """A client's request, based on the answers that it got so far."""
        jobs, runs = list(self.promised.jobs), list(self.promised.runs)
        if what == "create" or not jobs:
            self.create(fault, data.draw(SPECS), data.draw(KEYS))
        elif what in ("trigger", "update", "delete", "read") or not runs:
            job = data.draw(pick(*jobs), label="job")
            if what == "update":
                self.update(fault, job, data.draw(PATCHES), self._version(data, job))
            elif what == "delete":
                self.delete(fault, job, self._version(data, job))
            elif what == "read":
                self.read(fault, f"/jobs/{job}/{data.draw(pick('status', 'runs'))}")
            else:
                self.trigger(fault, job, data.draw(KEYS))
        else:
            run = data.draw(pick(*runs[-6:]), label="run")
            path = f"/jobs/{self.promised.runs[run]}/runs/{run}"
            if what == "cancel":
                self.cancel(fault, run, path)
            else:
                self.read(fault, path)

    # --- AWS --------------------------------------------------------------------------------

    @rule(data=st.data(), moves=st.lists(pick(*ENDS), min_size=1, max_size=3))
    def tasks_move(self, data: st.DataObject, moves: list[str]) -> None:
        for what in moves:
            alive = [task for task in self.world.ecs.tasks if task.last_status != "STOPPED"]
            if not alive:
                return
            task = data.draw(pick(*alive), label="task")
            if task.last_status == "RUNNING" and what in ("pull timeout", "no such image"):
                what = "exit 1"  # such a task has already started
            ENDS[what](self.world, task)

    @rule(data=st.data(), what=pick("one", "one", "one", "all", "lost"), fault=FAULTS)
    def events(self, data: st.DataObject, what: str, fault: Fault) -> None:
        """One event arrives, in any order or again; or all arrive; or all are lost."""
        waiting = self.world.yard.events
        if what == "lost":
            waiting.clear()
        elif what == "all":
            self.told += waiting
            self._under(NONE, lambda: self.world.deliver(self.world.yard.take_events()))
        elif known := [*waiting, *self.told[-6:]]:
            event = known[data.draw(pick(*range(len(known))), label="event")]
            if event in waiting:
                waiting.remove(event)
                self.told.append(event)
            self._under(fault, lambda: self.world.deliver([event]))

    @rule(data=st.data(), late=pick(0, 0, 1, 5, 30), fault=FAULTS)
    def a_rule_fires(self, data: st.DataObject, late: int, fault: Fault) -> None:
        """A rule fires for this minute or for an earlier one, also for a job that was deleted."""
        job = data.draw(pick(*sorted(self.world.schedules)), label="job")
        slot = self.world.clock().replace(second=0) - timedelta(minutes=late)
        self._under(fault, lambda: self.world.yard.fire({"id": job}, slot))

    @rule(
        what=pick(
            *range(len(REFUSALS)),
            *["StopTask", "DescribeTasks", "ListTasks"],
            *[timedelta(0), timedelta(seconds=30), timedelta(minutes=2)],
        ),
        times=pick(1, 3),
    )
    def ecs_will_refuse(self, what: int | str | timedelta, times: int) -> None:
        """ECS will refuse launches or another operation, or show new tasks only after some time."""
        if isinstance(what, timedelta):
            self.world.ecs.visible_after = what
        elif isinstance(what, str):
            error = EcsError("ThrottlingException", "Rate exceeded")
            self.world.ecs.refuse_next(error, operation=what, times=times)
        else:
            self.world.ecs.refuse_next(REFUSALS[what](), times=times)

    # --- time -------------------------------------------------------------------------------

    @rule(
        seconds=pick(5, 30, 60, 90, 300, 900),
        then=pick("sweep", "sweep", "sweep", "audit", "nothing"),
        fault=FAULTS,
    )
    def time_passes(self, seconds: int, then: str, fault: Fault) -> None:
        """
        There is a sweep at least every half hour, since the promises do not cover longer outages.
        """
        world = self.world
        world.clock.move(seconds=seconds)
        if world.clock() - self.swept_at > timedelta(minutes=30):
            then, fault = "sweep", NONE
        if then == "sweep":
            self._under(fault, world.sweep)
            self.swept_at = world.clock() if fault.kind == "none" else self.swept_at
        elif then == "audit":
            self._under(fault, world.audit)

    @precondition(lambda self: self.since_quiet >= 8)
    @rule()
    def quiet(self) -> None:
        self.look_at_everything(invariants.hold_at_rest)

    def look_at_everything(self, hold: Callable[[World], None]) -> None:
        """Check everything after a time without failures in which tasks end and events arrive."""
        world = self.world
        world.ecs.refusals.clear()
        world.ecs.visible_after = timedelta(0)
        world.exits = lambda task: 0
        hold(world)
        world.exits = lambda task: None
        self.swept_at = world.clock()
        self.since_quiet = 0
        assert not self.overlaps
        self._promises_hold()

    def _promises_hold(self) -> None:
        promised = self.promised
        jobs = {job.job_id: job for job in self.world.jobs()}
        runs = {run.run_id: run for run in self.world.runs()}
        for job_id, name in promised.jobs.items():
            if job_id in jobs:
                assert jobs[job_id].name == name or job_id in promised.renamed
            else:
                assert job_id in promised.doubtful, f"{job_id} is gone"
        for run_id, job_id in promised.runs.items():
            assert run_id in runs or job_id not in jobs, f"{run_id} is gone"
        for run_id in promised.cancelled & set(runs):
            assert runs[run_id].stop_reason == "cancelled_by_user"
        for job in jobs.values():
            shown = self.world.yard.status({"id": job.job_id})
            assert shown["run_counts"]["pending"] == shown["run_counts"]["running"] == 0

    since_quiet = 0
    steps = -1
    """The number of steps so far, without `begin`."""

    @invariant()
    def live_is_what_is_not_over(self) -> None:
        """3. Every run that is not over is live, and every live run is looked at again."""
        self.since_quiet += 1
        self.steps += 1
        assert not self.overlaps
        for run in self.world.runs():
            assert run.is_terminal or run.live, f"{run.run_id} is {run.status} and not live"
            assert run.live is None or run.look_at, f"{run.run_id} is live and never looked at"
        assert not list(copies.fit(self.world))

    def teardown(self) -> None:
        with contextlib.ExitStack() as last:
            last.callback(self._forget_hooks)
            if hasattr(self, "promised"):
                self.look_at_everything(invariants.hold_in_the_end)
                self.lengths.append(self.steps)

    def _forget_hooks(self) -> None:
        if hasattr(self, "promised"):
            self.world.ecs.on_run.remove(self._made)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_random_walk_breaks_an_invariant(world: World, part: int) -> None:
    """WALKS walks of STEPS steps, the same ones each time unless their number is changed."""
    do_walks(world, Walk, part)


def do_walks(world: World, kind: type[Walk], part: int) -> None:
    """One of PARTS parts of the walks of a kind."""
    lengths: list[int] = []
    walk = seed(part)(type("Walk", (kind,), {"world": world, "lengths": lengths}))
    walks = -(-WALKS // PARTS)
    run_state_machine_as_test(
        walk,
        settings=settings(
            max_examples=walks,
            stateful_step_count=STEPS + 1,  # `begin` counts as one
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
        _min_steps=STEPS,  # otherwise nearly half of the walks end early
    )
    assert sum(length >= STEPS for length in lengths) >= walks
