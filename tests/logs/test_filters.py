"""Filtering log lines by a text that they contain."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import BadRequest
from tests.logs.log_world import World, texts


@pytest.mark.parametrize(
    "text",
    ['"', "\\", '\\"', '"quoted" \\ back', "a b", "-minus", "?maybe", "{ $.x = 1 }", "[a, b]",
     "%regex%", "ünïcode ☃", "tab\there", "*", "'single'", "$.x", "Case"],
)  # fmt: skip
def test_a_filter_with_any_text_matches_exactly_that_text(world: World, text: str) -> None:
    """Characters that mean something in CloudWatch's patterns are searched as they are."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, f"before {text} after", "another line", "case", text[:-1] or "short")
    found = [f"before {text} after"]
    assert texts(world.of_run(run, filter=text)) == found
    assert texts(world.of_job(filter=text)) == found


def test_a_cursor_keeps_its_filter(world: World) -> None:
    """A request may repeat the filter of its cursor or leave it out, but not change it."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "keep 1", "drop 2")
    page = world.of_run(run, filter="keep")
    world.move(seconds=1)
    world.say(task, "keep 3", "drop 4")
    assert texts(world.of_run(run, page.next_cursor)) == ["keep 3"]
    assert texts(world.of_run(run, page.next_cursor, filter="keep")) == ["keep 3"]
    with pytest.raises(BadRequest, match="another filter"):
        world.of_run(run, page.next_cursor, filter="drop")
