"""`GET /jobs?include=activity`: how each job of a page does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import ids
from chalicelib.tables.recent_runs import KEPT
from tests.yard import START, Yard


def activity(yard: Yard, job: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = yard.call("GET", "/jobs", query={"include": "activity", **query})
    assert answer.status == 200, answer.envelope
    (found,) = [one for one in answer.data["jobs"] if one["id"] == job["id"]]
    return dict(found["activity"])


def test_a_job_that_never_ran_says_so(yard: Yard) -> None:
    """Nothing is null that is a list or a number."""
    job = yard.create()
    assert activity(yard, job) == {
        "run_counts": dict.fromkeys(
            ("pending", "running", "succeeded", "failed", "cancelled", "skipped", "total"), 0
        ),
        "consecutive_failures": 0,
        "last_succeeded_at": None,
        "in_flight": 0,
        "recent_runs": [],
        "cost_this_month": 0,
    }
    assert "activity" not in yard.call("GET", "/jobs").data["jobs"][0]
    assert yard.call("GET", "/jobs", query={"include": "runs"}).status == 400


def test_it_says_what_the_jobs_status_says(yard: Yard) -> None:
    """The same counts, at every point of a run's life."""
    job, other = yard.create(name="a"), yard.create(name="b")
    yard.finish(yard.trigger(other))

    def agree(in_flight: int) -> None:
        found, status = activity(yard, job), yard.status(job)
        for name in ("run_counts", "consecutive_failures", "last_succeeded_at"):
            assert found[name] == status[name], name
        assert found["in_flight"] == in_flight
        assert found["recent_runs"][0]["id"] == status["latest_run"]["id"]

    first = yard.trigger(job)
    agree(1)
    yard.aws.ecs.start(yard.task_of(first))
    yard.deliver()
    agree(1)
    second = yard.trigger(job)
    agree(2)
    yard.finish(first, exit_code=2)
    agree(1)
    yard.finish(second)
    agree(0)


def test_recent_runs_show_what_the_runs_show(yard: Yard) -> None:
    """Newest first: in flight, succeeded, failed with its reason, and a slot that was missed."""
    job = yard.create(schedule="*/5 * * * *")
    yard.finish(yard.trigger(job))
    yard.clock.move(seconds=1.5)
    yard.finish(yard.trigger(job), exit_code=3)
    yard.sweep(minutes=13)
    shown = activity(yard, job)["recent_runs"]
    assert [(run["status"], run["error_code"], run["trigger"]) for run in shown] == [
        ("pending", None, "schedule"),
        ("cancelled", "missed_deadline", "schedule"),
        ("failed", "nonzero_exit", "manual"),
        ("succeeded", None, "manual"),
    ]
    for one in shown:
        run = yard.run({"job_id": job["id"], "id": one["id"]})
        names = ("id", "status", "trigger", "created_at", "started_at", "finished_at")
        assert {name: one[name] for name in names} == {name: run[name] for name in names}


def test_the_newest_20_are_kept_whatever_the_history(yard: Yard) -> None:
    """And what is in flight comes first, however many have finished since."""
    job = yard.create()
    running = yard.trigger(job)
    finished = []
    for number in range(KEPT + 5):
        yard.clock.move(seconds=1)
        finished.append(yard.trigger(job))
        yard.finish(finished[-1], exit_code=number % 2)
    shown = [run["id"] for run in activity(yard, job)["recent_runs"]]
    assert shown == [run["id"] for run in finished[: -KEPT - 1 : -1]]
    yard.clock.move(seconds=1)
    newer = yard.trigger(job)
    shown = [run["id"] for run in activity(yard, job)["recent_runs"]]
    assert shown == [newer["id"], *(run["id"] for run in finished[:-KEPT:-1])]
    assert running["id"] not in shown
    assert activity(yard, job)["run_counts"]["pending"] == 2


def test_a_cancelled_run_is_in_flight_until_its_container_has_stopped(yard: Yard) -> None:
    """Meanwhile it is shown once, as cancelled."""
    job = yard.create()
    run = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(run))
    yard.deliver()
    yard.clock.move(seconds=5)
    assert yard.call("POST", f"/jobs/{job['id']}/runs/{run['id']}/cancel").status == 200
    found = activity(yard, job)
    assert found["in_flight"] == 1
    assert found["run_counts"]["running"] == 0
    (shown,) = found["recent_runs"]
    assert (shown["status"], shown["error_code"]) == ("cancelled", "cancelled_by_user")
    assert shown["finished_at"] == "2026-11-23T12:00:05.000Z"
    yard.aws.ecs.stop(yard.task_of(run), exit_code=143)
    yard.deliver()
    found = activity(yard, job)
    assert found["in_flight"] == 0
    assert [one["id"] for one in found["recent_runs"]] == [run["id"]]


def test_a_page_holds_at_most_100_jobs(yard: Yard) -> None:
    """It goes on by its cursor, and each job has its own activity."""
    jobs = [yard.create(name=f"job {number}") for number in range(103)]
    yard.trigger(jobs[0])
    yard.trigger(jobs[102])
    first = yard.call("GET", "/jobs", query={"include": "activity"}).data
    assert len(first["jobs"]) == 100
    query = {"include": "activity", "cursor": first["next_cursor"]}
    second = yard.call("GET", "/jobs", query=query).data
    assert (len(second["jobs"]), second["next_cursor"]) == (3, None)
    busy = [job["id"] for job in first["jobs"] + second["jobs"] if job["activity"]["in_flight"]]
    assert busy == [jobs[102]["id"], jobs[0]["id"]]
    assert yard.call("GET", "/jobs", query={"include": "activity", "limit": 2}).data["next_cursor"]


def test_runs_that_retention_removed_are_not_shown(yard: Yard) -> None:
    """They stay counted."""
    yard.set_up(replace(yard.system.settings, run_retention_days=3))
    job = yard.create()
    yard.finish(yard.trigger(job))
    yard.clock.move(days=2)
    yard.finish(yard.trigger(job))
    assert len(activity(yard, job)["recent_runs"]) == 2
    yard.clock.move(days=1, minutes=1)
    found = activity(yard, job)
    assert len(found["recent_runs"]) == 1
    assert found["run_counts"]["succeeded"] == 2


@pytest.mark.parametrize("exit_code", [0, 1])
def test_the_counts_of_a_job_take_one_kilobyte_unless_its_runs_fail(
    yard: Yard, exit_code: int
) -> None:
    """One write unit a kilobyte (DynamoDB, read/write capacity): a code takes some room."""
    job = yard.create()
    for _ in range(KEPT):
        yard.finish(yard.trigger(job), exit_code=exit_code)
    (item,) = [
        item
        for item in yard.system.database.client.scan(TableName=yard.system.settings.runs_table)[
            "Items"
        ]
        if item["sk"]["S"] == "stats"
    ]
    size = sum(len(name) + _size(value) for name, value in item.items())
    assert (size <= 1024) == (exit_code == 0), size


def _size(value: dict[str, Any]) -> int:
    """As AWS counts (DynamoDB item sizes and formats)."""
    ((kind, inner),) = value.items()
    if kind == "L":
        return 3 + sum(1 + _size(each) for each in inner)
    return len(str(inner)) // 2 + 2 if kind == "N" else len(inner)


@given(st.binary(min_size=10, max_size=10))
def test_a_packed_id_is_the_same_id(randomness: bytes) -> None:
    """Whatever its digits."""
    milliseconds = int(START.timestamp() * 1000).to_bytes(6, "big")
    run_id = ids.run_of_bytes(milliseconds + randomness)
    assert ids.run_as_bytes(run_id) == milliseconds + randomness
    assert ids.RUN.fullmatch(run_id)
