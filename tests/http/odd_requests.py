"""Builds odd requests, most of them nearly valid, from a seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import app
from chalicelib.http.examples import EXAMPLES
from tests.http.odd_values import (
    ARGUMENTS,
    COMMON,
    CONDITIONS,
    ENDPOINTS,
    HEADERS,
    MALFORMED,
    NASTY,
    NO_ENDPOINTS,
    NUMBERS,
    PARAMETERS,
    TYPES,
    VALUES,
)
from tests.yard import IMAGE


@dataclass(frozen=True)
class Sent:
    """One request. The ids of its path are filled in when it is sent."""

    method: str
    route: str
    recent: int
    """Which job goes into the path: 0 is the newest one, 1 the one before it."""
    workspace_id: str
    project_id: str
    odd: tuple[str, str] | None
    """The name of a path parameter, and the text that is sent in its place."""
    authorization: str | None
    """The header to send; None sends a valid token."""
    content_type: str
    headers: dict[str, str]
    query: dict[str, list[str]]
    body: str | None
    forged: dict[str, Any] | None
    """The payload of a forged cursor for the list that is asked for."""


class Maker:
    """Makes random requests; the same seed gives the same requests."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def sent(self) -> Sent:
        endpoints = NO_ENDPOINTS if self._rarely() else self._random.choice([COMMON, ENDPOINTS])
        method, route = self._random.choice(endpoints)
        names = ("workspace_id", "project_id", "job_id", "run_id")
        return Sent(
            method=method,
            route=route,
            recent=self._random.randrange(4),
            workspace_id="other" if self._rarely(20) else "acme",
            project_id="web" if self._rarely(20) else "etl",
            odd=(self._random.choice(names), self._text()) if self._rarely() else None,
            authorization=self._authorization() if self._rarely(15) else None,
            content_type=self._random.choice(TYPES) if self._rarely(15) else "application/json",
            headers=self._headers() if self._rarely(5) else {},
            query=self._query() if self._rarely(5) else {},
            body=self._body((method, route)),
            forged=self._payload() if self._rarely(8) else None,
        )

    def _rarely(self, one_in: int = 10) -> bool:
        return self._random.randrange(one_in) == 0

    def _text(self) -> str:
        if self._rarely(3):
            size = self._random.randrange(12)
            return "".join(chr(self._random.randrange(0x11000)) for _ in range(size))
        return self._random.choice(NASTY)

    def _json(self, depth: int = 3) -> Any:
        kind = self._random.randrange(6 if depth else 4)
        if kind == 4:
            return [self._json(depth - 1) for _ in range(self._random.randrange(4))]
        if kind == 5:
            return {self._text(): self._json(depth - 1) for _ in range(self._random.randrange(4))}
        return self._random.choice([None, True, False, self._text(), self._random.choice(NUMBERS)])

    def _headers(self) -> dict[str, str]:
        if self._rarely(2):
            return {"If-Match": self._random.choice(CONDITIONS)}
        return {self._random.choice(HEADERS): self._text()}

    def _authorization(self) -> str:
        return (
            self._random.choice(["", "Bearer", "Bearer ", "Basic x", "Bearer jyd_"]) + self._text()
        )

    def _query(self) -> dict[str, list[str]]:
        return {
            self._text() if self._rarely() else self._random.choice(PARAMETERS): [
                self._text() if self._rarely(3) else self._random.choice(ARGUMENTS)
                for _ in range(2 if self._rarely() else 1)
            ]
            for _ in range(self._random.randrange(3))
        }

    def _payload(self) -> dict[str, Any]:
        at = 1_795_435_200_000
        place = {
            "before": self._random.choice(["job_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "run_" + "0" * 26]),
            "start": at - self._random.randrange(10**9),
            "end": self._random.choice([None, at]),
            "filter": None,
            "back": self._random.choice([True, False]),
            "attempt": self._random.randrange(3),
            "task": self._random.choice(["", "0" * 32]),
            "token": self._random.choice([None, "f/1", "b/1"]),
            "range": self._random.choice([None, [0, at], [at, 0]]),
            "time": self._random.choice([None, at]),
            "event": None,
        }
        for name in self._random.sample(sorted(place), self._random.randrange(4)):
            place[name] = self._json()
        if self._rarely(3):
            return {"before": place["before"]}
        del place["before"]
        return place

    def _body(self, endpoint: tuple[str, str]) -> str | None:
        known = app.app.endpoints.get(endpoint)
        name = known.handler.__name__ if known else ""
        if self._rarely(15):
            return self._random.choice(MALFORMED)
        if self._rarely(15):
            return json.dumps(self._random.choice([*EXAMPLES.values(), self._json()]))
        if name == "create_job":
            whole = {"name": f"job {self._random.randrange(40)}", "image": IMAGE}
            return json.dumps(whole | self._fields(list(VALUES)))
        if name == "update_job":
            return json.dumps(self._fields(list(VALUES)))
        if name == "trigger_run" and self._rarely(2):
            return json.dumps(self._fields(["command", "env"]))
        return None

    def _fields(self, names: list[str]) -> dict[str, Any]:
        return {
            self._text() if self._rarely(30) else name: self._value(name)
            for name in self._random.sample(names, self._random.randrange(min(5, len(names) + 1)))
        }

    def _value(self, name: str) -> Any:
        if self._rarely(15):
            return self._json()
        values = VALUES[name]
        return self._random.choice([*values, None] if self._rarely(4) else values[:2])
