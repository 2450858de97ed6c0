"""
The fixture `yard`: the whole system in one process over moto, with a clock that the test moves.
"""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Iterator

import pytest

from infra.local import provision
from tests.yard import Yard, make_yard

STAGE = "test"

# Set before anything of ours that might make a client is imported.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    **provision.settings(STAGE),
}


# Time zones come from the package tzdata as on Lambda; systems may have older or newer ones.
zoneinfo.reset_tzpath(to=())


@pytest.fixture
def yard() -> Iterator[Yard]:
    """A fresh system with empty tables."""
    with make_yard(STAGE) as made:
        yield made
