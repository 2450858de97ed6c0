"""The fixture `stack`: one resource of one stack over a fresh system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stacks.response_server import response_server
from tests.stacks.stack import Stack
from tests.yard import Yard


@pytest.fixture
def stack(yard: Yard) -> Iterator[Stack]:
    with response_server() as server:
        yield Stack(yard, server)
