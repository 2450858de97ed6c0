"""
The statuses of a run.

    pending ──> running ──> succeeded | failed | cancelled
       └──────────────────> succeeded | failed | cancelled      (RUNNING may never be seen)

What leads from one to the other is `transitions`; a table of it is TABLE in `state_table`.
"""

from __future__ import annotations

PENDING = "pending"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED})

CANCELLING = frozenset({"cancelled_by_user", "replaced", "job_deleted"})
"""Reasons to stop that make a run `cancelled`; `timed_out` makes it `failed`."""
