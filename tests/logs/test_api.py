"""Logs and metrics over HTTP: the answers, and the AWS calls of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.yard import Answer, Yard

MIB = 1_048_576


@pytest.fixture
def running(yard: Yard) -> tuple[dict[str, Any], dict[str, Any]]:
    """A job and its run, whose container has just started."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.deliver()
    _client(yard, "logs").create_log_stream(
        logGroupName=yard.system.settings.log_group(job["id"]), logStreamName=_stream(yard, run)
    )
    return job, run


def _client(yard: Yard, service: str) -> Any:
    return yard.system.clients.get(service)


def _stream(yard: Yard, run: dict[str, Any]) -> str:
    return "run/main/" + yard.task_of(run).rpartition("/")[2]


def say(yard: Yard, run: dict[str, Any], *lines: str) -> None:
    at = int(yard.clock().timestamp() * 1000)
    _client(yard, "logs").put_log_events(
        logGroupName=yard.system.settings.log_group(run["job_id"]),
        logStreamName=_stream(yard, run),
        logEvents=[{"timestamp": at, "message": line} for line in lines],
    )


def sample(yard: Yard, run: dict[str, Any], cores: float, mib: float) -> None:
    family = {
        "ClusterName": yard.system.settings.cluster,
        "TaskDefinitionFamily": yard.system.settings.family(run["job_id"]),
    }
    task = {**family, "TaskId": yard.task_of(run).rpartition("/")[2]}
    _client(yard, "cloudwatch").put_metric_data(
        Namespace="ECS/ContainerInsights",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in of.items()],
                "Timestamp": yard.clock(),
                "Value": value,
            }
            for of in (family, task)
            for name, value in (("CpuUtilized", cores * 1_024), ("MemoryUtilized", mib))
        ],
    )


def logs_of(yard: Yard, run: dict[str, Any], **query: Any) -> Answer:
    return yard.call("GET", f"/jobs/{run['job_id']}/runs/{run['id']}/logs", query=query)


def test_a_run_is_followed_to_its_end(yard: Yard, running: Any) -> None:
    """A client that follows a run gets new lines until the run is over and everything was read."""
    _, run = running
    say(yard, run, "one", "two")
    answer = logs_of(yard, run)
    assert answer.status == 200
    line = {"run_id": run["id"], "attempt": 1, "timestamp": "2026-11-23T12:00:00.000Z"}
    assert answer.data["logs"] == [{**line, "message": text} for text in ("one", "two")]
    assert answer.data["previous_cursor"] is None
    yard.clock.move(seconds=5)
    say(yard, run, "three")
    answer = logs_of(yard, run, cursor=answer.data["next_cursor"])
    assert [line["message"] for line in answer.data["logs"]] == ["three"]
    say(yard, run, "last words")
    yard.finish(run, exit_code=1)
    answer = logs_of(yard, run, cursor=answer.data["next_cursor"])
    assert [line["message"] for line in answer.data["logs"]] == ["last words"]
    assert answer.data["next_cursor"] is None


def test_a_jobs_lines_name_their_runs(yard: Yard, running: Any) -> None:
    """One batch read of the tasks' records finds the runs of all lines."""
    job, run = running
    say(yard, run, "hello")
    with yard.counting() as calls:
        answer = yard.call("GET", f"/jobs/{job['id']}/logs", query={"filter": "hell"})
    assert [(line["run_id"], line["attempt"]) for line in answer.data["logs"]] == [(run["id"], 1)]
    assert calls.counted == {
        "dynamodb.GetItem": 1,
        "logs.FilterLogEvents": 1,
        "dynamodb.BatchGetItem": 1,
    }


def test_the_last_hundred_lines_cost_one_read_and_one_call(yard: Yard, running: Any) -> None:
    _, run = running
    say(yard, run, *(str(n) for n in range(500)))
    with yard.counting() as calls:
        answer = logs_of(yard, run, limit=100)
    assert [line["message"] for line in answer.data["logs"]] == [str(n) for n in range(400, 500)]
    assert calls.counted == {"dynamodb.BatchGetItem": 1, "logs.GetLogEvents": 1}


def test_metrics_cost_one_read_and_one_call(yard: Yard, running: Any) -> None:
    """The number of calls does not depend on the number of metrics."""
    job, run = running
    yard.clock.move(minutes=1)
    sample(yard, run, cores=0.5, mib=100)
    yard.clock.move(minutes=1)
    yard.call("GET", "/jobs")  # reads the token again, outside of the count
    with yard.counting() as calls:
        answer = yard.call("GET", f"/jobs/{job['id']}/runs/{run['id']}/metrics")
    assert answer.status == 200
    at = "2026-11-23T12:01:00.000Z"
    assert answer.data["metrics"] == {
        "cpu_usage": {
            "status": "success",
            "unit": "cores",
            "points": [{"timestamp": at, "value": 0.5}],
        },
        "memory_usage": {
            "status": "success",
            "unit": "bytes",
            "points": [{"timestamp": at, "value": 100 * MIB}],
        },
    }
    assert calls.counted == {"dynamodb.BatchGetItem": 1, "cloudwatch.GetMetricData": 1}
    with yard.counting() as calls:
        of_job = yard.call("GET", f"/jobs/{job['id']}/metrics")
    assert of_job.data["metrics"] == answer.data["metrics"]
    assert calls.counted == {"dynamodb.GetItem": 1, "cloudwatch.GetMetricData": 1}


def test_one_failing_metric_does_not_fail_the_others(yard: Yard, running: Any) -> None:
    job, _ = running
    answer = yard.call("GET", f"/jobs/{job['id']}/metrics", query={"names": "cpu_usage,disk"})
    assert answer.status == 207
    assert answer.data["metrics"]["cpu_usage"]["status"] == "success"
    assert answer.data["metrics"]["disk"]["code"] == "unknown_metric"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 10_001},
        {"since": "1h", "start": "2026-11-23T11:00:00Z"},
        {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T11:00:00Z"},
        {"filter": "x" * 1_023},
        {"cursor": "nonsense"},
        {"follow": "true"},
    ],
)
def test_a_bad_query_is_a_400(yard: Yard, running: Any, query: dict[str, Any]) -> None:
    job, run = running
    assert logs_of(yard, run, **query).status == 400
    assert yard.call("GET", f"/jobs/{job['id']}/logs", query=query).status == 400


def test_a_cursor_is_good_for_its_own_run_alone(yard: Yard, running: Any) -> None:
    job, run = running
    say(yard, run, "one")
    cursor = logs_of(yard, run).data["next_cursor"]
    other = yard.trigger(job)
    assert logs_of(yard, other, cursor=cursor).status == 400
    assert yard.call("GET", f"/jobs/{job['id']}/logs", query={"cursor": cursor}).status == 400
    assert logs_of(yard, run, cursor=cursor).status == 200
