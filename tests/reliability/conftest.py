"""The world of the reliability tests: made once a module, and emptied for every case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import STAGE
from tests.local.conftest import container_image
from tests.reliability.world import World, make_world

__all__ = ["container_image", "world"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with make_world(STAGE) as made:
        yield made
