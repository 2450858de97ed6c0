"""Creating, listing, changing and deleting jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from tests.yard import BASE, IMAGE, Yard


def test_the_created_job_has_the_fields_of_the_request_and_the_defaults(yard: Yard) -> None:
    """Every field of a job is in the answer."""
    answer = yard.call(
        "POST", "/jobs", {"name": "nightly", "image": IMAGE, "command": "echo 'a b'"}
    )
    job = answer.data
    assert answer.status == 201
    assert answer.headers["Location"] == f"jobs/{job['id']}"
    assert job == {
        "id": job["id"],
        "workspace_id": "acme",
        "project_id": "etl",
        "name": "nightly",
        "image": IMAGE,
        "entrypoint": None,
        "command": ["echo", "a b"],
        "env": {},
        "secrets": {},
        "tags": [],
        "schedule": None,
        "schedule_text": None,
        "timezone": "UTC",
        "paused": False,
        "concurrency_policy": "allow",
        "max_concurrent_runs": 1,
        "jitter_seconds": 0,
        "capacity": "on_demand",
        "starting_deadline_seconds": 3600,
        "cpu": 0.25,
        "memory_mib": 512,
        "architecture": "x86_64",
        "task_role_arn": None,
        "timeout_seconds": 86400,
        "max_retries": 0,
        "notify": ["failing", "recovered", "missed"],
        "managed_by": None,
        "version": 1,
        "created_at": "2026-11-23T12:00:00.000Z",
        "updated_at": "2026-11-23T12:00:00.000Z",
        "next_run_at": None,
        "wake": None,
    }
    assert yard.call("GET", f"/jobs/{job['id']}").data == job


def test_the_task_definition_has_the_container_of_the_job(yard: Yard) -> None:
    """It is a Fargate task of one container, whose output goes to the job's own log group."""
    job = yard.create(command=["a"], entrypoint=["b"], env={"C": "d"}, cpu=1, memory_mib=2048)
    yard.trigger(job)
    ecs = boto3.client("ecs")
    arn = yard.aws.ecs.tasks[0].definition.arn
    definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    container = definition["containerDefinitions"][0]
    assert (definition["cpu"], definition["memory"]) == ("1024", "2048")
    assert (container["command"], container["entryPoint"]) == (["a"], ["b"])
    assert container["environment"] == [{"name": "C", "value": "d"}]
    group = container["logConfiguration"]["options"]["awslogs-group"]
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    assert [(g["logGroupName"], g["retentionInDays"]) for g in groups] == [(group, 30)]


def test_a_name_is_unique_in_its_project_and_free_again_after(yard: Yard) -> None:
    """This holds across a rename and a delete too."""
    job = yard.create(name="a")
    taken = yard.call("POST", "/jobs", {"name": "a", "image": IMAGE})
    assert (taken.status, taken.envelope["code"]) == (409, "job_name_taken")
    other = yard.create(name="b")
    renamed = yard.call("PATCH", f"/jobs/{other['id']}", {"name": "a"})
    assert (renamed.status, renamed.envelope["code"]) == (409, "job_name_taken")
    assert yard.call("PATCH", f"/jobs/{job['id']}", {"name": "c"}).data["name"] == "c"
    assert yard.call("PATCH", f"/jobs/{other['id']}", {"name": "a"}).status == 200
    assert yard.call("DELETE", f"/jobs/{other['id']}").status == 200
    yard.create(name="a")
    yard.create(name="b")


def test_the_same_key_creates_one_job(yard: Yard) -> None:
    """A repeated request gets the job as it is now, unless the job was deleted."""
    body, key = {"name": "a", "image": IMAGE}, {"Idempotency-Key": "k"}
    job = yard.call("POST", "/jobs", body, headers=key).data
    yard.call("PATCH", f"/jobs/{job['id']}", {"name": "b"})
    again = yard.call("POST", "/jobs", body, headers=key)
    assert (again.status, again.data["id"], again.data["name"]) == (200, job["id"], "b")
    assert again.headers["Idempotent-Replayed"] == "true"
    other = yard.call("POST", "/jobs", body | {"name": "x"}, headers=key)
    assert (other.status, other.envelope["code"]) == (409, "idempotency_key_reused")
    yard.call("DELETE", f"/jobs/{job['id']}")
    gone = yard.call("POST", "/jobs", body, headers=key)
    assert (gone.status, gone.envelope["code"]) == (409, "idempotency_key_reused")


def test_a_repeated_create_is_answered_whatever_would_be_refused_by_now(yard: Yard) -> None:
    """The key is checked before names and limits, and before AWS is called."""
    body, key = {"name": "a", "image": IMAGE, "schedule": "@daily"}, {"Idempotency-Key": "k"}
    job = yard.call("POST", "/jobs", body, headers=key).data
    yard.call("PATCH", f"/jobs/{job['id']}", {"name": "b"})
    yard.create(name="a")
    yard.call("GET", "/jobs")
    with yard.counting() as calls:
        again = yard.call("POST", "/jobs", body, headers=key)
    assert (again.status, again.data["id"], again.data["name"]) == (200, job["id"], "b")
    # AWS is not asked for what it might refuse now
    assert calls.counted == {"dynamodb.BatchGetItem": 1, "dynamodb.GetItem": 1}
    assert yard.call("POST", "/jobs", {**body, "cpu": 3}, headers=key).status == 422


def test_the_same_create_sent_many_times_at_once_makes_one_job(yard: Yard) -> None:
    """This holds even if a request reads the other's name but not yet its key."""
    send = lambda: yard.call(  # noqa: E731 - the same request, eight times
        "POST", "/jobs", {"name": "a", "image": IMAGE}, headers={"Idempotency-Key": "k"}
    )
    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.data["id"] for answer in answers}) == 1


def test_a_create_that_sees_the_name_of_its_twin_and_not_its_key_is_a_replay(yard: Yard) -> None:
    """BatchGetItem reads its items one by one, and the twin may store both in between."""
    body, key = {"name": "a", "image": IMAGE}, {"Idempotency-Key": "k"}
    job = yard.call("POST", "/jobs", body, headers=key).data

    def without_the_key(parsed: dict[str, Any], **_: Any) -> None:
        for items in parsed["Responses"].values():
            items[:] = [item for item in items if not item["sk"]["S"].startswith("key#")]

    events = yard.system.database.client.meta.events
    events.register("after-call.dynamodb.BatchGetItem", without_the_key)
    try:
        again = yard.call("POST", "/jobs", body, headers=key)
    finally:
        events.unregister("after-call.dynamodb.BatchGetItem", without_the_key)
    assert (again.status, again.data["id"]) == (200, job["id"])


@pytest.mark.parametrize(
    ("spec", "blamed"),
    [
        ({"env": {"A": "é" * 16_000}}, ["env"]),
        ({"command": ["é" * 8_000], "entrypoint": ["é" * 4_000]}, ["command", "entrypoint"]),
        (
            {"env": {"A": "x" * 32_000}, "command": ["x" * 14_000], "entrypoint": ["x" * 16_000]},
            ["env", "entrypoint", "command"],
        ),
        ({"env": {"A": "b"}, "command": ["é" * 8_000], "entrypoint": ["é" * 7_000]}, None),
    ],
)
def test_the_refusal_of_a_job_that_is_too_large_names_its_large_fields_and_their_sizes(
    yard: Yard, spec: dict[str, Any], blamed: list[str] | None
) -> None:
    """
    Each field that takes much of it is named with its size, the largest first; others are not.
    """
    answer = yard.call("POST", "/jobs", {"name": "a", "image": IMAGE, **spec})
    assert answer.status == 422, answer.envelope
    errors = answer.data["errors"]
    assert [error["field"] for error in errors] == (blamed or ["command", "entrypoint"])
    sizes = [int(error["message"].split()[1]) for error in errors]
    assert sizes == sorted(sizes, reverse=True)
    total = int(errors[0]["message"].split()[4])
    assert 60_000 < total < sum(sizes) + 6_000


def test_bad_fields_are_all_named_and_nothing_is_stored(yard: Yard) -> None:
    """One answer lists everything that is wrong."""
    yard.call("GET", "/jobs")  # the token is cached from here on
    with yard.counting() as calls:
        answer = yard.call("POST", "/jobs", {"name": "", "cpu": 3, "colour": "red", "tags": [1]})
    assert answer.status == 422
    fields = {error["field"] for error in answer.data["errors"]}
    assert fields == {"name", "image", "cpu", "colour", "tags.0"}
    assert calls.made == []


def test_a_patch_changes_what_it_names_and_null_resets(yard: Yard) -> None:
    """PUT does the same, and a job that does not change keeps its version."""
    job = yard.create(command=["a"], tags=["x"], max_retries=3)
    changed = yard.call("PATCH", f"/jobs/{job['id']}", {"max_retries": None, "tags": ["y"]}).data
    assert (changed["max_retries"], changed["tags"], changed["command"]) == (0, ["y"], ["a"])
    assert changed["version"] == 2
    assert yard.call("PUT", f"/jobs/{job['id']}", {"tags": ["y"]}).data["version"] == 2
    refused = yard.call("PATCH", f"/jobs/{job['id']}", {"image": None, "memory_mib": 3})
    assert refused.status == 422
    assert {error["field"] for error in refused.data["errors"]} == {"image", "memory_mib"}


def test_an_update_takes_effect_on_the_next_run(yard: Yard) -> None:
    """A run in flight keeps the command with which it started."""
    job = yard.create(command=["a"])
    run = yard.trigger(job)
    yard.call("PATCH", f"/jobs/{job['id']}", {"command": ["b"]})
    after = yard.trigger(job)
    assert (yard.run(run)["command"], yard.run(run)["job_version"]) == (["a"], 1)
    assert (after["command"], after["job_version"]) == (["b"], 2)
    first, second = (task.definition.arn for task in yard.aws.ecs.tasks)
    assert first != second


def test_jobs_are_listed_newest_first_by_name_and_by_tags(yard: Yard) -> None:
    """All tags of a query must match; the pages list each job once."""
    made = []
    for number in range(5):
        yard.clock.move(seconds=1)
        tags = ["even"] * (number % 2 == 0) + ["all"]
        made.append(yard.create(name=f"job-{number}", tags=tags)["id"])
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = yard.call("GET", "/jobs", query=query).data
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    tagged = yard.call("GET", "/jobs", query={"tag": ["even", "all"], "limit": 2}).data
    assert [job["name"] for job in tagged["jobs"]] == ["job-4", "job-2"]
    rest = yard.call(
        "GET", "/jobs", query={"tag": ["even", "all"], "cursor": tagged["next_cursor"]}
    ).data
    assert [job["name"] for job in rest["jobs"]] == ["job-0"]
    named = yard.call("GET", "/jobs", query={"name": "job-3"}).data
    assert [job["id"] for job in named["jobs"]] == [made[3]]


@pytest.mark.parametrize("runs", [0, 3])
def test_a_deleted_job_is_gone_at_once_and_leaves_nothing(yard: Yard, runs: int) -> None:
    """No reader finds it any more; the sweep then removes its tasks, records and AWS resources."""
    job = yard.create(schedule="0 3 * * *")
    made = [yard.trigger(job) for _ in range(runs)]
    if made:
        yard.finish(made[0])
    assert yard.call("DELETE", f"/jobs/{job['id']}").status == 200
    for path in ("", "/status", "/runs", *(f"/runs/{run['id']}" for run in made)):
        assert yard.call("GET", f"/jobs/{job['id']}{path}").status == 404, path
    assert yard.call("GET", "/jobs").data["jobs"] == []
    assert yard.call("POST", f"/jobs/{job['id']}/runs").status == 404
    for task in yard.aws.ecs.tasks[1:]:
        assert task.desired_status == "STOPPED"
        yard.aws.ecs.stop(task.arn, exit_code=143)
    yard.deliver()
    yard.sweep(minutes=1)
    dynamodb = boto3.client("dynamodb")
    items = {t: dynamodb.scan(TableName=f"jobyard-test-{t}")["Items"] for t in ("jobs", "runs")}
    left = [item for table in items.values() for item in table]
    # who did it stays, and what its runs of the month cost
    kept = {item["sk"]["S"] for item in left if not item["pk"]["S"].startswith("audit#")}
    assert kept == ({f"cost#2026-11#{job['id']}"} if runs else set())
    assert boto3.client("events").list_rules()["Rules"] == []
    assert boto3.client("logs").describe_log_groups()["logGroups"] == []
    ecs = boto3.client("ecs")
    assert ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == []


def test_a_job_is_found_only_in_its_own_project(yard: Yard) -> None:
    """The same id in another project of the workspace is unknown."""
    job = yard.create()
    run = yard.trigger(job)
    elsewhere = BASE.replace("etl", "other")
    for method, path in [
        ("GET", ""),
        ("GET", "/status"),
        ("GET", "/runs"),
        ("GET", f"/runs/{run['id']}"),
        ("DELETE", f"/runs/{run['id']}"),
        ("DELETE", ""),
    ]:
        answer = yard.call(method, f"/jobs/{job['id']}{path}", base=elsewhere)
        assert answer.status == 404, (method, path)
    assert yard.call("GET", "/jobs", base=elsewhere).data["jobs"] == []
    assert yard.run(run)["status"] == "pending"
