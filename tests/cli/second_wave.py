"""
The API's second wave before an API that lacks it: managed_by, ETag and If-Match, GET /schedule.

A relay keeps `managed_by` beside the jobs and compares versions before it passes a change on, as
contract.md has it. An API that has the second wave itself is passed on to as it is.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib import schedule
from tests.cli.relay import Relay, Reply, Seen

_JOB = re.compile(r".*/jobs/(job_[0-9A-Z]{26})")


class SecondWave:
    """What the relay does to requests and answers."""

    def __init__(self) -> None:
        self._owners: dict[str, str | None] = {}
        self._lock = threading.Lock()
        self.relay: Relay | None = None

    def __call__(self, seen: Seen, pass_on: Callable[[], Reply]) -> Reply:
        if seen.method == "GET" and urlsplit(seen.path).path.endswith("/schedule"):
            return self._schedule(seen)
        body: dict[str, Any] = json.loads(seen.body) if seen.body else {}
        found = _JOB.fullmatch(urlsplit(seen.path).path)
        with self._lock:
            if found and (wrong := self._version_conflict(seen)):
                return wrong
            owner = body.pop("managed_by", None) if "managed_by" in body else ...
            assert self.relay is not None
            sent = replace(seen, body=json.dumps(body).encode()) if seen.body else seen
            answer = self.relay.call(sent)
            data = json.loads(answer.body).get("data")
            if answer.status >= 400 or not isinstance(data, dict):
                return answer
            for job in data.get("jobs", [data] if "image" in data and "name" in data else []):
                if owner is not ... and "jobs" not in data:
                    self._owners[job["id"]] = owner
                job["managed_by"] = self._owners.get(job["id"])
            return replace(
                answer, body=json.dumps(json.loads(answer.body) | {"data": data}).encode()
            )

    def _version_conflict(self, seen: Seen) -> Reply | None:
        wanted = seen.headers.get("if-match")
        if wanted is None:
            return None
        assert self.relay is not None
        now = self.relay.call(replace(seen, method="GET", body=b""))
        if now.status != 200:
            return now
        version = json.loads(now.body)["data"]["version"]
        if wanted == f'"{version}"':
            return None
        return _error(412, "version_conflict", f"The job is version {version} now.")

    def _schedule(self, seen: Seen) -> Reply:
        query = {name: found[0] for name, found in parse_qs(urlsplit(seen.path).query).items()}
        try:
            read = schedule.parse(query["expression"], query["timezone"])
        except ValueError as error:
            errors = [{"field": "expression", "message": str(error)}]
            return _error(422, "invalid_fields", str(error), {"errors": errors})
        slots, at = [], datetime.now(UTC)
        for _ in range(int(query.get("count", 3))):
            at = read.next_slot(at)
            slots.append(at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        data = {"text": "", "timezone": query["timezone"], "slots": slots}
        body = {"status": "success", "message": "", "data": data}
        return Reply(200, json.dumps(body).encode())


def _error(status: int, code: str, message: str, data: Any = None) -> Reply:
    body = {"status": "error", "message": message, "code": code, "data": data}
    return Reply(status, json.dumps(body).encode())
