"""The transitions of a run do what the table of states shows, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain import time_limits, transitions
from chalicelib.domain.refusals import refused
from chalicelib.domain.run_step import Step
from chalicelib.domain.state_table import TABLE, Happens, State, Then, state_of
from tests.sample_runs import (
    HOUR,
    MINUTE,
    NOW,
    Run,
    could_not_start,
    interrupted,
    running,
    stopped,
    task,
)

LATER = NOW + 3 * HOUR
STARTED: dict[str, Any] = {
    "status": "running",
    "started_at": NOW,
    "attempt_started_at": NOW,
    "event_version": 3,
}
RUNS: dict[State, Run] = {
    State.WAITING: Run(task_arn=None, requested_at=None),
    State.ASKED: Run(task_arn=None),
    State.STARTING: Run(),
    State.RUNNING: Run(**STARTED),
    State.STOPPING: Run(**STARTED, stop_reason="timed_out", stopping_since=NOW),
    State.RETRYING: Run(
        status="running",
        attempt=2,
        launch=2,
        max_attempts=2,
        task_arn=None,
        requested_at=None,
        past_attempts=[{"attempt": 1, "task_arn": "arn:task/0"}],
    ),
    State.CANCELLING: Run(status="cancelled", stop_reason="replaced", stopping_since=NOW),
    State.SUCCEEDED: Run(status="succeeded", live=None, finished_at=NOW),
    State.FAILED: Run(status="failed", live=None, finished_at=NOW),
    State.CANCELLED: Run(status="cancelled", live=None, finished_at=NOW),
}


def _with_retry(run: Run) -> Step | None:
    run.max_attempts = 2
    return transitions.seen(run, stopped(1), NOW + MINUTE)


def _forgotten(run: Run) -> Step | None:
    run.missing_at = NOW
    return time_limits.missing(run, LATER)


def _unanswered(run: Run) -> Step | None:
    if run.status == "cancelled":
        run.task_arn = None
    return time_limits.unanswered(run, LATER)


HAPPENS: dict[Happens, Callable[[Run], Step | None]] = {
    Happens.TASK_RUNS: lambda run: transitions.seen(run, running(), NOW + MINUTE),
    Happens.TASK_SUCCEEDED: lambda run: transitions.seen(run, stopped(0), NOW + MINUTE),
    Happens.TASK_FAILED: lambda run: transitions.seen(run, stopped(1), NOW + MINUTE),
    Happens.TASK_FAILED_WITH_RETRY: _with_retry,
    Happens.COULD_NOT_START: lambda run: transitions.seen(run, could_not_start(), NOW),
    Happens.INTERRUPTED: lambda run: transitions.seen(run, interrupted(), NOW + MINUTE),
    Happens.REFUSED_FOR_NOW: lambda run: time_limits.turned_down(
        run, refused("RESOURCE:ENI", ""), NOW
    ),
    Happens.REFUSED: lambda run: time_limits.turned_down(
        run, refused("ClientException", "TaskDefinition is inactive"), NOW
    ),
    Happens.CANCEL: lambda run: transitions.cancelled(run, "cancelled_by_user", NOW),
    Happens.TIME_IS_UP: lambda run: time_limits.overdue(run, LATER),
    Happens.TASK_FORGOTTEN: _forgotten,
    Happens.STILL_UNANSWERED: _unanswered,
    Happens.OLD_TASK_RUNS: lambda run: transitions.seen(
        run, task("RUNNING", 9, taskArn="arn:task/old", startedBy="job_1/run_1/0"), NOW
    ),
}


@pytest.mark.parametrize("state", State)
def test_every_state_of_the_table_is_one_that_a_run_can_be_in(state: State) -> None:
    """The runs of this test are in the states for which they stand."""
    assert state_of(RUNS[state]) is state


@pytest.mark.parametrize(("state", "happens"), TABLE, ids=lambda each: each.name)
def test_the_code_does_what_the_table_shows(state: State, happens: Happens) -> None:
    """The step leads to the table's state, and counts, stops and releases as the table says."""
    run = Run(**vars(RUNS[state]))
    step = HAPPENS[happens](run) or Step()
    after = run.apply(step)
    found = Then(
        state_of(after),
        is_counted=step.outcome is not None,
        stops=step.stop is not None,
        releases=step.releases_waiting_runs,
    )
    assert found == TABLE[state, happens]
    assert step.leaves_flight == TABLE[state, happens].releases_line(state)


@pytest.mark.parametrize("happens", Happens)
def test_every_event_has_cells_in_the_states_that_it_can_happen_in(happens: Happens) -> None:
    """A task can run or end in every state in which a run may have a task."""
    states = {state for state, what in TABLE if what is happens}
    assert states
    if happens in (
        Happens.TASK_RUNS,
        Happens.TASK_SUCCEEDED,
        Happens.TASK_FAILED,
        Happens.INTERRUPTED,
    ):
        assert states == set(State) - {State.WAITING, State.RETRYING}
    if happens is Happens.CANCEL:
        assert states == {state for state in State if RUNS[state].status in ("pending", "running")}


def test_a_terminal_status_never_changes() -> None:
    """No cell of the table changes it."""
    for (state, _), then in TABLE.items():
        before = RUNS[state].status
        if before in ("succeeded", "failed", "cancelled"):
            assert RUNS[then.state].status == before
            assert not then.is_counted


def test_every_waiting_state_has_a_time_limit() -> None:
    """Each state in which a run may have a task has a cell that time alone triggers."""
    by_time = {Happens.TIME_IS_UP, Happens.TASK_FORGOTTEN, Happens.STILL_UNANSWERED}
    with_task = {State.ASKED, State.STARTING, State.RUNNING, State.STOPPING, State.CANCELLING}
    assert with_task <= {state for state, what in TABLE if what in by_time}
