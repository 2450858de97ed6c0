"""
Structured logs of the control plane: one JSON object a line, for CloudWatch Logs Insights.

Callers choose each field; env values, secrets, tokens and bodies are never logged.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chalicelib.domain.errors import DENIED, JobyardError

ACCESS_DENIED = "access denied"
"""Message of every line about a call that AWS denied; an alarm counts them (infra/stack.yaml)."""

STORE_REFUSED = "store refused"
"""Message of every line about what DynamoDB refused for its size or rate; the same alarm does."""

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def bind(request_id: str) -> None:
    """Give every line of this invocation its request id."""
    _request_id.set(request_id)


def info(message: str, **fields: Any) -> None:
    _write("info", message, fields)


def warning(message: str, **fields: Any) -> None:
    _write("warning", message, fields)


def error(message: str, **fields: Any) -> None:
    _write("error", message, fields)


def denied(doing: str, operation: str, code: str, aws_message: str, **fields: Any) -> None:
    """
    An error of its own kind: AWS refused Jobyard the permission for `operation` while `doing`.

    A denial does not pass by itself, so it has an alarm of its own. IAM's message names the caller,
    the action and the resource, and no values.
    """
    what = {"operation": operation, "aws_code": code, "aws_message": aws_message}
    _write("error", ACCESS_DENIED, {"doing": doing, **what, **fields})


def exception(message: str, *, doing: str | None = None, **fields: Any) -> None:
    """
    An error with the stack of the exception being handled, without its values and its text: a
    library's message about a bad argument may quote the argument. For an AWS error the code is
    logged.

    A denial is logged as such; `doing` says what was being done, where `message` does not.
    """
    kind, value, trace = sys.exc_info()
    operation, answer = _aws_answer(value)
    code = answer.get("Code")
    if code in DENIED:
        denied(doing or message, operation, code, answer.get("Message", ""), **fields)
        return
    stack = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)][-12:]
    name = kind.__name__ if kind else None
    _write("error", message, {**fields, "exception": name, "aws_code": code, "stack": stack})


def postponed(message: str, failed: JobyardError, **fields: Any) -> None:
    """A warning that something was put off because of `failed`; a denial is logged as such."""
    operation, answer = _aws_answer(failed)
    if answer.get("Code") in DENIED:
        denied(message, operation, answer["Code"], answer.get("Message", ""), **fields)
    else:
        warning(message, reason=failed.message, **fields)


def _aws_answer(error: BaseException | None) -> tuple[str, dict[str, Any]]:
    """
    The operation and the `Error` of the AWS answer that an exception is, or was caused by.

    botocore has it in `response`; PynamoDB keeps botocore's exception in `cause`.
    """
    while error is not None:
        answer: dict[str, Any] = getattr(error, "response", None) or {}
        if "Error" in answer:
            return str(getattr(error, "operation_name", "")), answer["Error"]
        error = getattr(error, "cause", None) or error.__cause__
    return "", {}


@contextmanager
def and_continue(message: str, **fields: Any) -> Iterator[None]:
    """
    Log what fails inside, a defect as an error with its stack, and go on. For work that the sweep
    or the audit repeats, because it left a mark that they find, and for one item of many that must
    not stop the others.
    """
    try:
        yield
    except Exception as failed:  # noqa: BLE001 - whatever it is, it is told, and done again
        _failure(message, failed, fields)


@contextmanager
def reported(message: str, **fields: Any) -> Iterator[None]:
    """
    Log what fails inside, a defect as an error with its stack, and raise it again.

    For a function that Lambda calls again, or whose event it keeps, where it fails.
    """
    try:
        yield
    except Exception as failed:
        _failure(message, failed, fields)
        raise


def _failure(message: str, failed: Exception, fields: dict[str, Any]) -> None:
    if isinstance(failed, JobyardError):
        postponed(message, failed, **fields)
    else:
        exception(message, **fields)


def _write(level: str, message: str, fields: dict[str, Any]) -> None:
    line = {"level": level, "message": message, "request_id": _request_id.get(), **fields}
    # one write: lines of concurrent threads must not mix
    sys.stdout.write(json.dumps(line, default=str, separators=(",", ":")) + "\n")
    sys.stdout.flush()
