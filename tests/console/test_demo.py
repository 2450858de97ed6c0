"""The demo's history, as the API tells it: whole, and in agreement with itself."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from tests.console.project import Json, Project

SLOTS = {"skipped_overlap", "missed_deadline"}


@pytest.fixture(scope="module")
def jobs(demo: Project) -> dict[str, Json]:
    return {job["name"]: job for job in demo.api.jobs(include_activity=True)}


@pytest.fixture(scope="module")
def runs(demo: Project, jobs: dict[str, Json]) -> dict[str, list[Json]]:
    return {name: list(demo.api.job_runs(job["id"])) for name, job in jobs.items()}


def outcome(run: Json) -> str:
    return "skipped" if (run["error"] or {}).get("code") in SLOTS else str(run["status"])


def test_a_month_of_every_kind_of_end(jobs: dict[str, Json], runs: dict[str, list[Json]]) -> None:
    """A dozen jobs, hundreds of runs, each error that a run can end with, and retries."""
    every = [run for found in runs.values() for run in found]
    assert len(jobs) == 12
    assert len(every) > 500
    assert {run["error"]["code"] for run in every if run["error"]} == {
        "nonzero_exit", "out_of_memory", "timed_out", "image_pull_failed", "start_failed",
        "capacity_unavailable", "infrastructure", "lost", "cancelled_by_user", "replaced",
        "skipped_overlap", "missed_deadline",
    }  # fmt: skip
    assert any(run["status"] == "succeeded" and run["attempt"] == 2 for run in every)
    assert all(run["error"]["hint"] for run in every if run["error"])


def test_counts_and_activity_agree_with_the_runs(
    demo: Project, jobs: dict[str, Json], runs: dict[str, list[Json]]
) -> None:
    """What was written at once is what the product would have counted one by one."""
    for name, job in jobs.items():
        counted = Counter(map(outcome, runs[name]))
        status = demo.api.job_status(job["id"])
        told = {key: number for key, number in status["run_counts"].items() if number}
        assert told == {**counted, "total": counted.total() - counted["skipped"]}, name
        ended = [run for run in runs[name] if outcome(run) in ("succeeded", "failed")]
        failures = next(
            (n for n, run in enumerate(ended) if run["status"] == "succeeded"), len(ended)
        )
        assert status["consecutive_failures"] == failures
        recent = [run["id"] for run in job["activity"]["recent_runs"]]
        assert recent == [run["id"] for run in runs[name]][:20]
        assert status["latest_run"]["id"] in {run["id"] for run in runs[name][:4]}


def test_the_projects_list_has_them_all(demo: Project, runs: dict[str, list[Json]]) -> None:
    """By both of its indexes."""
    every = {run["id"]: outcome(run) for found in runs.values() for run in found}
    assert {run["id"] for run in demo.api.project_runs()} == every.keys()
    failed = {run["id"] for run in demo.api.project_runs(status="failed")}
    assert failed == {key for key, value in every.items() if value == "failed"}


def test_no_slot_of_the_past_is_missed(jobs: dict[str, Json]) -> None:
    """The schedules go on from now."""
    now = datetime.now().astimezone()
    for job in jobs.values():
        if job["next_run_at"] is not None:
            assert datetime.fromisoformat(job["next_run_at"]) > now


def test_a_recent_run_has_output_cpu_and_memory(
    demo: Project, jobs: dict[str, Json], runs: dict[str, list[Json]]
) -> None:
    """Within its own time, and its job's output has them too."""
    run = runs["nightly-export"][0]
    lines = demo.api.run_logs(run["job_id"], run["id"])["logs"]
    assert [line["message"] for line in lines][-1] == "done"
    assert all(run["started_at"] < line["timestamp"] < run["finished_at"] for line in lines)
    merged = demo.api.job_logs(run["job_id"], since="2d")["logs"]
    assert {line["run_id"] for line in merged} >= {run["id"]}
    metrics = demo.api.run_metrics(run["job_id"], run["id"])["metrics"]
    memory = [point["value"] for point in metrics["memory_usage"]["points"]]
    assert len(memory) > 10
    assert max(memory) < run["memory_mib"] * 1024 * 1024
    assert 0 < max(point["value"] for point in metrics["cpu_usage"]["points"]) <= run["cpu"]


def test_one_job_grows_slower(runs: dict[str, list[Json]]) -> None:
    """What the plot of durations is there to show."""
    lengths = [run["duration_seconds"] for run in runs["nightly-export"]]
    assert lengths[0] > 2 * lengths[-1]
