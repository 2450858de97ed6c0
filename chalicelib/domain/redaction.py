"""Removes AWS account ids from AWS's messages: a caller of the API must not see them (pure)."""

from __future__ import annotations

import re

ACCOUNT = "<account>"
"""What replaces an account id."""
_ACCOUNT_ID = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])")


def without_account_ids(text: str) -> str:
    """
    `text` of AWS with every account id replaced.

    An account id is twelve digits ("View AWS account identifiers", AWS account management guide).
    AWS's errors contain it in ARNs, in the host names of ECR registries and on its own. Every
    number of twelve digits is replaced, since no other such number would help the reader.
    """
    return _ACCOUNT_ID.sub(ACCOUNT, text)
