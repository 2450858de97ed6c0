"""Values for every part of a request, most of them invalid."""

from __future__ import annotations

from typing import Any

import app
from chalicelib.domain.job_spec import JobSpec
from chalicelib.http import queries
from tests.yard import IMAGE

# The first two values of each field are valid.
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
    "concurrency_policy": ["allow", "forbid", "replace", "queue", "x"],
    "max_concurrent_runs": [1, 1_000, 2, 0, 1_001, 1.5],
    "jitter_seconds": [0, 3_600, 90, -1, 3_601, "60"],
    "starting_deadline_seconds": [300, 86_400, 299, 1e400],
    "cpu": [0.25, 0.5, 1, 4, True, 3, 10**400],
    "memory_mib": [1024, 2048, 512, 10**30],
    "architecture": ["arm64", "x86_64", "x86"],
    "capacity": ["spot", "on_demand", "spot_then_on_demand", "SPOT"],
    "task_role_arn": [
        "arn:aws:iam::123456789012:role/jobyard/test/acme/r",
        None,
        "arn:aws:iam::210987654321:role/jobyard/test/acme/r",
        "x",
    ],
    "timeout_seconds": [1, 1_209_600, 0],
    "max_retries": [0, 10, 11],
    "notify": [[], ["missed", "every_failure"], None, ["failing", "failing"], ["never"], "missed"],
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

# Without the route that deletes: later requests need the jobs.
COMMON = [key for key in ENDPOINTS if app.app.endpoints[key].handler.__name__ != "delete_job"]

NO_ENDPOINTS = [(method, path) for _, path in ENDPOINTS for method in ("HEAD", "TRACE", "get", "")]

NO_ENDPOINTS += [("GET", path) for path in ("/", "//", "/jobs", "/\x00", "/health/", "/workspaces")]
