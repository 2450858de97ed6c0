"""The AWS calls that each operation makes, and the units that DynamoDB bills for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from bench.dynamodb_local import Missing, dynamodb_local
from bench.meter import Meter
from bench.plan import Plan
from bench.report import Table
from bench.shadow import Shadow
from bench.system import system

if TYPE_CHECKING:
    from chalicelib.tables.records import Job
    from tests.yard import Yard

Act = tuple[str, Callable[[], Any]]


def measure(plan: Plan) -> list[Table]:
    """Run every operation once in a warm function."""
    with ExitStack() as opened:
        try:
            endpoint: str | None = opened.enter_context(dynamodb_local())
        except Missing as error:
            endpoint, note = None, f"Units are left out: they are DynamoDB Local's, and {error}."
        else:
            note = (
                "Units as DynamoDB Local counts them, those of a transaction as twice its writes "
                "one by one; small items."
            )
        yard = opened.enter_context(system(endpoint))
        meter = Meter(Shadow(endpoint) if endpoint else None)
        rows = [_row(name, act, meter, has_units=endpoint is not None) for name, act in _acts(yard)]
    columns = ["operation", "DynamoDB and other calls", "RCU", "WCU"]
    return [Table("Cost per operation", columns, rows, [note])]


def _row(name: str, act: Callable[[], Any], meter: Meter, *, has_units: bool) -> list[str]:
    bill = meter.bill(act)
    units = (f"{bill.read_units:g}", f"{bill.write_units:g}") if has_units else ("", "")
    return [name, bill.words, *units]


def _acts(yard: Yard) -> Iterator[Act]:
    """Yield each operation; the caller runs it before it takes the next one."""
    yield "the token, once in 30 s", lambda: yard.call("GET", "/jobs")
    yield from _parts(yard)
    made: list[dict[str, Any]] = []
    yield "create a job", lambda: made.append(yard.create(name="a"))
    yield "create a scheduled job", lambda: made.append(yard.create(name="b", schedule="* * * * *"))
    job, scheduled = made
    path = f"/jobs/{job['id']}"
    yield "list jobs, 2", lambda: yard.call("GET", "/jobs")
    yield "get a job", lambda: yard.call("GET", path)
    yield "update its tags", lambda: yard.call("PATCH", path, {"tags": ["a"]})
    yield "rename it", lambda: yard.call("PATCH", path, {"name": "c"})
    yield "trigger a run", lambda: made.append(yard.trigger(job))
    run = made[-1]
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    started = yard.take_events()[-1]
    yield "pending → running", lambda: yard.deliver(started)
    yield "the same event again", lambda: yard.deliver(started)
    yield "get a run in flight", lambda: yard.run(run)
    yield "job status, one in flight", lambda: yard.status(job)
    yard.aws.ecs.stop(arn, exit_code=0)
    stopped = yard.take_events()[-1]
    yield "finish", lambda: yard.deliver(stopped)
    yield "get a finished run", lambda: yard.run(run)
    yield "job status, none in flight", lambda: yard.status(job)
    yield "list runs, 1", lambda: yard.runs(job)
    yield "run logs", lambda: yard.call("GET", f"{path}/runs/{run['id']}/logs")
    yield "run metrics", lambda: yard.call("GET", f"{path}/runs/{run['id']}/metrics")
    cancelled = yard.trigger(job)
    yield "cancel a run", lambda: yard.call("POST", f"{path}/runs/{cancelled['id']}/cancel")
    yard.clock.move(minutes=1)
    yield "a scheduled fire", lambda: yard.fire(scheduled)
    yield "a fire that is not due", lambda: yard.fire(scheduled)
    yard.deliver()
    for _ in range(3):
        yard.sweep(minutes=2)
    yield "a sweep", yard.sweep
    yield "delete a job of 2 runs", lambda: yard.call("DELETE", path)


def _parts(yard: Yard) -> Iterator[Act]:
    """A slot of a job without rules, by a sweep that hands it out; nothing else is there yet."""
    from chalicelib.engine.sweep import MOST_JOBS, MOST_RUNS

    yard.aws.events.rules_per_bus = 0
    job = yard.create(name="without rules", schedule="* * * * *")
    while _is_beside_its_run(yard.stored_job(job), yard):
        yard.call("DELETE", f"/jobs/{job['id']}")
        job = yard.create(name="without rules", schedule="* * * * *")
    yard.aws.events.rules_per_bus = 300
    yard.clock.move(minutes=1)
    sweep = yard.system.sweep
    sweep.most_jobs = sweep.most_runs = 0
    yard.system.launcher.patience = 1
    yield "a sweep that hands out what is due", sweep.turn
    launches, shard = yard.parts
    yield "a part: a slot claimed", lambda: sweep.part(shard)
    yield "a part: a run launched", lambda: sweep.part(launches)
    sweep.most_jobs, sweep.most_runs = MOST_JOBS, MOST_RUNS
    yard.call("DELETE", f"/jobs/{job['id']}")
    for task in yard.aws.ecs.tasks:
        yard.aws.ecs.stop(task.arn, exit_code=143)
    yard.deliver()
    yard.sweep(minutes=1)
    yard.call("GET", "/jobs")  # the token again


def _is_beside_its_run(job: Job, yard: Yard) -> bool:
    """Of one in sixteen jobs the next run is in the job's own shard, and is read with it."""
    from chalicelib.engine.new_run import slot_run
    from chalicelib.tables.shards import shard

    assert job.next_slot is not None  # it has a schedule
    run = slot_run(job, job.next_slot, job.next_slot, yard.system.settings)
    return shard(run.run_id, yard.system.settings.shards, job.next_slot) == job.work_shard
