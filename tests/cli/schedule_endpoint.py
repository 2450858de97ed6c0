"""
GET /schedule before an API that lacks it yet, as contract.md has it.

Everything else is passed on to the API. Once the API has the endpoint, this file can go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.domain import schedule
from tests.cli.relay import Relay, Reply, Seen


def relay(url: str) -> Relay:
    """A relay to the API at `url` that answers GET /schedule itself."""
    return Relay(url, _change)


def _change(seen: Seen, pass_on: Callable[[], Reply]) -> Reply:
    parts = urlsplit(seen.path)
    if not parts.path.endswith("/schedule"):
        return pass_on()
    query = {name: found[0] for name, found in parse_qs(parts.query).items()}
    try:
        read = schedule.parse(query["expression"], query["timezone"])
    except ValueError as error:
        errors = [{"field": "expression", "message": str(error)}]
        return _reply(422, "error", str(error), {"errors": errors})
    slots, at = [], datetime.now(UTC)
    for _ in range(int(query.get("count", 3))):
        at = read.next_slot(at)
        slots.append(at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    return _reply(200, "success", "", {"text": "", "timezone": query["timezone"], "slots": slots})


def _reply(status: int, word: str, message: str, data: Any) -> Reply:
    code = {"code": "invalid_fields"} if status == 422 else {}
    body = {"status": word, "message": message, "data": data, **code}
    return Reply(status, json.dumps(body).encode())
