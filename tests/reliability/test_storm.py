"""
A storm: hundreds of jobs due in one minute, through the real handlers, with the fan-out.

    JOBYARD_STORM=5000 make test ARGS=tests/reliability/test_storm.py
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from bench.storm_model import Assumed, model
from chalicelib.engine import due_runs
from chalicelib.settings import SHARDS
from tests.reliability.storm import (
    COLD_START,
    FAULTY_RUN_TASK,
    LATENCY,
    TRANSACTIONS,
    WORKERS,
    run_storm,
    runs_by_slot,
    slots_due,
    tasks_by_run,
    waiting_since,
)
from tests.reliability.world import World

JOBS = int(os.environ.get("JOBYARD_STORM", "200"))
SMALL = {"one": 1, "few": 5, "some": 20}
OLD = 10
"""Runs of the large project that wait since an hour before."""
pytestmark = pytest.mark.usefixtures("all_partitions")


def test_a_storm_starts_every_slot_once_the_oldest_first_and_fair_by_project(
    world: World,
) -> None:
    """
    RunTask and the tables are throttled, a part is lost, and others come twice. Each slot has its
    run, each run its task; what waits since before comes first; the small projects do not wait for
    the large one.
    """
    world.fresh()
    jobs = slots_due(world, {"many": JOBS - sum(SMALL.values()), **SMALL})
    old = waiting_since(world, jobs[0], OLD, minutes=60)
    outcome = run_storm(world, jobs, waiting=OLD, faulty=True)

    assert runs_by_slot(world) == {job.job_id: 1 for job in jobs}
    tasks = tasks_by_run(world)
    assert (set(tasks.values()), len(tasks)) == ({1}, JOBS + OLD)
    assert outcome.parts >= SHARDS
    assert outcome.throttled["RunTask"] > 0

    lost = [at for at in outcome.claimed_at.values() if at >= 59]
    assert 0 < len(lost) < JOBS / 4, "the slots of one shard"
    assert max(lost) < 70, "a part that is lost costs a minute"
    claimed = max(at for at in outcome.claimed_at.values() if at < 59)
    assert claimed < 10 * max(1, JOBS / 1_000)

    many = [run_id for _, project, run_id in outcome.launched if project.endswith("#many")]
    assert set(old) <= set(many[: OLD + 5]), "what waits for an hour comes first"
    refused = {run.run_id for run in world.runs() if run.launch > 1}
    assert len(refused) < JOBS / 4, "RunTask is throttled for a while after each of them"
    early = {run_id for run_id, at in outcome.claimed_at.items() if at < 59} - refused
    for name, number in SMALL.items():
        mine = [(at, run) for at, project, run in outcome.launched if project.endswith(f"#{name}")]
        ended = max((at for at, run in mine if run in early), default=0.0)
        turns = number * (1 + len(SMALL)) + due_runs.AT_ONCE
        assert ended < claimed + turns / FAULTY_RUN_TASK[0] + 1, name
    if "JOBYARD_STORM" in os.environ:
        print(f"\nfaulty: {outcome.words(JOBS)}", file=sys.stderr)


def test_the_model_of_a_storm_agrees_with_the_handlers(world: World) -> None:
    """
    `bench/storm_model.py`, told the latencies and limits that this storm imitates, says within a
    tenth when the last run is launched, and within a fifth when the last slot is claimed (it leaves
    out that who is throttled waits) and how many functions it takes.
    """
    world.fresh()
    outcome = run_storm(world, slots_due(world, {"many": JOBS}))
    if "JOBYARD_STORM" in os.environ:
        print(f"\nundisturbed: {outcome.words(JOBS)}", file=sys.stderr)
    call = LATENCY["dynamodb"] / WORKERS
    modelled = model(
        JOBS,
        replace(
            Assumed(),
            trigger=0.0,
            cold_start=COLD_START,
            invoke=LATENCY["lambda"] / WORKERS,
            dynamodb=call,
            run_task=LATENCY["ecs"] / WORKERS,
            launchers=1,
            workers=1,
            cpu=0.0,
            write_units=TRANSACTIONS[0],
            burst=TRANSACTIONS[1] / TRANSACTIONS[0],
            claim_units=1.0,
            units=2.0,
        ),
    )
    assert modelled.last_claim == pytest.approx(outcome.last_claim, rel=0.2)
    assert modelled.last_launch == pytest.approx(outcome.last_launch, rel=0.1)
    assert modelled.parts == pytest.approx(outcome.parts, rel=0.2)
    if not outcome.throttled:
        assert outcome.calls["TransactWriteItems"] == 2 * JOBS, "as many a slot as in the model"
    assert outcome.calls["RunTask"] == JOBS
