"""The jobs of random walks, and how they are changed."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.reliability.walk_faults import pick

SCHEDULES = pick(None, None, "*/5 * * * *", "*/7 * * * *", "0 * * * *", "0 13 1 * 1")
NAMES = pick("a", "b", "c", "d")
POLICIES = pick("allow", "forbid", "replace", "queue", "queue")
AT_MOST = pick(1, 1, 2)
CAPACITIES = pick("on_demand", "spot", "spot_then_on_demand")
JITTER = pick(0, 0, 300, 3_600)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "schedule": SCHEDULES,
        "command": pick(["a"], ["b"], None),
        "paused": pick(True, False),
        "concurrency_policy": POLICIES,
        "max_concurrent_runs": AT_MOST,
        "jitter_seconds": JITTER,
        "max_retries": pick(0, 1, 2),
        "capacity": CAPACITIES,
    },
)
NOTIFY = pick(["failing", "recovered", "missed"], ["every_failure", "recovered"], ["failing"], [])
"""No change of it in PATCHES: what counts is what the job says when a run is announced."""
KEYS = pick(None, None, "k", "l")
SPECS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "schedule": SCHEDULES,
        "concurrency_policy": POLICIES,
        "max_concurrent_runs": AT_MOST,
        "jitter_seconds": JITTER,
        "max_retries": pick(0, 1, 2),
        "capacity": CAPACITIES,
        "timeout_seconds": pick(60, 86400),
        "notify": NOTIFY,
    }
)
