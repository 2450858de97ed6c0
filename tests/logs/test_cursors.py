"""Cursors are input: forged ones, and those of other runs."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import BadRequest
from tests.logs.log_world import World, texts


@pytest.mark.parametrize(
    "change",
    [
        {"token": "f/1"},
        {"token": ""},
        {"token": 5},
        {"start": -1},
        {"start": "yesterday"},
        {"end": 2**70},
        {"attempt": "a"},
        {"range": [1]},
        {"range": [-5, 7]},
        {"unknown": 1},
        {"back": None},
    ],
)
def test_a_forged_cursor_is_a_bad_request(world: World, change: dict[str, Any]) -> None:
    run = world.run()
    world.say(world.start(run, "a" * 32), "1")
    cursor = world.of_run(run).next_cursor
    assert cursor is not None
    with pytest.raises(BadRequest):
        world.of_run(
            run, {**cursor, **change} | ({"token": "x/1"} if "f/1" in change.values() else {})
        )


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 0, "task": "", "back": True},
        {"task": "elsewhere", "attempt": 9},
        {"time": 0, "event": "nothing"},
        {"time": 2**53, "token": None},
        {"range": [9, 3]},
        {"start": 2**53},
    ],
)
def test_a_cursor_of_one_run_cannot_read_another(world: World, change: dict[str, Any]) -> None:
    """Whatever the cursor says, only the lines of the requested run or job are read."""
    mine, other = world.run("run_A"), world.run("run_B")
    world.say(world.start(mine, "a" * 32), "mine")
    world.say(world.start(other, "b" * 32), "theirs")
    queries: list[dict[str, Any]] = [{}, {"filter": "e"}]
    for query in queries:
        cursor = world.of_run(mine, **query).next_cursor
        assert cursor is not None
        for back in (True, False):
            kept = {key: value for key, value in cursor.items() if key != "token" or not back}
            page = world.of_run(mine, {**kept, "back": back, **change})
            assert set(texts(page)) <= {"mine"}
