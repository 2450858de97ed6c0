"""What a failed call to DynamoDB means for its caller."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.cloud import aws
from chalicelib.domain.errors import Unavailable


def contended() -> Unavailable:
    return Unavailable("Too many changes to the same job at once. Try again.", retry_after=1)


def translated(error: PynamoDBException, what: str) -> Exception:
    cause = error.cause
    if isinstance(cause, (ClientError, BotoCoreError)) and aws.is_unavailable(cause):
        return aws.unavailable(what)
    return error


def code_of(error: PynamoDBException) -> str | None:
    """AWS's error code; None if there was no answer, a case that PynamoDB's own property lacks."""
    return aws.error_code(error.cause) if isinstance(error.cause, ClientError) else None


def may_pass(codes: list[str | None]) -> bool:
    """Whether a cancelled transaction may succeed in a moment."""
    given = {code for code in codes if code is not None}
    return bool(given) and given <= {
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
