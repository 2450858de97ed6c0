"""The fixture `world` of the logs' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.logs.log_world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        yield made
