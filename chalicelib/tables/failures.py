"""
What a failed call to DynamoDB means for its caller.

Whatever DynamoDB refuses for its rate is `Unavailable`, for its size `TooLargeToStore`. Either is
logged as `log.STORE_REFUSED`, which raises an alarm: botocore and `Database` have tried again by
then. Codes and messages are those of TransactWriteItems and of "Error handling with DynamoDB".
"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib import log
from chalicelib.cloud import aws
from chalicelib.domain.errors import JobyardError, TooLargeToStore, Unavailable

_TOO_FAST = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons for which a transaction was cancelled; a call of its own is throttled by other codes."""
_CONFLICTS = frozenset({"TransactionConflict", "TransactionConflictException"})
_TOO_LARGE = frozenset(
    {"ItemCollectionSizeLimitExceededException", "ItemCollectionSizeLimitExceeded"}
)
_INVALID = frozenset({"ValidationException", "ValidationError"})
_ITEM_TOO_LARGE = "exceeded the maximum allowed size"
"""An item over 400 KB has no code of its own."""


def translated(error: Exception, what: str) -> Exception:
    """The error to raise for one of DynamoDB's; `what` completes "could not …"."""
    cause = error.cause if isinstance(error, PynamoDBException) else error
    if isinstance(cause, ClientError):
        refusal = _refusal(cause, what)
        if refusal is not None:
            return refusal
    if isinstance(cause, (ClientError, BotoCoreError)) and aws.is_unavailable(cause):
        return aws.unavailable(what)
    return error


def _refusal(cause: ClientError, what: str) -> JobyardError | None:
    """What DynamoDB refused for its size or its rate; None: something else is wrong."""
    for code, message in _reasons(cause):
        if code in _TOO_LARGE or (code in _INVALID and _ITEM_TOO_LARGE in message):
            log.error(log.STORE_REFUSED, doing=what, aws_code=code, aws_message=message)
            return TooLargeToStore()
    for code, _ in _reasons(cause):
        if code in _TOO_FAST or code in aws.THROTTLED:
            log.warning(log.STORE_REFUSED, doing=what, aws_code=code)
            return aws.unavailable(what)
        if code in _CONFLICTS:
            log.warning(log.STORE_REFUSED, doing=what, aws_code=code)
            return Unavailable(
                "Too many changes to the same job at once. Try again.", retry_after=1
            )
    return None


def _reasons(cause: ClientError) -> list[tuple[str, str]]:
    """Code and message of the refusal, and of each item of a transaction that was cancelled."""
    error = cause.response["Error"]
    items = [reason for reason in getattr(cause, "cancellation_reasons", ()) if reason]
    refused = [(reason.code, reason.message or "") for reason in items]  # PynamoDB's own
    return [(error["Code"], error.get("Message", "")), *refused]


def code_of(error: PynamoDBException) -> str | None:
    """AWS's error code; None if there was no answer, a case that PynamoDB's own property lacks."""
    return aws.error_code(error.cause) if isinstance(error.cause, ClientError) else None


def may_pass(codes: list[str | None]) -> bool:
    """Whether a cancelled transaction may succeed in a moment."""
    given = {code for code in codes if code is not None}
    return bool(given) and given <= _TOO_FAST | _CONFLICTS
