"""The world of the reliability tests: made once a module, and emptied for every case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.settings import SHARDS
from tests.conftest import STAGE
from tests.local.conftest import container_image
from tests.reliability.world import World, make_world

__all__ = ["container_image", "world"]


@pytest.fixture
def all_partitions(world: World) -> Iterator[None]:
    """As many partitions as a deployment has, on which the work and the parts of a sweep depend."""
    world.set_up(shards=SHARDS)
    yield
    world.set_up(shards=1)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with make_world(STAGE) as made:
        yield made
