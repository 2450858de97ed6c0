"""
Counts runs that are over, in the transaction that stores their end.

With `cases` the same transaction finds out whether a job begins to fail with a run, or recovers:
by what the job's counts must be for it. So of two runs that fail at once exactly one is the first,
whichever is announced first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.notices import FAILING, RECOVERED
from chalicelib.domain.run_states import FAILED, SUCCEEDED
from chalicelib.tables import recent_runs
from chalicelib.tables.run_records import Run, Stats

SKIPPED = "skipped"
IS_THERE: Condition = Stats.pk.exists()
_FAILS: Condition = Stats.consecutive_failures > 0


class Case(NamedTuple):
    """What the counts of a job must be, and what is noted with its run then."""

    condition: Condition = IS_THERE
    notice: dict[str, str] | None = None


_NEITHER = (Case(),)
_CASES = {
    SUCCEEDED: (Case(IS_THERE & ~_FAILS), Case(IS_THERE & _FAILS, {"kind": RECOVERED})),
    FAILED: (Case(IS_THERE & ~_FAILS, {"kind": FAILING}), Case(IS_THERE & _FAILS)),
}


def cases(outcome: str, *, is_announced: bool) -> Sequence[Case]:
    """The cases of a run with that outcome, the usual one first; one alone if nobody is told."""
    return _CASES.get(outcome, _NEITHER) if is_announced else _NEITHER


def counting(run: Run, outcome: str, *, slots: int = 1) -> list[Action]:
    """
    The actions on a job's counts that count a run which is over, and note it among those that
    finished last.

    `slots`: how many a record of a skipped slot stands for.
    """
    actions = [getattr(Stats, outcome).add(slots), *recent_runs.added(run)]
    if outcome == SUCCEEDED:
        ended = run.finished_at
        actions += [Stats.consecutive_failures.set(0), Stats.last_succeeded_at.set(ended)]
    elif outcome == FAILED:
        actions.append(Stats.consecutive_failures.add(1))
    return actions
