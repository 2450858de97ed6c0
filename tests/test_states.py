"""
What ECS reports about a stopped task, and our verdict: a table of documented payloads.

Each payload has only the fields in which it differs, and its source stands beside it. "Guide" is
the ECS developer guide ("Stopped tasks error messages", "Viewing stopped task errors", "Amazon ECS
task state change events", "API failure reasons"); the others are issues of public projects.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import ecs_task, verdicts
from tests.task_cases_not_started import NOT_STARTED_CASES
from tests.task_cases_started import STARTED_CASES
from tests.task_payloads import ENDED, NOT_STARTED, STOPPED, Case, payload

CASES = [*STARTED_CASES, *NOT_STARTED_CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_payload_of_a_stopped_task_gives_its_verdict(case: Case) -> None:
    """The verdict has a status, an error with a message, and whether another launch may help."""
    verdict = verdicts.verdict(ecs_task.read_task(case.task))
    assert verdict.error is None or verdict.error.message
    assert (verdict.error.code if verdict.error else None) == case.code
    assert verdict.succeeded is (case.code is None)
    assert verdict.exit_code == case.exit_code
    assert verdict.may_pass is case.may_pass
    assert case.says in (verdict.error.message if verdict.error else "")


@given(
    stop_code=st.none() | st.sampled_from(
        ["EssentialContainerExited", "TaskFailedToStart", "UserInitiated", "SpotInterruption",
         "TerminationNotice", "InfrastructureHealth", "ServiceSchedulerInitiated", "New"]
    ),
    stopped_reason=st.none() | st.text(max_size=40),
    exit_code=st.none() | st.integers(0, 255),
    reason=st.none() | st.text(max_size=40),
    started=st.booleans(),
    has_container=st.booleans(),
)  # fmt: skip
def test_only_exit_code_0_of_a_container_that_ended_by_itself_is_a_success(
    stop_code: str | None,
    stopped_reason: str | None,
    exit_code: int | None,
    reason: str | None,
    started: bool,
    has_container: bool,
) -> None:
    """A field that is absent or has an unknown value never makes a success."""
    task = payload(
        stop_code,
        stopped_reason,
        exit_code=exit_code,
        reason=reason,
        started=started,
        containers=None if has_container else [],
    )
    verdict = verdicts.verdict(ecs_task.read_task(task))
    assert verdict.succeeded is (verdict.error is None)
    if verdict.succeeded:
        assert exit_code == 0
        assert has_container
        assert stop_code in (None, "EssentialContainerExited")
    else:
        assert verdict.error is not None
        assert verdict.error.message
        assert verdict.error.hint


def test_a_task_reads_the_same_from_an_event_and_from_an_answer() -> None:
    """Times are text in events and datetimes in answers."""
    told = payload(exit_code=0)
    times = ("createdAt", "startedAt", "executionStoppedAt", "stoppedAt")
    described = told | {name: datetime.fromisoformat(told[name]) for name in times}
    task = ecs_task.read_task(told)
    assert task == ecs_task.read_task(described)
    assert task.started_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_runs_duration_ends_with_its_container_not_with_its_task() -> None:
    """`executionStoppedAt` comes before `stoppedAt`; a task that never ran has only `stoppedAt`."""
    assert ecs_task.read_task(payload(exit_code=0)).stopped_at == datetime.fromisoformat(ENDED)
    never = ecs_task.read_task(payload(**NOT_STARTED))
    assert never.stopped_at == datetime.fromisoformat(STOPPED)


def test_started_by_leads_from_a_task_to_its_run() -> None:
    """A task that Jobyard did not start has no owner."""
    assert ecs_task.owner(ecs_task.started_by("job_1", "run_2", 3)) == ("job_1", "run_2", 3)
    assert len(ecs_task.started_by("job_" + "0" * 26, "run_" + "0" * 26, 11)) <= 128
    for foreign in ("", "ecs-svc/9223370545345641169", "a/b/c", "job_1/run_1", "job_1/run_1/x",
                    "job_1/run_1/²"):  # fmt: skip
        assert ecs_task.owner(foreign) is None
