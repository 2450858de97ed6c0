"""What an answer of RunTask without a task means: the run waits for some time, or fails. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.domain.errors import DENIED
from chalicelib.domain.run_errors import ROLE_HINT, RunError, cannot_assume_role, error, joined

CAPACITY_LIMIT = timedelta(hours=24)
"""How long a run waits for capacity."""
ROLE_LIMIT = timedelta(minutes=5)
"""How long a run waits while ECS cannot assume the job's role, which may have been made just now:
IAM spreads changes within minutes (IAM user guide, "Changes that I make are not always immediately
visible")."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """RunTask answered that this request made no task."""

    error: RunError
    code: str
    """Of the error that ECS answered, or the `reason` of its `failures`; may be empty."""
    retry_for: timedelta
    """How long a run may wait for the reason to pass; zero: the reason does not pass."""
    proves_no_task: bool = False
    """Whether no earlier request with the same client token made a task either."""

    @property
    def is_denial(self) -> bool:
        """Jobyard itself may not launch."""
        return self.code in DENIED


_NEVER = timedelta(0)
_PASSING_REFUSALS = (
    "capacity",
    "limitonthenumberofvcpus",
    "limitonthenumberoftasks",
    "throttl",
    "requestlimitexceeded",
    "rateexceeded",
    "toomanyrequests",
)
"""Compared without spaces, since AWS sends them as codes and as sentences."""
_NAMES = re.compile(r"'[^']*'|arn:\S+|capacity provider", re.IGNORECASE)
"""Left out of a message: a role may have `capacity` in its name, and a cluster that lacks the
provider of Spot gets it from nobody while the run waits."""


def refused(reason: str, message: str) -> Refusal:
    """
    What an answer of RunTask without a task means: `reason` is the code of the error or the
    `reason` of its `failures`, `message` what came with it.
    """
    why = joined(reason, message) or "ECS accepted the request but started no task."
    if reason in DENIED:
        return Refusal(error("start_failed", why), reason, _NEVER)
    if cannot_assume_role(message):
        return Refusal(error("start_failed", why, ROLE_HINT), reason, ROLE_LIMIT)
    text = _NAMES.sub("", why).lower()
    is_resource = reason.startswith("RESOURCE:")
    capacity = is_resource or "capacity" in text or "limit on the number of" in text
    told = text.replace(" ", "")
    may_pass = (
        not reason
        or is_resource
        or reason == "AGENT"
        or any(part in told for part in _PASSING_REFUSALS)
    )
    code = "capacity_unavailable" if capacity else "start_failed"
    return Refusal(error(code, why), reason, CAPACITY_LIMIT if may_pass else _NEVER)
