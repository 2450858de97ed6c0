"""What a run becomes when something is learnt about it: in any order, any number of times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import ecs_task, time_limits, transitions
from chalicelib.domain.ecs_task import Task
from chalicelib.domain.refusals import refused
from chalicelib.domain.run_step import Step

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass
class Run:
    """As much of a run as the transitions read; launched at NOW, its task known."""

    status: str = "pending"
    live: str | None = "run_1"
    attempt: int = 1
    launch: int = 1
    max_attempts: int = 1
    task_arn: str | None = "arn:task/1"
    event_version: int | None = None
    started_at: datetime | None = None
    attempt_started_at: datetime | None = None
    past_attempts: list[dict[str, Any]] | None = None
    spent_tasks: list[str] | None = None
    stop_reason: str | None = None
    stopping_since: datetime | None = None
    requested_at: datetime | None = NOW
    waiting_since: datetime | None = NOW
    refusal: dict[str, str] | None = None
    timeout_seconds: int = 600
    seen_at: datetime | None = None
    missing_at: datetime | None = None
    finished_at: datetime | None = None
    created_at: datetime = NOW
    scheduled_for: datetime | None = None
    # stored, and read by nobody here
    look_at: datetime | None = NOW
    observed_at: datetime | None = None
    retry_at: datetime | None = None
    waits_for: list[str] | None = None
    exit_code: int | None = None
    error: dict[str, str] | None = None

    def apply(self, step: Step | None) -> Run:
        """The run once that step is stored."""
        return self if step is None else replace(self, **step.changes)


RUNNING = Run(
    status="running",
    event_version=3,
    started_at=NOW,
    attempt_started_at=NOW,
    seen_at=NOW,
)


@dataclass
class Told:
    """A task, told in the words of ECS."""

    raw: dict[str, Any] = field(default_factory=dict)

    def task(self) -> Task:
        base = {
            "taskArn": "arn:task/1",
            "version": 1,
            "lastStatus": "PROVISIONING",
            "startedBy": "job_1/run_1/1",
            "createdAt": NOW,
        }
        return ecs_task.read_task(base | self.raw)


def task(status: str = "PROVISIONING", version: int = 1, **more: Any) -> Task:
    return Told({"lastStatus": status, "version": version, **more}).task()


def running(version: int = 3, **more: Any) -> Task:
    return task("RUNNING", version, startedAt=NOW + MINUTE, **more)


def stopped(exit_code: int | None = 0, version: int = 5, **more: Any) -> Task:
    container = {"name": "main", "exitCode": exit_code}
    told = {
        "startedAt": NOW + MINUTE,
        "stoppedAt": NOW + 2 * MINUTE,
        "stopCode": "EssentialContainerExited",
        "containers": [container if exit_code is not None else {"name": "main"}],
    }
    return task("STOPPED", version, **(told | more))


def could_not_start(reason: str = "Timeout waiting for network interface provisioning to complete.",
                    **more: Any) -> Task:  # fmt: skip
    told = {"startedAt": None, "stopCode": "TaskFailedToStart", "stoppedReason": reason}
    return stopped(None, **(told | more))


# --- seen -------------------------------------------------------------------------------------


def test_a_run_is_running_once_its_task_is() -> None:
    """And is looked at again at its time-out, or in ten minutes."""
    run = Run().apply(transitions.seen(Run(), running(), NOW + MINUTE))
    assert (run.status, run.started_at) == ("running", NOW + MINUTE)
    assert run.look_at == NOW + 11 * MINUTE
    short = Run(timeout_seconds=60)
    assert short.apply(transitions.seen(short, running(), NOW)).look_at == NOW + 2 * MINUTE


def test_running_may_never_be_seen() -> None:
    """The first that is heard of a task may be its end."""
    step = transitions.seen(Run(), stopped(0), NOW + 3 * MINUTE)
    assert step is not None
    run = Run().apply(step)
    assert step.outcome == run.status == "succeeded"
    assert (run.started_at, run.finished_at) == (NOW + MINUTE, NOW + 2 * MINUTE)
    assert run.live is None
    assert run.look_at is None


STORY = [
    task("PROVISIONING", 1),
    task("PENDING", 2),
    running(3),
    running(4, stopCode="EssentialContainerExited"),
]


@given(
    story=st.lists(st.sampled_from(STORY), max_size=8),
    exit_code=st.sampled_from([0, 3, None]),
    late=st.lists(st.sampled_from(STORY), max_size=4),
    times=st.integers(1, 3),
)
def test_the_order_in_which_a_task_is_seen_does_not_matter(
    story: list[Task], exit_code: int | None, late: list[Task], times: int
) -> None:
    """Whatever came before the end, in whatever order and however often, and whatever after."""
    run = Run()
    for seen in [*story, *[stopped(exit_code)] * times, *late]:
        run = run.apply(transitions.seen(run, seen, NOW + 3 * MINUTE))
    alone = Run().apply(transitions.seen(Run(), stopped(exit_code), NOW + 3 * MINUTE))
    for name in ("status", "exit_code", "error", "finished_at", "past_attempts", "live", "look_at"):
        assert getattr(run, name) == getattr(alone, name), name


def test_what_is_older_or_known_changes_nothing() -> None:
    """Events come twice and out of order; DescribeTasks may lag."""
    assert transitions.seen(RUNNING, task("PENDING", 2), NOW) is None
    assert transitions.seen(RUNNING, running(3), NOW) is None
    over = RUNNING.apply(transitions.seen(RUNNING, stopped(0), NOW))
    assert transitions.seen(over, running(3), NOW) is None
    assert transitions.seen(over, stopped(0), NOW) is None


def test_an_event_may_come_before_the_answer_to_the_launch() -> None:
    """The task is then known by whose it is."""
    asked = Run(task_arn=None)
    assert asked.apply(transitions.seen(asked, task(), NOW)).task_arn == "arn:task/1"
    assert asked.apply(transitions.seen(asked, running(), NOW)).status == "running"
    assert asked.apply(transitions.seen(asked, stopped(1), NOW)).status == "failed"


@pytest.mark.parametrize(
    "run",
    [
        Run(task_arn="arn:task/2"),
        Run(task_arn=None, requested_at=None, attempt=2),
        Run(task_arn=None, attempt=2),
        Run(task_arn=None, spent_tasks=["arn:task/1"]),
        Run(task_arn=None, requested_at=None),
        Run(status="failed", live=None, task_arn=None),
        Run(status="cancelled", live=None, task_arn=None, stop_reason="replaced"),
        Run(status="failed", live=None, event_version=2),
    ],
    ids=str,
)
def test_a_task_that_nobody_waits_for_must_not_go_on(run: Run) -> None:
    """Of an earlier attempt or launch, or of a run that was given up; stopped, it is no news."""
    step = transitions.seen(run, running(3), NOW)
    assert step == Step(stop="arn:task/1")
    assert transitions.seen(run, stopped(0), NOW) is None


def test_a_failed_attempt_is_retried_after_ten_seconds_doubling_to_six_minutes() -> None:
    """Each with a task of its own; the run goes on running, and the last one decides."""
    run = Run(max_attempts=8)
    waits = []
    for attempt in range(1, 8):
        run = run.apply(transitions.seen(run, stopped(1), NOW))
        assert run.retry_at is not None
        waits.append((run.retry_at - NOW).total_seconds())
        assert (run.status, run.attempt, run.task_arn) == ("running", attempt + 1, None)
        assert run.look_at == run.retry_at
        run = replace(run, requested_at=NOW, task_arn="arn:task/1", retry_at=None)
    assert waits == [10, 20, 40, 80, 160, 320, 360]
    run = run.apply(transitions.seen(run, stopped(2), NOW))
    assert (run.status, run.exit_code, run.live) == ("failed", 2, None)
    assert [past["attempt"] for past in run.past_attempts or []] == list(range(1, 9))
    assert run.launch == 8


def test_a_start_that_may_pass_is_launched_again_within_its_attempt() -> None:
    """At most five times, ever later, without using up a retry."""
    run = Run(max_attempts=2)
    waits = []
    for number in range(5):
        arn = f"arn:task/{number}"
        run = replace(run, task_arn=arn, requested_at=NOW)
        run = run.apply(transitions.seen(run, could_not_start(taskArn=arn), NOW))
        assert (run.status, run.attempt, run.task_arn) == ("pending", 1, None)
        assert run.look_at is not None
        waits.append((run.look_at - NOW).total_seconds())
    assert waits == sorted(waits)
    assert run.launch == 6
    run = replace(run, task_arn="arn:task/5", requested_at=NOW)
    run = run.apply(transitions.seen(run, could_not_start(taskArn="arn:task/5"), NOW))
    assert (run.status, run.attempt) == ("running", 2)
    assert run.past_attempts is not None
    assert run.past_attempts[0]["error"]["code"] == "start_failed"


# --- stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "stays_live", "stops"),
    [
        (Run(), True, "arn:task/1"),
        (RUNNING, True, "arn:task/1"),
        (Run(task_arn=None), True, None),
        (Run(task_arn=None, requested_at=None), False, None),
        (replace(RUNNING, stop_reason="timed_out"), True, "arn:task/1"),
    ],
)
def test_a_cancel_is_final_at_once_and_lives_until_its_task_has_stopped(
    run: Run, stays_live: bool, stops: str | None
) -> None:
    """A run that was never asked for is over; one whose launch went unanswered is watched."""
    step = transitions.cancelled(run, "cancelled_by_user", NOW)
    after = run.apply(step)
    assert (step.outcome, after.status) == ("cancelled", "cancelled")
    assert (after.live is not None, step.stop) == (stays_live, stops)
    assert (after.look_at is not None) is stays_live
    assert (after.finished_at is None) is stays_live


def test_a_cancelled_runs_end_fills_in_and_frees_and_changes_no_verdict() -> None:
    """Even where the container ended well in the meantime."""
    run = RUNNING.apply(transitions.cancelled(RUNNING, "replaced", NOW))
    step = transitions.seen(run, stopped(0), NOW + 3 * MINUTE)
    assert step is not None
    after = run.apply(step)
    assert (after.status, step.outcome, step.releases_waiting_runs) == ("cancelled", None, True)
    assert (after.exit_code, after.finished_at, after.live) == (0, NOW + 2 * MINUTE, None)
    without_time = transitions.seen(run, stopped(0, stoppedAt=None), NOW + 3 * MINUTE)
    assert run.apply(without_time).finished_at == NOW + 3 * MINUTE


def test_a_cancelled_launch_whose_task_turns_up_is_stopped() -> None:
    """By its event, whichever state it shows."""
    asked = Run(task_arn=None)
    run = asked.apply(transitions.cancelled(asked, "cancelled_by_user", NOW))
    step = transitions.seen(run, running(), NOW)
    assert step is not None
    assert step.stop == "arn:task/1"
    assert run.apply(step).task_arn == "arn:task/1"


def test_what_runs_too_long_is_stopped_and_has_timed_out_whatever_its_end() -> None:
    """From the task's start; the reason is stored before the stop, and decides."""
    assert time_limits.overdue(RUNNING, NOW + 10 * MINUTE - timedelta(seconds=1)) is None
    step = time_limits.overdue(RUNNING, NOW + 10 * MINUTE)
    assert step is not None
    assert step.stop == "arn:task/1"
    run = RUNNING.apply(step)
    assert time_limits.overdue(run, NOW + 11 * MINUTE) is None
    after = run.apply(transitions.seen(run, stopped(0), NOW + 11 * MINUTE))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "timed_out")
    assert "600 s" in after.error["message"]


def test_a_task_that_has_not_started_within_an_hour_has_failed_to() -> None:
    """Counted from its own launch, not from the first."""
    late = Run(requested_at=NOW + 30 * MINUTE)
    assert time_limits.overdue(late, NOW + HOUR) is None
    step = time_limits.overdue(Run(), NOW + HOUR)
    run = Run().apply(step)
    told = stopped(None, startedAt=None, stopCode="UserInitiated", stoppedReason="Jobyard")
    after = run.apply(transitions.seen(run, told, NOW + HOUR))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "start_failed")


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (3, "failed")])
def test_a_task_that_started_and_ended_before_it_could_be_stopped_is_judged_by_its_end(
    code: int, status: str
) -> None:
    """It was given up for not starting, and StopTask came too late."""
    run = Run().apply(time_limits.overdue(Run(), NOW + HOUR))
    after = run.apply(transitions.seen(run, stopped(code), NOW + HOUR + MINUTE))
    assert (after.status, after.exit_code) == (status, code)
    assert (after.error or {}).get("code") == (None if code == 0 else "nonzero_exit")


# --- refused, unanswered, missing ---------------------------------------------------------------


def test_want_of_capacity_is_waited_out_for_a_day() -> None:
    """Ever more rarely, up to every five minutes, as another launch of the same attempt."""
    none = refused("Capacity is unavailable at this time.", "")
    for waited, delay in [(0, 5), (60, 6), (1200, 120), (36_000, 300)]:
        now = NOW + timedelta(seconds=waited)
        run = Run(task_arn=None)
        after = run.apply(time_limits.turned_down(run, none, now))
        assert after.look_at is not None
        assert (after.look_at - now).total_seconds() == delay
        assert (after.status, after.launch, after.requested_at) == ("pending", 2, None)
    run = Run(task_arn=None)
    after = run.apply(time_limits.turned_down(run, none, NOW + 24 * HOUR))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "capacity_unavailable")


def test_a_refusal_that_will_not_pass_ends_the_attempt() -> None:
    """It is retried as any failed attempt, since only its words say that it will not."""
    no = refused("AccessDeniedException", "no")
    run = Run(task_arn=None, max_attempts=2)
    after = run.apply(time_limits.turned_down(run, no, NOW))
    assert (after.status, after.attempt) == ("running", 2)
    over = replace(after, max_attempts=2).apply(time_limits.turned_down(after, no, NOW))
    assert over.error is not None
    assert (over.status, over.error["code"]) == ("failed", "start_failed")


def test_an_unanswered_launch_is_given_up_after_an_hour() -> None:
    """With what ECS said when it was asked again, if it did."""
    run = Run(task_arn=None)
    waiting = time_limits.unanswered(run, NOW + 59 * MINUTE)
    assert waiting.changes == {"look_at": NOW + 60 * MINUTE}
    after = run.apply(time_limits.unanswered(run, NOW + HOUR))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "start_failed")
    said = Run(task_arn=None, refusal={"code": "start_failed", "message": "No such subnet."})
    after = said.apply(time_limits.unanswered(said, NOW + HOUR))
    assert after.error is not None
    assert "No such subnet." in after.error["message"]


def test_a_cancelled_unanswered_launch_is_watched_for_five_minutes() -> None:
    """Longer than any function of ours can still be asking."""
    asked = Run(task_arn=None)
    run = asked.apply(transitions.cancelled(asked, "job_deleted", NOW))
    assert time_limits.unanswered(run, NOW + 4 * MINUTE).changes.get("look_at")
    step = time_limits.unanswered(run, NOW + 5 * MINUTE)
    assert (run.apply(step).live, step.releases_waiting_runs) == (None, True)


def test_a_task_missing_right_after_its_launch_means_nothing_and_is_looked_for_soon() -> None:
    """DescribeTasks lags behind RunTask; a short time-out must be kept all the same."""
    step = time_limits.missing(Run(), NOW + timedelta(seconds=1))
    assert step is not None
    assert step.changes["look_at"] == NOW + timedelta(seconds=61)
    assert step.outcome is None


def test_a_run_is_lost_after_two_misses_ten_minutes_apart_and_an_hour_after_it_was_seen() -> None:
    """Neither alone is enough."""
    run = RUNNING.apply(time_limits.missing(RUNNING, NOW + 30 * MINUTE))
    for minutes in (31, 45, 60):
        step = time_limits.missing(run, NOW + minutes * MINUTE)
        assert step is not None
        assert step.outcome is None, minutes
        run = run.apply(step)
    step = time_limits.missing(run, NOW + 61 * MINUTE)
    assert step is not None
    after = run.apply(step)
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "lost")
    once = time_limits.missing(RUNNING, NOW + 5 * HOUR)
    assert once is not None
    assert once.outcome is None
    again = RUNNING.apply(once)
    early = time_limits.missing(again, NOW + 5 * HOUR + 9 * MINUTE)
    assert early is not None
    assert early.outcome is None


def test_a_task_seen_in_between_makes_the_count_of_misses_start_again() -> None:
    """However little else the sight of it says."""
    run = RUNNING.apply(time_limits.missing(RUNNING, NOW + MINUTE))
    run = run.apply(transitions.seen(run, running(3), NOW + 2 * MINUTE))
    assert run.missing_at is None
    assert run.seen_at == NOW + 2 * MINUTE


def test_a_retrys_task_is_not_lost_for_the_age_of_the_one_before() -> None:
    """The hour counts from its own launch."""
    launched = NOW + 5 * HOUR
    run = replace(RUNNING, attempt=2, requested_at=launched, attempt_started_at=None)
    run = run.apply(time_limits.missing(run, launched + MINUTE))
    step = time_limits.missing(run, launched + 12 * MINUTE)
    assert step is not None
    assert step.outcome is None


def test_a_miss_that_is_told_after_the_end_changes_nothing() -> None:
    """ECS was asked before the task showed, and answered after its run was over."""
    over = RUNNING.apply(transitions.seen(RUNNING, stopped(0), NOW + 3 * MINUTE))
    assert time_limits.missing(over, NOW + 4 * MINUTE) is None


def test_a_cancelled_runs_task_that_ecs_forgot_has_stopped() -> None:
    """Its verdict stays."""
    run = RUNNING.apply(transitions.cancelled(RUNNING, "cancelled_by_user", NOW))
    run = run.apply(time_limits.missing(run, NOW + 62 * MINUTE))
    step = time_limits.missing(run, NOW + 73 * MINUTE)
    assert step is not None
    after = run.apply(step)
    assert (after.status, after.live, step.releases_waiting_runs) == ("cancelled", None, True)


def test_a_bus_that_is_down_is_tried_ever_more_rarely() -> None:
    """After a minute, then after as long as it was down already, at most six hours."""
    run = Run(status="failed", live=None, finished_at=NOW)
    for waited, delay in [(0, 1), (1, 1), (30, 30), (10_000, 360)]:
        assert time_limits.until_announced(run, NOW + waited * MINUTE) == delay * MINUTE
