"""
Ten thousand odd requests get no 5xx, always an envelope, and nothing of other projects.

Most are made here, in process, from every route of the table. Those of schemathesis, made from the
OpenAPI document, are in test_schemathesis.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import app
from chalicelib.http.cursors import encode_cursor
from infra.local.provision import ACCOUNT
from tests.http.odd_requests import Maker, Sent
from tests.http.odd_values import VALUES
from tests.yard import IMAGE, Context, Yard, make_yard

REQUESTS, BATCH = 8_500, 50
JOBS = "/workspaces/{workspace_id}/projects/{project_id}/jobs"
HIDDEN = ("Traceback", 'File "', "botocore", "pynamodb", "pydantic", "moto")
"""Text of our internals, which no answer may contain unless the request contained it."""
ACCOUNTS = (ACCOUNT, "210987654321")
"""
The AWS account of the stage, and another one that requests name. No message may contain either.
"""


@dataclass
class World:
    """One project that requests may change in any way, and others that must stay as they are."""

    yard: Yard
    pairs: list[tuple[str, str]]
    """Pairs of a job and one of its runs, the newest last; deleted ones stay in the list."""
    theirs: dict[str, list[Any]]
    statuses: Counter[int] = field(default_factory=Counter)

    def items_of_others(self) -> dict[str, list[Any]]:
        """The items that the tables hold for all other projects."""
        held: dict[str, list[Any]] = {}
        dynamodb = boto3.client("dynamodb")
        mine = {"acme#etl", "audit#acme#etl"}
        jobs = dynamodb.scan(TableName=self.yard.system.settings.jobs_table)["Items"]
        held["jobs"] = sorted(
            json.dumps(one, default=repr) for one in jobs if one["pk"]["S"] not in mine
        )
        kept = {one["sk"]["S"] for one in jobs if one["pk"]["S"] not in mine}
        runs = dynamodb.scan(TableName=self.yard.system.settings.runs_table)["Items"]
        held["runs"] = sorted(
            json.dumps(one, default=repr) for one in runs if one["pk"]["S"] in kept
        )
        return held


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with make_yard("test") as yard:
        pairs = []
        for workspace, project in (("other", "etl"), ("acme", "web"), ("acme", "etl")):
            yard.token = yard.make_token("write", workspace)
            base = f"/workspaces/{workspace}/projects/{project}"
            spec = {"name": "first", "image": IMAGE, "schedule": "@hourly", "tags": ["a=b"]}
            job = yard.call("POST", "/jobs", spec, base=base).data
            run = yard.call("POST", f"/jobs/{job['id']}/runs", base=base).data
            pairs.append((job["id"], run["id"]))
        yard.token = yard.make_token("write", "acme", ["etl"])
        made = World(yard, pairs, {})
        made.theirs = made.items_of_others()
        yield made


def event_of(sent: Sent, world: World) -> dict[str, Any]:
    """The event that API Gateway sends for a request through the catch-all path."""
    job_id, run_id = world.pairs[-1 - sent.recent % len(world.pairs)]
    named = {
        "workspace_id": sent.workspace_id,
        "project_id": sent.project_id,
        "job_id": job_id,
        "run_id": run_id,
    }
    if sent.odd is not None:
        named[sent.odd[0]] = sent.odd[1]
    path = sent.route
    for name, value in named.items():
        path = path.replace(f"{{{name}}}", value)
    query = dict(sent.query)
    if sent.forged is not None and sent.odd is None:
        scope = {"jobs": f"{named['workspace_id']}#{named['project_id']}/jobs", "runs": job_id}
        kind = sent.route.rsplit("/", 1)[-1]
        by_run = run_id if "{run_id}" in sent.route else job_id
        query["cursor"] = [encode_cursor(kind, scope.get(kind, by_run), sent.forged)]
    bearer = f"Bearer {world.yard.token}" if sent.authorization is None else sent.authorization
    headers = {"Authorization": bearer, "Content-Type": sent.content_type, **sent.headers}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": sent.method,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": path.removeprefix("/")},
        "requestContext": {"resourcePath": "/{proxy+}", "httpMethod": sent.method},
        "body": sent.body,
        "isBase64Encoded": False,
    }


def _field_errors(envelope: dict[str, Any]) -> list[dict[str, str]]:
    data = envelope["data"]
    return data.get("errors", []) if isinstance(data, dict) else []


def check(sent: Sent, raw: dict[str, Any], world: World) -> None:
    """Check what must hold for every answer, whatever the request was."""
    status = raw["statusCode"]
    assert 200 <= status < 500, (sent, raw["body"])
    is_file = sent.route.startswith("/console") and status < 400
    envelope = {"openapi": ""} if is_file else json.loads(raw["body"])
    assert all(isinstance(value, str) and value.isprintable() for value in raw["headers"].values())
    raw["body"].encode()  # raises on half a surrogate pair
    if "openapi" in envelope or "$schema" in envelope:
        return
    assert envelope["status"] == ("success" if status < 300 else "error")
    assert isinstance(envelope["message"], str) and envelope["message"]
    assert ("code" in envelope) == (status >= 400)
    asked = json.dumps([sent.body, sent.query, sent.odd, sent.forged])
    said = [envelope["message"], *(error["message"] for error in _field_errors(envelope))]
    for sentence in said:
        assert not any(account in sentence for account in ACCOUNTS), sentence
        for hidden in HIDDEN:
            assert hidden not in sentence or hidden in asked, sentence
    assert world.yard.token not in raw["body"]


@settings(
    max_examples=REQUESTS // BATCH,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a simpler seed does not give a simpler request
)
@given(st.integers(0, 2**64))
def _fuzz(world: World, seed: int) -> None:
    maker = Maker(seed)
    for _ in range(BATCH):
        sent = maker.sent()
        raw = app.app(event_of(sent, world), Context())
        world.statuses[raw["statusCode"]] += 1
        check(sent, raw, world)
        if raw["statusCode"] == 201:
            made = json.loads(raw["body"])["data"]
            job_id = made.get("job_id", made["id"])
            world.pairs.append((job_id, made["id"] if "job_id" in made else world.pairs[-1][1]))


@pytest.mark.parametrize("field", sorted(VALUES))
def test_each_odd_value_is_sent_alone(world: World, field: str) -> None:
    """The random requests may send a value only beside another mistake that is found first."""
    create, update = ("POST", JOBS), ("PATCH", f"{JOBS}/{{job_id}}")
    for value in VALUES[field]:
        for method, route in (create, update):
            whole = {"name": "alone", "image": IMAGE} if method == "POST" else {}
            sent = replace(
                Maker(0).sent(),
                method=method,
                route=route,
                workspace_id="acme",
                project_id="etl",
                recent=0,
                odd=None,
                authorization=None,
                content_type="application/json",
                headers={},
                query={},
                body=json.dumps(whole | {field: value}),
                forged=None,
            )
            raw = app.app(event_of(sent, world), Context())
            check(sent, raw, world)
            assert raw["statusCode"] in (200, 201, 400, 409, 422), raw["body"]


def test_no_request_gives_a_5xx_or_reaches_another_project(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Methods, paths, ids, headers, queries and bodies are all odd, most of them nearly valid."""
    _fuzz(world)
    total = sum(world.statuses.values())
    with capsys.disabled():
        print(f"\nfuzzed: {total} requests, {dict(sorted(world.statuses.items()))}")
    assert total >= REQUESTS
    for status in (200, 201, 400, 401, 403, 404, 405, 409, 412, 415, 422):
        assert world.statuses[status] > 0, f"{status} was never answered"
    assert world.items_of_others() == world.theirs
