"""
A small world for the reliability tests: Jobyard, AWS, a Fargate that runs tasks, and time.

It can be emptied in a millisecond, and the tests read everything in it without AWS calls: tables,
tasks, rules, log groups and task definitions.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from botocore import endpoint
from moto.core.exceptions import JsonRESTError

from chalicelib.cloud.bus import NOTIFICATION
from chalicelib.domain import ecs_task, ids
from infra.local.fidelity.tasks import Task
from tests.reliability.contents import Contents
from tests.reliability.virtual_time import VirtualTime, WorldClock
from tests.reliability.wire import Wire
from tests.yard import PROJECT, START, WORKSPACE, Yard, make_yard

PATIENCE = 400
"""The number of minutes in which everything that was begun must end."""

BUS = "notices"


@dataclass(frozen=True)
class ScheduleSeen:
    """A job's schedule from a certain time on."""

    version: int
    spec: dict[str, Any]
    since: datetime
    delays: frozenset[timedelta]
    """How much later than its slots the job started meanwhile: jitter changes no slot."""


class World(Contents):
    """A yard in which time can pass by itself."""

    def __init__(self, yard: Yard, wire: Wire, time: VirtualTime, chance: Random) -> None:
        self.yard = yard
        self.time = time
        self._chance = chance
        self.wire = wire
        self.clock = yard.clock
        self._settings = yard.system.settings
        self.ecs = yard.aws.ecs
        self.ecs.on_run.append(lambda task: self.made.append(task))
        self.fresh()

    def fresh(self, *, bus: bool = False) -> World:
        """Empty the world and set the clock to START; with `bus`, terminal runs are announced."""
        self._chance.seed(0)
        # Else the first ids would follow those of the last world, whose clock began at START too.
        ids.new_job(START - timedelta(seconds=1))
        for table in (self.on.settings.jobs_table, self.on.settings.runs_table):
            self.yard.aws.dynamodb.clear(self._table(table))
        self._definitions.clear()
        self._rules.clear()
        self._groups.clear()
        self.ecs.reset()
        self.ecs.visible_after = timedelta(0)
        self.clock.at = START
        self.room_for_rules()
        self.yard.events.clear()
        self.yard.parts.clear()
        self._take_parts(None)
        self.on.tokens.forget()
        self.made: list[Task] = []
        """Every task that was made."""
        self.strays: set[str] = set()
        """The ARNs of tasks that never had a run."""
        self.exits: Callable[[Task], int | None] = lambda task: 0
        """The exit code of a container that is not stopped; None means that it does not end."""
        self.verdicts: dict[str, str] = {}
        """The first terminal status that was seen of each run."""
        self.schedules: dict[str, list[ScheduleSeen]] = {}
        self.wire.made = self.note
        self.announced: list[tuple[str, str]] = []
        """The run's id and the status in every event that was put on the bus."""
        self.notified: list[dict[str, Any]] = []
        """The detail of every notification that was put on the bus."""
        self.announcing(BUS if bus else None)
        self.yard.call("GET", "/jobs")  # puts the token into the cache
        return self

    def announcing(self, bus: str | None) -> None:
        """Announce terminal runs on this bus from now on, or on none."""
        self.set_up(event_bus=bus, shards=self.on.settings.shards)

    def set_up(self, **changes: Any) -> None:
        """
        Go on with the first settings and these changes.

        Only one launch runs at a time, which affects only the order of threads. A launcher that
        looks once in vain has seen all, since the parts of a sweep run one after the other here.
        """
        self.yard.set_up(replace(self._settings, **changes))
        self.on.launcher.workers = self.on.shard_sweep.workers = self.on.launcher.patience = 1

    def refuse_parts_after(self, number: int) -> None:
        """Lambda takes so many parts of sweeps from now on, and then refuses what is sent."""
        self._take_parts(number)

    def _take_parts(self, most: int | None) -> None:
        taken = 0

        def take(part: dict[str, Any]) -> None:
            nonlocal taken
            if most is not None and taken >= most:
                raise JsonRESTError("TooManyRequestsException", "Rate Exceeded.")
            taken += 1
            self.yard.parts.append(part)

        self.yard.aws.functions.handlers[str(self._settings.sweep_part_function)] = take

    # --- what happens in it -----------------------------------------------------------------

    def job(self, **spec: Any) -> dict[str, Any]:
        """Create a job over HTTP."""
        return self.yard.create(**spec)

    def interrupt(self, arn: str) -> None:
        """AWS takes a task's Spot capacity back while its container runs, which ends with 0."""
        self.ecs.start(arn)
        self.ecs.interrupt(arn)
        self.ecs.stop(arn, exit_code=0)

    def fargate(self) -> None:
        """
        One minute of Fargate: pending tasks start, running ones end, and those to be stopped stop.
        """
        for task in self.ecs.tasks:
            if task.last_status == "STOPPED":
                continue
            if task.desired_status == "STOPPED":
                self.ecs.stop(task.arn, exit_code=143)
            elif task.last_status != "RUNNING":
                self.ecs.start(task.arn)
            elif (code := self.exits(task)) is not None:
                self.ecs.stop(task.arn, exit_code=code)

    def deliver(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.on.lifecycle.apply_task(ecs_task.read_task(event["detail"]))

    def sweep(self) -> None:
        """The sweep, and each part that it hands out, in a function of its own."""
        self.on.sweep.turn()
        self.yard.deliver_parts()

    def hands_out(self) -> None:
        """From now on, until the world is made anew, the sweep does nothing by itself."""
        self.on.sweep.most_jobs = self.on.sweep.most_runs = 0

    def audit(self) -> None:
        self.on.audit.turn()

    def minute(self, *, losing_events: bool = False) -> None:
        """Let a minute pass: Fargate works, its events arrive or are lost, and the sweep runs."""
        self.clock.move(minutes=1)
        self.fargate()
        events = self.yard.take_events()
        if not losing_events:
            self.deliver(events)
        self.observe()
        if self.is_due():
            self.sweep()
            self.observe()

    def pass_time(self, *, losing_events: bool = False) -> None:
        """
        Let minutes pass until nothing changes any more; AssertionError if that does not happen.
        """
        for _ in range(PATIENCE):
            self.minute(losing_events=losing_events)
            if self.is_quiet():
                return
        raise AssertionError(f"still moving after {PATIENCE} minutes: {self.restless()}")

    def is_due(self) -> bool:
        """Whether a sweep has anything to do; otherwise it would only read empty indexes."""
        now = self.clock().strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
        tables = (
            (self.on.settings.jobs_table, "work_at"),
            (self.on.settings.runs_table, "look_at"),
        )
        for table, name in tables:
            for item in self._table(table).all_items():
                if name in item.attrs and item.attrs[name].value <= now:
                    return True
        return False

    def is_quiet(self) -> bool:
        return not self.restless()

    def restless(self) -> list[str]:
        """What still changes, in words; tasks without a run are left to the audit."""
        moving = [
            f"task {task.started_by}"
            for task in self.ecs.tasks
            if task.last_status != "STOPPED" and task.arn not in self.strays
        ]
        for run in self.runs():
            if run.live or run.look_at:
                moving.append(f"run {run.run_id} {run.status} live={run.live} look={run.look_at}")
        for job in self.jobs():
            if job.state != "active" or (job.work_at is not None and job.work_at <= self.clock()):
                moving.append(f"job {job.job_id} {job.state} work={job.work_at}")
        return moving

    def observe(self) -> None:
        """Look at everything, and check that no terminal status changes (invariant 4)."""
        for run in self.runs():
            if run.is_terminal:
                first = self.verdicts.setdefault(run.run_id, run.status)
                assert run.status == first, f"{run.run_id} was {first} and is {run.status}"
        for job in self.jobs():
            seen = self.schedules.setdefault(job.job_id, [])
            delays = frozenset([job.delay])
            if seen and seen[-1].version == job.schedule_version:
                seen[-1] = replace(seen[-1], delays=seen[-1].delays | delays)
                continue
            since = job.updated_at if seen else job.created_at
            seen.append(ScheduleSeen(int(job.schedule_version), job.spec, since, delays))

    def note(self, name: str, params: dict[str, Any]) -> None:
        """Called for every call that is made; records what is announced."""
        if name == "events.PutEvents":
            for entry in json.loads(params["body"])["Entries"]:
                detail = json.loads(entry["Detail"])
                if entry["DetailType"] == NOTIFICATION:
                    self.notified.append(detail)
                else:
                    self.announced.append((detail["id"], detail["status"]))


@contextlib.contextmanager
def make_world(stage: str) -> Iterator[World]:
    """
    A world that is deterministic and cheap, and does not really wait.

    The indexes that the sweep reads have one partition instead of 8, and one launch runs at a
    time. Neither changes what happens: it saves reading empty partitions, and fixes the order of
    the threads.
    """
    time = VirtualTime()
    chance = Random(0)
    with pytest.MonkeyPatch.context() as patch, make_yard(stage, WorldClock(time)) as yard:
        yard.set_up(replace(yard.system.settings, shards=1))
        patch.setattr(endpoint, "time", time)  # botocore waits between attempts
        patch.setattr(os, "urandom", chance.randbytes)  # used by every ULID and UUID
        yard.system.clients.get("events").create_event_bus(Name=BUS)
        with Wire(yard.system) as wire:
            yield World(yard, wire, time, chance)


__all__ = ["BUS", "PATIENCE", "PROJECT", "START", "WORKSPACE", "World", "make_world"]
