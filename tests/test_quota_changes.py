"""What is counted where a quota is set, changed or removed, and how the audit keeps it right."""

from __future__ import annotations

from chalicelib.tables.usage import UsedJobs, UsedRuns
from tests.quotas import OTHER_PROJECT, create, in_flight, is_refused, jobs_there, limit, trigger
from tests.yard import WORKSPACE, Yard


def test_without_quotas_nothing_is_counted(yard: Yard) -> None:
    job = yard.create()
    run = yard.trigger(job)
    assert (yard.stored_job(job).counted, yard.stored(run).counted) == (None, None)
    yard.finish(run)
    yard.audit(minutes=62)
    assert yard.system.usage_table.get(UsedRuns, WORKSPACE).changes == 0
    assert yard.system.usage_table.get(UsedJobs, WORKSPACE).changes == 0
    assert yard.system.jobs_table.place("usage").done_at is None


def test_runs_that_were_in_flight_before_the_quota_are_counted_within_ten_minutes(
    yard: Yard,
) -> None:
    """The sweep looks at each within that time. More may be in flight than the quota."""
    job = yard.create()
    runs = [yard.trigger(job) for _ in range(3)]
    for run in runs:
        yard.aws.ecs.start(yard.task_of(run))
    limit(yard, runs=2)
    assert in_flight(yard) == 0
    for _ in range(11):
        yard.sweep(minutes=1)
    assert in_flight(yard) == 3
    assert "has 3 runs in flight, and its quota is 2" in trigger(yard, job).envelope["message"]
    yard.finish(runs[0])
    assert is_refused(trigger(yard, job))
    yard.finish(runs[1])
    assert trigger(yard, job).status == 201


def test_jobs_that_were_there_before_the_quota_are_counted_by_the_next_audit(
    yard: Yard,
) -> None:
    jobs = [yard.create(name=name) for name in "abc"]
    create(yard, "d", OTHER_PROJECT)
    yard.call("DELETE", f"/jobs/{jobs[0]['id']}")
    limit(yard, jobs=3)
    yard.audit(minutes=10)
    assert jobs_there(yard) == 3
    assert is_refused(create(yard, "e"))
    yard.audit(minutes=62)
    assert jobs_there(yard) == 3
    yard.call("DELETE", f"/jobs/{jobs[1]['id']}")
    assert (jobs_there(yard), create(yard, "e").status) == (2, 201)


def test_what_was_never_counted_is_never_taken_off(yard: Yard) -> None:
    """Between two quotas there was none: what was made then and ends later changes no number."""
    limit(yard, runs=5, jobs=5)
    counted = yard.create(name="a")
    counted_run = yard.trigger(counted)
    limit(yard)
    uncounted = yard.create(name="b")
    runs = [yard.trigger(counted), yard.trigger(uncounted)]
    for run in runs:
        yard.finish(run)
    yard.call("DELETE", f"/jobs/{uncounted['id']}")
    assert (in_flight(yard), jobs_there(yard)) == (1, 1)
    yard.finish(counted_run)
    yard.call("DELETE", f"/jobs/{counted['id']}")
    assert (in_flight(yard), jobs_there(yard)) == (0, 0)


def test_a_number_that_is_wrong_is_put_right_by_the_audit(yard: Yard) -> None:
    """An older version has run for a while, which takes nothing off; also where no job is left."""
    limit(yard, runs=1, jobs=1)
    yard.trigger(yard.create(name="a"))
    yard.system.clock.sleep = lambda seconds: None  # type: ignore[method-assign]  # no test waits
    for model in (UsedRuns, UsedJobs):
        usage = yard.system.usage_table.get(model, WORKSPACE)
        assert yard.system.usage_table.put_right(usage, 7)
    yard.audit(minutes=62)
    assert (in_flight(yard), jobs_there(yard)) == (1, 1)
    (job,) = yard.call("GET", "/jobs").data["jobs"]
    yard.finish(yard.runs(job)[0])
    yard.call("DELETE", f"/jobs/{job['id']}")
    assert yard.system.usage_table.put_right(yard.system.usage_table.get(UsedJobs, WORKSPACE), 7)
    assert is_refused(create(yard, "b"))
    yard.audit(minutes=62)
    assert create(yard, "b").status == 201


def test_a_number_is_not_put_right_while_something_is_counted(yard: Yard) -> None:
    """Runs are triggered between the audit's two looks, and behind the second."""
    limit(yard, runs=9)
    job = yard.create(name="a")
    yard.trigger(job)
    table = yard.system.usage_table
    assert table.put_right(table.get(UsedRuns, WORKSPACE), 5)
    yard.system.clock.sleep = lambda seconds: yard.trigger(job)  # type: ignore[method-assign, assignment]
    yard.audit(minutes=62)
    assert in_flight(yard) == 6
    read = table.get(UsedRuns, WORKSPACE)
    yard.trigger(job)
    assert not table.put_right(read, 2)
