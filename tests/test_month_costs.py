"""The costs that the API shows: of runs, of a job this month, and of a project in a month."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.yard import PROJECT, WORKSPACE, Yard


@pytest.fixture
def virginia(yard: Yard) -> Yard:
    """A stage in us-east-1, whose containers have public addresses."""
    yard.set_up(replace(yard.system.settings, region="us-east-1", assign_public_ip=True))
    return yard


def ran(yard: Yard, job: dict[str, Any], seconds: float = 90, exit_code: int = 0) -> dict[str, Any]:
    """A run whose task is billed for so long."""
    run = yard.trigger(job)
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yard.deliver()
    yard.clock.move(seconds=seconds)
    yard.aws.ecs.stop(arn, exit_code=exit_code)
    yard.deliver()
    return yard.run(run)


def costs(yard: Yard, **query: str) -> dict[str, Any]:
    answer = yard.call("GET", "/cost", query=query)
    assert answer.status == 200, answer.envelope
    return dict(answer.data)


def this_month(yard: Yard, job: dict[str, Any]) -> float | None:
    """What the status says, and the list of jobs says the same."""
    listed = yard.call("GET", "/jobs", query={"include": "activity"}).data["jobs"]
    (activity,) = (one["activity"] for one in listed if one["id"] == job["id"])
    of_status: float | None = yard.status(job)["cost_this_month"]
    assert activity["cost_this_month"] == of_status
    return of_status


def exact(*amounts: float) -> float:
    return float(sum(Decimal(str(amount)) for amount in amounts))


def test_a_run_shows_what_it_costs(virginia: Yard) -> None:
    """Null before its task started, so far while it runs, and in the end what its task was."""
    job = virginia.create()
    run = virginia.trigger(job)
    assert run["cost"] is None
    arn = virginia.task_of(run)
    virginia.aws.ecs.start(arn)
    virginia.deliver()
    virginia.clock.move(seconds=75)
    assert virginia.run(run)["cost"]["vcpu_seconds"] == 75 * 0.25
    virginia.clock.move(seconds=15)
    virginia.aws.ecs.stop(arn)
    virginia.deliver()
    done = virginia.run(run)
    assert done["cost"] == {
        "usd": 0.000433563,
        "vcpu_seconds": 22.5,
        "gib_seconds": 45.0,
        "price_date": "2026-11-28",
        "is_estimate": True,
    }
    assert [attempt["cost"] for attempt in done["attempts"]] == [done["cost"]]
    virginia.clock.move(hours=5)
    assert virginia.run(run)["cost"] == done["cost"]


def test_the_sums_of_a_month_are_those_of_its_runs_to_the_last_digit(virginia: Yard) -> None:
    """By job, in the project, and in the job's own answers."""
    jobs = [virginia.create(name=name) for name in ("a", "b")]
    runs = [[ran(virginia, job, seconds) for seconds in (61, 90, 333.3)] for job in jobs]
    ran(virginia, jobs[1], 4000, exit_code=1)
    sums = [exact(*(run["cost"]["usd"] for run in of_job)) for of_job in runs]
    failed = virginia.runs(jobs[1])[0]["cost"]["usd"]
    sums[1] = exact(sums[1], failed)
    assert costs(virginia) == {
        "month": "2026-11",
        "jobs": [
            {"job_id": jobs[1]["id"], "job_name": "b", "usd": sums[1], "runs": 4}
            | {"runs_without_price": 0},
            {"job_id": jobs[0]["id"], "job_name": "a", "usd": sums[0], "runs": 3}
            | {"runs_without_price": 0},
        ],
        "usd": exact(*sums),
    }
    assert [this_month(virginia, job) for job in jobs] == sums


def test_a_run_counts_whole_in_the_month_in_which_it_ended(virginia: Yard) -> None:
    """Also what of it was before; and each month begins at zero."""
    virginia.clock.at = datetime(2026, 11, 30, 23, 50, tzinfo=UTC)
    job = virginia.create()
    first = ran(virginia, job, 60)
    over_midnight = ran(virginia, job, 1800)
    assert virginia.clock().month == 12
    assert costs(virginia, month="2026-11")["usd"] == first["cost"]["usd"]
    assert costs(virginia, month="2026-12")["usd"] == over_midnight["cost"]["usd"]
    assert this_month(virginia, job) == over_midnight["cost"]["usd"]
    virginia.clock.at = datetime(2027, 1, 15, tzinfo=UTC)
    assert this_month(virginia, job) == 0
    assert costs(virginia) == {"month": "2027-01", "jobs": [], "usd": 0}
    again = ran(virginia, job, 60)
    assert this_month(virginia, job) == again["cost"]["usd"]


def test_events_that_come_twice_and_late_are_summed_once(virginia: Yard) -> None:
    """The sum is made in the write that ends the run, which happens once."""
    job = virginia.create()
    run = virginia.trigger(job)
    arn = virginia.task_of(run)
    virginia.aws.ecs.start(arn)
    virginia.clock.move(seconds=90)
    virginia.aws.ecs.stop(arn)
    events = virginia.take_events()
    for event in (events[-1], *events, *reversed(events)):
        virginia.deliver(event)
    virginia.sweep(minutes=15)
    assert costs(virginia)["jobs"][0]["runs"] == 1
    assert this_month(virginia, job) == virginia.run(run)["cost"]["usd"] == 0.000433563


def test_a_cancelled_run_is_summed_when_its_task_has_stopped(virginia: Yard) -> None:
    """Only then is known what it costs; one that never had a task is in no sum."""
    job = virginia.create()
    run = virginia.trigger(job)
    arn = virginia.task_of(run)
    virginia.aws.ecs.start(arn)
    virginia.deliver()
    virginia.clock.move(seconds=100)
    assert virginia.call("POST", f"/jobs/{job['id']}/runs/{run['id']}/cancel").status == 200
    assert costs(virginia)["jobs"] == []
    virginia.clock.move(seconds=20)
    virginia.aws.ecs.stop(arn, exit_code=143)
    virginia.deliver()
    assert virginia.run(run)["cost"]["vcpu_seconds"] == 120 * 0.25
    assert this_month(virginia, job) == virginia.run(run)["cost"]["usd"]
    assert virginia.counts(job) == {"cancelled": 1, "total": 1}


def test_the_sum_of_a_deleted_job_stays_in_its_project(virginia: Yard) -> None:
    """The money was spent. Its name stays with it; a new job of that name has a sum of its own."""
    job = virginia.create(name="gone")
    spent = ran(virginia, job)["cost"]["usd"]
    running = virginia.trigger(job)
    arn = virginia.task_of(running)
    virginia.aws.ecs.start(arn)
    virginia.deliver()
    assert virginia.call("DELETE", f"/jobs/{job['id']}").status == 200
    virginia.clock.move(seconds=90)
    virginia.aws.ecs.stop(arn, exit_code=143)
    virginia.deliver()
    virginia.sweep(minutes=2)
    assert virginia.system.runs_table.counts_of([job["id"]]) == [None]
    (left,) = costs(virginia)["jobs"]
    assert (left["job_name"], left["runs"], left["usd"]) == ("gone", 2, exact(spent, spent))
    ran(virginia, virginia.create(name="gone"))
    assert len(costs(virginia)["jobs"]) == 2
    record = virginia.system.month_costs.of_project(f"{WORKSPACE}#{PROJECT}", "2026-11")[0]
    assert (record.expires - virginia.clock()).days == 799


def test_a_region_without_prices_answers_null_and_not_zero(yard: Yard) -> None:
    """For a run, for a job, and for the project, which says how many runs it leaves out."""
    yard.set_up(replace(yard.system.settings, region="ap-southeast-7"))
    job = yard.create()
    assert this_month(yard, job) is None
    run = ran(yard, job)
    assert (run["cost"], run["attempts"][0]["cost"]) == (None, None)
    assert this_month(yard, job) is None
    found = costs(yard)
    assert found["usd"] is None
    assert found["jobs"][0] | {"job_id": ""} == {
        "job_id": "",
        "job_name": job["name"],
        "usd": None,
        "runs": 1,
        "runs_without_price": 1,
    }


def test_a_run_keeps_the_prices_that_it_was_triggered_with(virginia: Yard) -> None:
    """A new setting, like a new list of prices, is for new runs."""
    job = virginia.create()
    first = ran(virginia, job)["cost"]["usd"]
    virginia.set_up(replace(virginia.system.settings, container_insights="enhanced"))
    second = ran(virginia, job)["cost"]["usd"]
    assert exact(second, -first) == 0.00239726
    assert virginia.runs(job)[1]["cost"]["usd"] == first


def test_a_month_is_four_digits_and_two(virginia: Yard) -> None:
    """Anything else is a bad query, and a month without runs is empty."""
    for month in ("2026-13", "2026-1", "november", "2026-11-01", ""):
        assert virginia.call("GET", "/cost", query={"month": month}).status == 400, month
    assert costs(virginia, month="1999-01") == {"month": "1999-01", "jobs": [], "usd": 0}
