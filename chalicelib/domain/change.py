"""What an entry of the audit trail tells: who changed what, and which fields; never a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.actor import Actor


@dataclass(frozen=True, slots=True)
class Change:
    """Something that somebody made, changed or removed; stored in the same transaction as it."""

    by: Actor
    action: str
    """As the API's operation is called: `update_job`; for tokens `create_token`, `revoke_token`."""
    target: str
    """Id of a job, a run or a token."""
    target_name: str
    """What the target was called then; of a run its job's name."""
    at: datetime
    job_id: str | None = None
    """The target, or the run's job; None for a token."""
    fields: Iterable[str] = ()
    """Names of the fields that were set or changed."""
