"""Projects take turns, the oldest of each first."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.fair_order import fair_order

DUE = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), max_size=60)


def project(item: tuple[str, int]) -> str:
    return item[0]


def test_a_project_with_ten_thousand_does_not_hold_up_one_with_one() -> None:
    """Its only one comes second, though it is the youngest of all."""
    many = [("many", number) for number in range(10_000)]
    assert fair_order([*many, ("one", 10_000)], project)[:3] == [
        ("many", 0),
        ("one", 10_000),
        ("many", 1),
    ]


@given(DUE)
def test_each_projects_own_order_is_kept_and_nothing_is_lost(due: list[tuple[str, int]]) -> None:
    """The oldest of a project goes first."""
    ordered = fair_order(due, project)
    assert sorted(ordered) == sorted(due)
    for name in "abcd":
        assert [i for i in ordered if i[0] == name] == [i for i in due if i[0] == name]


@given(DUE)
def test_nobody_is_more_than_a_turn_ahead_of_another_that_waits(due: list[tuple[str, int]]) -> None:
    """Of any two projects that still have something, one has had at most one more."""
    ordered = fair_order(due, project)
    for length in range(len(ordered)):
        had: defaultdict[str, int] = defaultdict(int)
        for item in ordered[:length]:
            had[item[0]] += 1
        waiting = {item[0] for item in ordered[length:]}
        turns = [had[name] for name in waiting]
        assert not turns or max(turns) - min(turns) <= 1
