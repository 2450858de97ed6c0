"""What AWS says, without the ids of AWS accounts: a caller of the API must not see them (pure)."""

from __future__ import annotations

import re

ACCOUNT = "<account>"
"""What stands in place of an account's number."""
_ACCOUNT_ID = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])")


def without_account_ids(text: str) -> str:
    """
    `text` of AWS with every account id replaced.

    An account id is twelve digits ("View AWS account identifiers", AWS account management guide),
    and AWS's errors carry it in ARNs, in the host names of ECR registries and on its own. Any
    standalone number of twelve digits counts: no other kind means anything to the reader.
    """
    return _ACCOUNT_ID.sub(ACCOUNT, text)
