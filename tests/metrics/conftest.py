"""The fixture `world` of the metrics' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from infra.local.fidelity.metrics import MetricsFidelity
from tests.metrics.metric_world import World


@pytest.fixture
def world() -> Iterator[World]:
    clock: list[World] = []
    with mock_aws(), MetricsFidelity.install(now=lambda: clock[0].now) as cloudwatch:
        clock.append(World(cloudwatch))
        yield clock[0]
