"""
What moto lacks, in one place, for the tests and the local stack alike.

    with mock_aws(), fidelity.install(now=clock) as aws:
        aws.ecs.start(arn)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.local.fidelity.direct import DirectDynamoDb
from infra.local.fidelity.dynamodb import DynamoDbFidelity
from infra.local.fidelity.ecs import EcsFidelity
from infra.local.fidelity.events import EventsFidelity
from infra.local.fidelity.functions import FunctionsFidelity
from infra.local.fidelity.instances import UntrackedInstances
from infra.local.fidelity.logs import LogsFidelity
from infra.local.fidelity.metrics import MetricsFidelity


@dataclass(frozen=True)
class Fidelity:
    """Everything that was installed; leaving the `with` takes it out again."""

    direct: DirectDynamoDb
    dynamodb: DynamoDbFidelity
    ecs: EcsFidelity
    events: EventsFidelity
    functions: FunctionsFidelity
    instances: UntrackedInstances
    logs: LogsFidelity
    metrics: MetricsFidelity

    def uninstall(self) -> None:
        self.direct.uninstall()
        self.dynamodb.uninstall()
        self.ecs.uninstall()
        self.events.uninstall()
        self.functions.uninstall()
        self.instances.uninstall()
        self.logs.uninstall()
        self.metrics.uninstall()

    def __enter__(self) -> Fidelity:
        return self

    def __exit__(self, *_: object) -> None:
        self.uninstall()


def install(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Fidelity:
    """Put the fidelity over moto, with no tasks; `now` is the clock of ECS and CloudWatch."""
    return Fidelity(
        direct=DirectDynamoDb.install(),
        dynamodb=DynamoDbFidelity.install(),
        ecs=EcsFidelity.install(now),
        events=EventsFidelity.install(),
        functions=FunctionsFidelity.install(),
        instances=UntrackedInstances.install(),
        logs=LogsFidelity.install(now),
        metrics=MetricsFidelity.install(now),
    )
