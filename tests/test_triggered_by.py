"""Each run says who or what triggered it, and its container too knows some of it."""

from __future__ import annotations

from typing import Any

from chalicelib.tables.run_records import Run
from tests.yard import Yard


def variables(yard: Yard, task: int = -1) -> dict[str, str]:
    """The environment of a task, as its overrides set it."""
    told = yard.aws.ecs.tasks[task].overrides["containerOverrides"][0]["environment"]
    return {pair["name"]: pair["value"] for pair in told}


def by_token(yard: Yard) -> dict[str, Any]:
    (token,) = yard.system.tokens.every()
    return {"kind": "token", "id": token.token_id, "name": "test"}


def forget_trigger(yard: Yard, run: dict[str, Any]) -> Run:
    """The run as a version before `triggered_by` stored it."""
    stored = yard.stored(run)
    assert yard.system.runs_table.change(stored, {"triggered_by": None})
    return stored


def test_a_run_names_the_token_that_triggered_it(yard: Yard) -> None:
    """By id and by name, in every answer that shows the run."""
    job = yard.create()
    run = yard.trigger(job)
    assert run["triggered_by"] == by_token(yard)
    assert yard.run(run)["triggered_by"] == by_token(yard)
    assert yard.runs(job)[0]["triggered_by"] == by_token(yard)
    assert yard.status(job)["latest_run"]["triggered_by"] == by_token(yard)


def test_a_replayed_trigger_names_the_token_that_came_first(yard: Yard) -> None:
    """The run was not triggered by the second token."""
    job, key = yard.create(), {"Idempotency-Key": "k"}
    first = yard.call("POST", f"/jobs/{job['id']}/runs", headers=key).data
    yard.token = yard.make_token("run")
    again = yard.call("POST", f"/jobs/{job['id']}/runs", headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data["triggered_by"] == first["triggered_by"]


def test_a_slots_run_and_a_missed_slot_say_that_the_schedule_triggered_them(yard: Yard) -> None:
    """A slot that did not start has a record too."""
    job = yard.create(schedule="*/5 * * * *")
    yard.clock.move(minutes=10)
    yard.fire(job)
    started, missed = yard.runs(job)
    assert (started["error"], missed["error"]["code"]) == (None, "missed_deadline")
    assert started["triggered_by"] == missed["triggered_by"] == {"kind": "schedule"}
    assert variables(yard)["JOBYARD_TRIGGER"] == "schedule"


def test_the_container_knows_its_jobs_name_and_how_many_attempts_it_has(yard: Yard) -> None:
    """The name and the number are those of the claim, in each attempt."""
    job = yard.create(name="nightly", max_retries=2)
    run = yard.trigger(job)
    yard.call("PATCH", f"/jobs/{job['id']}", {"name": "other", "max_retries": 0})
    yard.finish(run, exit_code=1)
    yard.clock.move(minutes=10)
    yard.sweep()
    for attempt, task in enumerate(yard.aws.ecs.tasks, 1):
        assert task.overrides is not None
        seen = variables(yard, attempt - 1)
        assert seen["JOBYARD_ATTEMPT"] == str(attempt)
        assert (seen["JOBYARD_JOB_NAME"], seen["JOBYARD_MAX_ATTEMPTS"]) == ("nightly", "3")
    assert len(yard.aws.ecs.tasks) == 2


def test_a_run_that_an_older_version_claimed_shows_null_and_keeps_its_variables(
    yard: Yard,
) -> None:
    """ECS refuses a client token that is repeated with other overrides."""
    run = yard.trigger(yard.create(max_retries=1))
    forget_trigger(yard, run)
    assert yard.run(run)["triggered_by"] is None
    yard.finish(run, exit_code=1)
    yard.clock.move(minutes=10)
    yard.sweep()
    assert set(variables(yard)) == {"JOBYARD_JOB_ID", "JOBYARD_RUN_ID", "JOBYARD_ATTEMPT"}


def test_a_long_job_name_counts_among_the_overrides(yard: Yard) -> None:
    """What is refused at the trigger would be refused by ECS, with Jobyard's own variables."""
    fitting = {"env": {"A": "x" * 7_550}}
    assert yard.trigger(yard.create(name="n"), **fitting)
    job = yard.create(name="ü" * 128)
    answer = yard.call("POST", f"/jobs/{job['id']}/runs", fitting)
    assert (answer.status, answer.envelope["code"]) == (422, "overrides_too_large")
