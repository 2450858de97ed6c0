"""Requests that nobody should send, most of them nearly right, each made of a seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import app
from chalicelib.domain.job_spec import JobSpec
from chalicelib.http import queries
from chalicelib.http.examples import EXAMPLES
from tests.yard import IMAGE

# the first two of each are valid
VALUES: dict[str, list[Any]] = {
    "name": ["first", "second", "third", "x" * 128, "x" * 129, "\u202e", ""],
    "image": [IMAGE, "a@sha256:" + "a" * 64, "A", "a" * 256],
    "entrypoint": [["sh"], None, [], [""]],
    "command": ["a 'b c'", ["a\tb\n"], "a && b", ["\x00"], ["x" * 16_385], "'"],
    "env": [{"A": "1"}, {}, {"AWS_A": "1"}, {"A": "\x00"}, {f"A{n}": "" for n in range(2000)}],
    "secrets": [{}, None, {"A": "arn:aws:ssm:eu-west-1:210987654321:parameter/x"}, {"A": "x"}],
    "tags": [["a=b"], [f"t{n}" for n in range(20)], ["a", "a"], ["="]],
    "timezone": ["Europe/Berlin", "UTC", "../../etc/passwd", "America"],
    "schedule": ["@daily", "*/7 1-5 * * MON", None, "0 0 30 2 *", "* * * * * *", "@reboot"],
    "paused": [True, False, "true"],
    "concurrency_policy": ["allow", "forbid", "replace", "x"],
    "starting_deadline_seconds": [300, 86_400, 299, 1e400],
    "cpu": [0.25, 0.5, 1, 4, True, 3, 10**400],
    "memory_mib": [1024, 2048, 512, 10**30],
    "architecture": ["arm64", "x86_64", "x86"],
    "task_role_arn": [
        "arn:aws:iam::123456789012:role/jobyard/test/acme/r",
        None,
        "arn:aws:iam::210987654321:role/jobyard/test/acme/r",
        "x",
    ],
    "timeout_seconds": [1, 1_209_600, 0],
    "max_retries": [0, 10, 11],
    "managed_by": ["etl/jobs.yaml", None, "", " ", "x" * 129, "\u3164"],
}
assert set(VALUES) == set(JobSpec.model_fields)
NASTY = [
    *(
        "",
        " ",
        "\x00",
        "\n",
        "\r\nX: y",
        "\x7f",
        "\x85",
        "\ud800",
        "\udfff\ud800",
        "\u202e",
        "\ufeff",
    ),
    *(
        "\U0001f600",
        "é",
        "ﬀ",
        "İ",
        "٣",
        "A" * 300,
        "a" * 9_999,
        "null",
        "None",
        "true",
        "-1",
        "NaN",
    ),
    *(
        "..",
        "../",
        "/",
        "//",
        "%2e%2e",
        "%00",
        "%",
        "a/b",
        "a%2Fb",
        "#",
        "?",
        "*",
        "'",
        '"',
        "\\",
        "`",
    ),
    *(
        "{}",
        "{0}",
        "${x}",
        "%s",
        "<b>",
        "' OR 1=1",
        "begins_with",
        "job_",
        "run_",
        "key#x",
        "name#first",
    ),
    *("stats", "acme#etl", "job_00000000000000000000000000", "run_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
]
NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, 10**18, 10**25, 0.1, -0.0, 1e308, 5e-324]
MALFORMED = [
    *(
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "{}{}",
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        "[" * 9_999,
    ),
    *(
        '"\\ud800"',
        '{"a":' * 9_999,
        '{"a":1e999}',
        '{"a":"\t"}',
        "\ufeff{}",
        "x" * 262_145,
        "{'a':1}",
    ),
]
PARAMETERS = sorted(
    {
        name
        for model in vars(queries).values()
        if isinstance(model, type) and issubclass(model, queries.Query)
        for name in model.model_fields
    }
)
ARGUMENTS = [
    *(
        "1",
        "0",
        "10000",
        "1e3",
        "9" * 20,
        "first",
        "a=b",
        "failed",
        "manual",
        "1h",
        "7d",
        "1795435200",
    ),
    *("2026-11-23T00:00:00Z", "2026-11-23T14:00:00+02:00", "0001-01-01T00:00:00Z", "cpu_usage,x"),
]
TYPES = ["", "text/plain", "application/json; charset=latin-1", "application/json;", "multipart/x"]
HEADERS = [
    "Idempotency-Key",
    "If-Match",
    "Content-Encoding",
    "X-Forwarded-For",
    "Accept",
    "Host",
    "Content-Length",
]
CONDITIONS = ["*", '"1"', '"2"', '"1", "2"', 'W/"1"', '"x"', "1", '"1', '*, "1"', '""']
ENDPOINTS = sorted(app.app.endpoints)
# a job that is deleted at once is no use to the others
COMMON = [key for key in ENDPOINTS if app.app.endpoints[key].handler.__name__ != "delete_job"]
NO_ENDPOINTS = [(method, path) for _, path in ENDPOINTS for method in ("HEAD", "TRACE", "get", "")]
NO_ENDPOINTS += [("GET", path) for path in ("/", "//", "/jobs", "/\x00", "/health/", "/workspaces")]


@dataclass(frozen=True)
class Sent:
    """One request, but for the ids of what is there when it is sent."""

    method: str
    route: str
    recent: int
    """How many jobs ago the one in the path was made."""
    workspace_id: str
    project_id: str
    odd: tuple[str, str] | None
    """Stands for one of the path's parameters."""
    authorization: str | None
    """None: the valid token."""
    content_type: str
    headers: dict[str, str]
    query: dict[str, list[str]]
    body: str | None
    forged: dict[str, Any] | None
    """What a cursor of this very list would hold, if clients made cursors."""


class Maker:
    """Makes requests; the same seed makes the same ones."""

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
