"""
Every operation of Jobyard that makes AWS calls, each from a prepared world.

The crash points and the throttling of each are enumerated from these: a call that an operation
comes to make is a case more, without anyone writing it.
"""

from tests.reliability.operations import audits, events, fires, jobs, rules, runs, sweeps
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
    "rules",
    "runs",
    "sweeps",
]
