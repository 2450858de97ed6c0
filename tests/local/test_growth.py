"""
A local stack does not grow with what it has done, only with what it keeps.

`JOBYARD_SOAK=10080` also runs that many runs, a week of a job that starts once a minute, and
measures the memory of a stack after each tenth of them.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from moto import mock_aws
from moto.core.common_models import BaseModel

from infra.local import REGION, fidelity
from infra.local.fidelity import kept_output
from infra.local.fidelity.tasks import Task
from tests.conftest import STAGE
from tests.local.local_yard import wait_for
from tests.local.started import Client, Started
from tests.yard import make_yard

SOAK = int(os.environ.get("JOBYARD_SOAK", "0"))
LIMIT_MB = 400
GROUP, STREAM = "group", "stream"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[fidelity.Fidelity]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(), fidelity.install() as made:
        yield made


def put(logs: Any, messages: list[str], stream: str = STREAM) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def lines(logs: Any, stream: str = STREAM) -> list[str]:
    names = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
    return [event["message"] for event in logs.get_log_events(**names)["events"]]


def client_with_group(*streams: str) -> Any:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    for stream in streams:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    return logs


def living() -> Counter[str]:
    """Objects of moto and of its fidelity that something still refers to, by class."""
    gc.collect()
    kinds = (BaseModel, Task)
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds))


def test_what_moto_has_deleted_is_freed() -> None:
    """moto would keep each object in a list of its class."""
    with make_yard(STAGE) as yard:
        gone = yard.create()
        yard.call("DELETE", f"/jobs/{gone['id']}")
        yard.sweep(minutes=5)
        before = living()
        job = yard.create()
        for _ in range(20):
            yard.finish(yard.trigger(job))
            yard.deliver()
        assert living()["Item"] >= before["Item"] + 20
        yard.call("DELETE", f"/jobs/{job['id']}")
        yard.sweep(minutes=5)
        yard.sweep(minutes=5)
        after = living()
    freed = ("LogGroup", "LogStream", "LogEvent")
    assert {kind: after[kind] for kind in freed} == {kind: before[kind] for kind in freed}
    # two entries of the audit trail and the month's cost outlive the job
    assert after["Item"] == before["Item"] + 3


def test_output_over_the_limit_is_dropped_oldest_first_and_said(
    aws: fidelity.Fidelity, caplog: pytest.LogCaptureFixture
) -> None:
    """Of all streams together, in the order in which it came."""
    logs = client_with_group("first", "second")
    aws.logs.kept.limit = 10 * (kept_output.EVENT_MEMORY + 1)
    put(logs, ["a", "b", "c", "d"], "first")
    put(logs, ["e", "f"], "second")
    put(logs, ["g", "h"], "first")
    assert not caplog.records
    put(logs, ["i", "j", "k"], "second")
    assert lines(logs, "first") == ["g", "h"]
    assert lines(logs, "second") == ["e", "f", "i", "j", "k"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "oldest 4 lines" in record.getMessage()


def test_output_of_a_deleted_job_leaves_room_for_others(aws: fidelity.Fidelity) -> None:
    """What is gone does not count."""
    logs = client_with_group("first")
    aws.logs.kept.limit = 10 * (kept_output.EVENT_MEMORY + 1)
    put(logs, ["a"] * 9, "first")
    logs.delete_log_group(logGroupName=GROUP)
    gc.collect()
    client_with_group("second")
    put(logs, ["b"] * 9, "second")
    assert len(lines(logs, "second")) == 9


def test_lines_take_no_more_memory_than_is_counted(aws: fidelity.Fidelity) -> None:
    """Else the limit would be none."""
    logs = client_with_group(STREAM)
    aws.logs.kept.limit = 4 << 20
    process = psutil.Process()
    for _ in range(20):
        put(logs, ["x" * 40] * 1_000)
    full = process.memory_info().rss
    for _ in range(60):
        put(logs, ["x" * 40] * 1_000)
    assert process.memory_info().rss - full < 4 << 20
    assert len(lines(logs)) * (kept_output.EVENT_MEMORY + 40) <= 4 << 20


def test_metrics_over_the_limit_are_dropped_oldest_first(aws: fidelity.Fidelity) -> None:
    """They would take 1 KB each for ever."""
    cloudwatch = boto3.client("cloudwatch")
    aws.metrics.limit = 10
    for number in range(11):
        data: Any = [{"MetricName": f"m{number}", "Value": number}]
        cloudwatch.put_metric_data(Namespace="n", MetricData=data)
    names = [metric["MetricName"] for metric in cloudwatch.list_metrics()["Metrics"]]
    assert names == [f"m{number}" for number in range(2, 11)]


@pytest.mark.skipif(not SOAK, reason="takes many minutes: JOBYARD_SOAK=10080 runs it")
def test_a_week_of_a_job_a_minute_stays_under_400_mb(tmp_path: Path) -> None:
    """Each run writes 20 lines; a stack that is never restarted."""
    stack = Started(tmp_path, "--port", "0", "--engine", "process").until_up()
    process = psutil.Process(stack.process.pid)
    api = Client(tmp_path)
    job = api.job("sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10; do echo $n; echo line $n; done")
    seen = []
    for number in range(1, SOAK + 1):
        api.call("POST", f"{job}/runs")
        if number % 50 == 0:
            wait_for(partial(has_finished, api, job, number), f"{number} runs", 300)
        if number % (SOAK // 10) == 0:
            seen.append((number, process.memory_info().rss >> 20))
            print(f"{number} runs: {seen[-1][1]} MB", flush=True)
    assert stack.end(signal.SIGINT) == 0
    assert seen[-1][1] < LIMIT_MB, seen


def has_finished(api: Client, job: str, number: int) -> bool:
    """Whether so many runs have."""
    return int(api.call("GET", f"{job}/status")["run_counts"]["succeeded"]) >= number
