"""
A run's life as one table: the state it is in, what happens, the state after, and what follows.

`transitions`, `time_limits` and `run_step` are the code; tests/test_state_table.py holds them to
this table, cell by cell. What a missing cell stands for cannot happen: the callers exclude it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple

from chalicelib.domain.run_states import CANCELLED, PENDING, RUNNING, TERMINAL


class State(Enum):
    """The state in which the sweep, a reader or an event finds a run; `status` alone does not tell
    it."""

    WAITING = "pending, and to be launched"
    ASKED = "pending, and ECS has not answered the launch"
    STARTING = "pending, and its task is known"
    RUNNING = "running"
    STOPPING = "running, and its task must stop: it ran too long"
    RETRYING = "running, and to be launched again"
    CANCELLING = "cancelled, and its task may still be up"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled, and nothing of it is up"


class Happens(Enum):
    """What is learnt about a run."""

    TASK_RUNS = auto()
    TASK_SUCCEEDED = auto()
    TASK_FAILED = auto()
    """And no attempt is left."""
    TASK_FAILED_WITH_RETRY = auto()
    COULD_NOT_START = auto()
    """For a reason that may pass."""
    INTERRUPTED = auto()
    """AWS took back Spot capacity on which the container ran, not for the sixth time."""
    REFUSED_FOR_NOW = auto()
    REFUSED = auto()
    """RunTask made no task, for a reason that will not pass; no attempt is left."""
    CANCEL = auto()
    TIME_IS_UP = auto()
    """Its time-out, or the hour in which a task must have started."""
    TASK_FORGOTTEN = auto()
    """ECS has not known the task for more than an hour."""
    STILL_UNANSWERED = auto()
    """For an hour; and ECS lists no task of the launch."""
    OLD_TASK_RUNS = auto()
    """A task of an earlier attempt or launch is up."""


class Then(NamedTuple):
    """The state after, and what follows once it is stored."""

    state: State
    is_counted: bool = False
    """It became terminal in this step."""
    stops: bool = False
    """A task must be stopped."""
    releases: bool = False
    """A slot's run that replaces it may be launched."""

    def releases_line(self, before: State) -> bool:
        """Whether, of a `queue` job, the next in line may be launched: it has left flight."""
        return self.state in _OVER and before not in _OVER


def state_of(run: Any) -> State:
    """The state that a run is in."""
    if run.status == CANCELLED:
        return State.CANCELLED if run.live is None else State.CANCELLING
    if run.status in TERMINAL:
        return State(run.status)
    if run.status == RUNNING and run.task_arn is None and run.requested_at is None:
        return State.RETRYING
    if run.status == PENDING:
        if run.task_arn is not None:
            return State.STARTING
        return State.WAITING if run.requested_at is None else State.ASKED
    return State.STOPPING if run.stop_reason is not None else State.RUNNING


_S, _H = State, Happens
_OVER = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
_IN_A_TASK = (State.ASKED, State.STARTING, State.RUNNING)

TABLE: dict[tuple[State, Happens], Then] = {
    # its task, seen by an event, a read or the sweep: RUNNING may never be seen
    (_S.ASKED, _H.TASK_RUNS): Then(_S.RUNNING),
    (_S.STARTING, _H.TASK_RUNS): Then(_S.RUNNING),
    (_S.RUNNING, _H.TASK_RUNS): Then(_S.RUNNING),
    (_S.STOPPING, _H.TASK_RUNS): Then(_S.STOPPING),
    (_S.CANCELLING, _H.TASK_RUNS): Then(_S.CANCELLING),
    **{(state, _H.TASK_SUCCEEDED): Then(_S.SUCCEEDED, is_counted=True) for state in _IN_A_TASK},
    **{(state, _H.TASK_FAILED): Then(_S.FAILED, is_counted=True) for state in _IN_A_TASK},
    **{(state, _H.TASK_FAILED_WITH_RETRY): Then(_S.RETRYING) for state in _IN_A_TASK},
    (_S.ASKED, _H.COULD_NOT_START): Then(_S.WAITING),
    (_S.STARTING, _H.COULD_NOT_START): Then(_S.WAITING),
    **{(state, _H.INTERRUPTED): Then(_S.RETRYING) for state in _IN_A_TASK},
    # its stop was requested: the reason for it decides the verdict, whatever the exit code
    (_S.STOPPING, _H.TASK_SUCCEEDED): Then(_S.FAILED, is_counted=True),
    (_S.STOPPING, _H.TASK_FAILED): Then(_S.FAILED, is_counted=True),
    (_S.STOPPING, _H.TASK_FAILED_WITH_RETRY): Then(_S.RETRYING),
    (_S.STOPPING, _H.INTERRUPTED): Then(_S.FAILED, is_counted=True),
    # a cancel is final at once, and ends when its task has
    (_S.CANCELLING, _H.TASK_SUCCEEDED): Then(_S.CANCELLED, releases=True),
    (_S.CANCELLING, _H.TASK_FAILED): Then(_S.CANCELLED, releases=True),
    (_S.CANCELLING, _H.TASK_FAILED_WITH_RETRY): Then(_S.CANCELLED, releases=True),
    (_S.CANCELLING, _H.INTERRUPTED): Then(_S.CANCELLED, releases=True),
    (_S.WAITING, _H.CANCEL): Then(_S.CANCELLED, is_counted=True),
    (_S.RETRYING, _H.CANCEL): Then(_S.CANCELLED, is_counted=True),
    (_S.ASKED, _H.CANCEL): Then(_S.CANCELLING, is_counted=True),
    (_S.STARTING, _H.CANCEL): Then(_S.CANCELLING, is_counted=True, stops=True),
    (_S.RUNNING, _H.CANCEL): Then(_S.CANCELLING, is_counted=True, stops=True),
    (_S.STOPPING, _H.CANCEL): Then(_S.CANCELLING, is_counted=True, stops=True),
    # what RunTask answered
    (_S.ASKED, _H.REFUSED_FOR_NOW): Then(_S.WAITING),
    (_S.ASKED, _H.REFUSED): Then(_S.FAILED, is_counted=True),
    # time
    (_S.STARTING, _H.TIME_IS_UP): Then(_S.STARTING, stops=True),
    (_S.RUNNING, _H.TIME_IS_UP): Then(_S.STOPPING, stops=True),
    (_S.STOPPING, _H.TIME_IS_UP): Then(_S.STOPPING),
    (_S.ASKED, _H.STILL_UNANSWERED): Then(_S.FAILED, is_counted=True),
    (_S.CANCELLING, _H.STILL_UNANSWERED): Then(_S.CANCELLED, releases=True),
    (_S.STARTING, _H.TASK_FORGOTTEN): Then(_S.FAILED, is_counted=True),
    (_S.RUNNING, _H.TASK_FORGOTTEN): Then(_S.FAILED, is_counted=True),
    (_S.STOPPING, _H.TASK_FORGOTTEN): Then(_S.FAILED, is_counted=True),
    (_S.CANCELLING, _H.TASK_FORGOTTEN): Then(_S.CANCELLED, releases=True),
    # a terminal run keeps its status, and a task of another attempt is stopped
    **{(state, _H.TASK_RUNS): Then(state, stops=True) for state in _OVER},
    **{(state, _H.TASK_SUCCEEDED): Then(state) for state in _OVER},
    **{(state, _H.TASK_FAILED): Then(state) for state in _OVER},
    **{(state, _H.INTERRUPTED): Then(state) for state in _OVER},
    **{(state, _H.TASK_FORGOTTEN): Then(state) for state in _OVER},
    **{(state, _H.OLD_TASK_RUNS): Then(state, stops=True) for state in _S if state != _S.ASKED},
}
