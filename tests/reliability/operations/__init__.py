"""
Every operation of Jobyard that makes AWS calls, each in a prepared world.

The tests run each operation once for each AWS call that it makes, so a new call is a new case
without anybody writing it.
"""

from tests.reliability.operations import (
    audits,
    events,
    fires,
    jobs,
    quotas,
    rules,
    runs,
    stacks,
    sweeps,
)
from tests.reliability.operations.operation import (
    DAILY,
    OPERATIONS,
    Act,
    Operation,
    answered,
)

__all__ = [
    "DAILY",
    "OPERATIONS",
    "Act",
    "Operation",
    "answered",
    "audits",
    "events",
    "fires",
    "jobs",
    "quotas",
    "rules",
    "runs",
    "stacks",
    "sweeps",
]
