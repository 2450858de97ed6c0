"""
Structured logs of the control plane: one JSON object a line, for CloudWatch Logs Insights.

Callers name what they log; env values, secrets, tokens and bodies are never among it.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chalicelib.errors import JobyardError

ACCESS_DENIED = "access denied"

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


def exception(message: str, **fields: Any) -> None:
    """
    An error with the stack of the exception being handled, not its values, nor its text: what a
    library says of a bad argument may quote it. Of an AWS error the code tells enough.
    """
    kind, value, trace = sys.exc_info()
    stack = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)][-12:]
    name = kind.__name__ if kind else None
    answer: dict[str, Any] = getattr(value, "response", None) or {}
    code = answer.get("Error", {}).get("Code")
    _write("error", message, {**fields, "exception": name, "aws_code": code, "stack": stack})


@contextmanager
def going_on(message: str, **fields: Any) -> Iterator[None]:
    """
    What fails inside is logged, a defect as an error with its stack, and nothing else fails by it.

    For what the sweep or the audit does again: because it left a mark that they find, or because
    one item of many must not keep the others from being looked at.
    """
    try:
        yield
    except JobyardError as failed:
        warning(message, reason=failed.message, **fields)
    except Exception:  # noqa: BLE001 - whatever it is, it is told, and done again
        exception(message, **fields)


def _write(level: str, message: str, fields: dict[str, Any]) -> None:
    line = {"level": level, "message": message, "request_id": _request_id.get(), **fields}
    # one write: lines of concurrent threads must not mix
    sys.stdout.write(json.dumps(line, default=str, separators=(",", ":")) + "\n")
    sys.stdout.flush()
