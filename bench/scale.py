"""Measures whether costs grow with history: the same operations with few and with many records."""

from __future__ import annotations

import base64
import copy
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.dynamodb_local import Missing, dynamodb_local
from bench.meter import Bill, Meter
from bench.plan import Plan
from bench.report import Table, verdict
from bench.shadow import Shadow
from bench.system import system

if TYPE_CHECKING:
    from tests.yard import Yard

PAGE = 3
Item = dict[str, Any]
Act = tuple[str, Callable[[], Any]]


def measure(plan: Plan) -> list[Table]:
    """Measure with more and more runs of one job, then with more and more jobs of one project."""
    try:
        with dynamodb_local() as endpoint, system(endpoint) as yard:
            meter = Meter(Shadow(endpoint))
            return [_runs(yard, meter, plan.runs), _jobs(yard, meter, plan.jobs)]
    except Missing as error:
        note = f"Left out: it takes DynamoDB Local (moto walks its tables), and {error}."
        return [Table("Scale", [], [], [note])]


def _runs(yard: Yard, meter: Meter, sizes: tuple[int, ...]) -> Table:
    job = yard.create(name="busy")
    first = yard.trigger(job)
    yard.finish(first)
    settle(yard)
    there = 1
    found: dict[str, list[tuple[Bill, float]]] = {}
    for size in sizes:
        _copy_runs(job, first, there, size)
        there = size
        for name, act in _operations(yard, job):
            found.setdefault(name, []).append(_measured(yard, meter, act))
        yard.finish(yard.runs(job, limit=1)[0])
        there += 1  # the run that was triggered
        settle(yard)
    return _table("Scale: runs behind one job", "runs", sizes, found)


def _operations(yard: Yard, job: Item) -> Iterator[Act]:
    """
    Yield each operation; the caller runs it before it takes the next. The last one leaves a run.
    """
    newest = yard.runs(job, limit=1)[0]
    yield "get the job", lambda: yard.call("GET", f"/jobs/{job['id']}")
    yield "list jobs, the first", lambda: yard.call("GET", "/jobs", query={"limit": 1})
    yield "job status", lambda: yard.status(job)
    yield "get a run", lambda: yard.run(newest)
    yield f"list runs, the first {PAGE}", lambda: yard.runs(job, limit=PAGE)
    yield f"list the project's runs, the first {PAGE}", lambda: _listed(yard)
    yield f"list the failed ones, the first {PAGE}", lambda: _listed(yard, status="failed")
    yield "list those in flight", lambda: _listed(yard, status="running")
    yield "list jobs with activity, 100", lambda: _activity(yard)
    yield "sweep, nothing due", yard.sweep
    yield "trigger", lambda: yard.trigger(job)


def _listed(yard: Yard, **query: Any) -> None:
    answer = yard.call("GET", "/runs", query={"limit": PAGE, **query})
    assert answer.status == 200, answer.envelope


def _activity(yard: Yard) -> None:
    answer = yard.call("GET", "/jobs", query={"limit": 100, "include": "activity"})
    assert answer.status == 200, answer.envelope


def _jobs(yard: Yard, meter: Meter, sizes: tuple[int, ...]) -> Table:
    job = yard.create(name="one of many", schedule="0 3 * * *")
    yard.finish(yard.trigger(job))
    settle(yard)  # a later run has a later id, so that the newest one is the one in flight
    there = 1
    found: dict[str, list[tuple[Bill, float]]] = {}
    for size in sizes:
        _copy_jobs(job, there, size)
        there = size
        for name, act in _operations(yard, job):
            found.setdefault(name, []).append(_measured(yard, meter, act))
        yard.finish(yard.runs(job, limit=1)[0])
        settle(yard)
    return _table("Scale: jobs in one project", "jobs", sizes, found)


def _measured(yard: Yard, meter: Meter, act: Callable[[], Any]) -> tuple[Bill, float]:
    yard.call("GET", "/jobs", query={"limit": 1})  # a warm function has the token
    began = time.perf_counter()
    bill = meter.bill(act)
    return bill, (time.perf_counter() - began) * 1e3


def _table(
    title: str, what: str, sizes: tuple[int, ...], found: dict[str, list[tuple[Bill, float]]]
) -> Table:
    rows = []
    for name, bills in found.items():
        cells = [
            f"{sum(bill.calls.values())} calls, {bill.read_units:g} R, {bill.write_units:g} W, "
            f"{ms:.0f} ms"
            for bill, ms in bills
        ]
        first, last = bills[0][0], bills[-1][0]
        grown = max(
            sum(last.calls.values()) - sum(first.calls.values()),
            last.read_units - first.read_units,
            last.write_units - first.write_units,
        )
        rows.append([name, *cells, f"no growth: {verdict(grown, 0)}"])
    return Table(title, ["operation", *(f"{size:,} {what}" for size in sizes), "goal"], rows)


def settle(yard: Yard) -> None:
    """Sweep until there is nothing left to do."""
    for _ in range(3):
        yard.deliver()
        yard.sweep(minutes=15)


def _copy_runs(job: Item, run: Item, start: int, end: int) -> None:
    """Copy `run` many times, as older finished runs of its job; most of them failed."""
    from chalicelib.domain import ids
    from chalicelib.tables.shards import listed

    table = _system().settings.runs_table
    original = _read(table, job["id"], run["id"])
    at = ids.made_at(run["id"])
    assert at is not None

    def items() -> Iterator[Item]:
        for number in range(start, end):
            item = copy.copy(original)
            run_id = ids.new_run(at - timedelta(seconds=number))
            item["sk"] = {"S": run_id}
            item["listed"] = {"S": (place := listed("acme#etl", run_id))}
            if number % 10:
                item["status"], item["unsuccessful"] = {"S": "failed"}, {"S": f"{place}#failed"}
            yield item

    _write(table, items())


def _copy_jobs(job: Item, start: int, end: int) -> None:
    """Copy `job` many times, as older jobs of its project, each with its counts."""
    from chalicelib.domain import ids
    from chalicelib.tables.shards import shard

    settings = _system().settings
    jobs, runs = settings.jobs_table, settings.runs_table
    original = _read(jobs, "acme#etl", job["id"])
    stats = _read(runs, job["id"], "stats")
    at = ids.made_at(job["id"])
    assert at is not None
    made = [ids.new_job(at - timedelta(seconds=number)) for number in range(start, end)]
    _write(
        jobs,
        (
            original
            | {"sk": {"S": job_id}, "work_shard": {"S": shard(job_id, settings.shards, at)}}
            for job_id in made
        ),
    )
    _write(runs, (stats | {"pk": {"S": job_id}} for job_id in made))


def _read(table: str, pk: str, sk: str) -> Item:
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    return dict(_system().database.client.get_item(TableName=table, Key=key)["Item"])


def _system() -> Any:
    import app

    return app.app.system


def _write(table: str, items: Iterator[Item]) -> None:
    """
    Write by signed HTTP: a client that checks and converts each item takes minutes for 100,000.
    """
    meta = _system().database.client.meta
    url, region = meta.endpoint_url, meta.region_name
    # moto replaces the keys in the environment, and DynamoDB Local has separate tables for each
    # access key.
    known = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    credentials = Credentials(*known)
    signer = SigV4Auth(credentials, "dynamodb", region)
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    }

    def put(batch: list[Item]) -> None:
        wanted = {"RequestItems": {table: [{"PutRequest": {"Item": item}} for item in batch]}}
        data = json.dumps(wanted, default=_as_base64).encode()
        request = AWSRequest("POST", url, headers, data)
        signer.add_auth(request)
        ready = urllib.request.Request(url, data, dict(request.headers.items()))
        with urllib.request.urlopen(ready, timeout=60) as answer:
            left = json.load(answer)["UnprocessedItems"]
        assert not left, "DynamoDB Local left items unprocessed"

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(put, _batches(items)):
            continue


def _as_base64(binary: bytes) -> str:
    return base64.b64encode(binary).decode()


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == 25:
            yield batch
            batch = []
    if batch:
        yield batch
