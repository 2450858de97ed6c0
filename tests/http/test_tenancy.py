"""A token reads and changes nothing outside its workspace and projects: every route is tried."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
import pytest

import app
from chalicelib.http.api import PROJECT
from chalicelib.usecases import access
from tests.yard import IMAGE, START, Answer, Yard, make_yard

CLOSED = {key: one for key, one in app.app.endpoints.items() if one.role is not None}
ROUTES = sorted(CLOSED)
WITH_JOB = [route for route in ROUTES if "{job_id}" in route[1]]
WITH_RUN = [route for route in ROUTES if "{run_id}" in route[1]]
MISSING = {"job_id": "job_01KAR0Z3J5T8WQ2V4X6Y8ZABCD", "run_id": "run_01KAR0Z3J5T8WQ2V4X6Y8ZABCD"}
BODIES = {"create_job": {"name": "new", "image": IMAGE}, "update_job": {"name": "renamed"}}
BROKEN = "jyd_" + "0" * 72


def _named(part: object) -> str:
    """The id of a test case, such as `DELETE /jobs/{job_id}`."""
    return f"{part[0]} {part[1].removeprefix(PROJECT)}" if isinstance(part, tuple) else str(part)


@dataclass
class World:
    """Two workspaces, the first with two projects; each project has a job with a run."""

    yard: Yard
    ids: dict[str, dict[str, str]]
    """The ids of the job and the run of each project, by "workspace/project"."""
    tokens: dict[str, str]

    def call(
        self, route: tuple[str, str], token: str | None, where: str, ids: dict[str, str]
    ) -> Answer:
        """Send a request that succeeds if the token allows it and the ids exist."""
        method, path = route
        workspace, project = where.split("/")
        named = {"workspace_id": workspace, "project_id": project, **ids}
        headers = {"Authorization": f"Bearer {token}" if token is not None else ""}
        body = BODIES.get(CLOSED[route].handler.__name__)
        return self.yard.call(method, path.format(**named), body, base="", headers=headers)

    def stored(self) -> dict[str, list[str]]:
        """
        All items of the tables and all AWS resources of jobs, except when tokens were last used.
        """
        dynamodb = boto3.client("dynamodb")
        settings = self.yard.system.settings
        held = {
            table: sorted(
                json.dumps(item, default=repr) for item in dynamodb.scan(TableName=table)["Items"]
            )
            for table in (settings.jobs_table, settings.runs_table)
        }
        held["tasks"] = [f"{task.arn} {task.desired_status}" for task in self.yard.aws.ecs.tasks]
        families = boto3.client("ecs").list_task_definitions()["taskDefinitionArns"]
        groups = boto3.client("logs").describe_log_groups()["logGroups"]
        return {
            **held,
            "definitions": families,
            "groups": [group["logGroupName"] for group in groups],
        }


def _made(
    yard: Yard,
    role: str,
    workspace: str = "acme",
    projects: list[str] | None = None,
    **life: Any,
) -> str:
    text, _ = yard.system.tokens.create(
        workspace, role, projects=projects, name="t", life=life.get("life"), now=START
    )
    return text


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with make_yard("test") as yard:
        ids = {}
        for workspace, project in (("acme", "etl"), ("acme", "web"), ("other", "etl")):
            yard.token = _made(yard, "write", workspace)
            base = f"/workspaces/{workspace}/projects/{project}"
            job = yard.call("POST", "/jobs", {"name": "n", "image": IMAGE}, base=base).data
            run = yard.call("POST", f"/jobs/{job['id']}/runs", base=base).data
            ids[f"{workspace}/{project}"] = {"job_id": job["id"], "run_id": run["id"]}
        revoked = _made(yard, "write")
        digest = access.digest_of(revoked)
        tokens = yard.system.tokens
        tokens.revoke(next(one for one in tokens.every() if one.pk == digest), START)
        made = {role: _made(yard, role, projects=["etl"]) for role in access.ROLES}
        made |= {
            "write everywhere in acme": _made(yard, "write"),
            "write in acme/web": _made(yard, "write", projects=["web"]),
            "write in no project": _made(yard, "write", projects=[]),
            "write in other": _made(yard, "write", "other"),
            "write in acm": _made(yard, "write", "acm"),
            "expired": _made(yard, "write", life=timedelta(seconds=-1)),
            "revoked": revoked,
            "unknown": access._new_text(),
            "malformed": BROKEN,
            "empty": "",
        }
        yield World(yard, ids, made)


WRONG = {
    401: ("expired", "revoked", "unknown", "malformed", "empty", None),
    403: ("write in acme/web", "write in no project", "write in other", "write in acm"),
}


@pytest.mark.parametrize("route", ROUTES, ids=_named)
def test_a_token_without_access_gets_the_same_answer_whether_or_not_a_thing_exists(
    world: World, route: tuple[str, str]
) -> None:
    """A missing, malformed, expired or revoked token gets 401, another project's token 403."""
    before = world.stored()
    needed = access.ROLES.index(CLOSED[route].role or "")
    refusals = [(status, name) for status, names in WRONG.items() for name in names]
    refusals += [(403, role) for role in access.ROLES[:needed]]
    for status, name in refusals:
        token = None if name is None else world.tokens[name]
        seen = [
            world.call(route, token, "acme/etl", ids)
            for ids in (world.ids["acme/etl"], MISSING, {"job_id": "x", "run_id": "%00"})
        ]
        assert [answer.status for answer in seen] == [status] * 3, name
        assert seen[0].envelope == seen[1].envelope == seen[2].envelope
        assert seen[0].headers == seen[1].headers == seen[2].headers
        assert seen[0].envelope["data"] is None
    assert world.stored() == before


@pytest.mark.parametrize("route", WITH_JOB, ids=_named)
def test_a_token_with_access_gets_404_for_what_does_not_exist(
    world: World, route: tuple[str, str]
) -> None:
    """
    The token has the least role that suffices, in its one project: the answer is not 401 or 403.
    """
    before = world.stored()
    for token in (CLOSED[route].role, "write", "write everywhere in acme"):
        answer = world.call(route, world.tokens[token or ""], "acme/etl", MISSING)
        assert answer.status == 404, token
    assert world.stored() == before


WHOSE: dict[str, Callable[[World], dict[str, str]]] = {
    "another project's": lambda world: world.ids["acme/web"],
    "another workspace's": lambda world: world.ids["other/etl"],
    "another project's job, its own run": lambda world: {
        **world.ids["acme/web"],
        "run_id": world.ids["acme/etl"]["run_id"],
    },
    "its own job, another project's run": lambda world: {
        **world.ids["acme/etl"],
        "run_id": world.ids["acme/web"]["run_id"],
    },
}
OF_OTHERS = [(route, whose) for route in WITH_JOB for whose in list(WHOSE)[:2]]
OF_OTHERS += [(route, whose) for route in WITH_RUN for whose in list(WHOSE)[2:]]


@pytest.mark.parametrize(("route", "whose"), OF_OTHERS, ids=_named)
def test_jobs_and_runs_of_another_project_are_404(
    world: World, route: tuple[str, str], whose: str
) -> None:
    """The path is the caller's own and the token may write there; the id is answered as unknown."""
    before = world.stored()
    ids = WHOSE[whose](world)
    answer = world.call(route, world.tokens["write"], "acme/etl", ids)
    missing = {name: value for name, value in ids.items() if value in answer.envelope["message"]}
    assert (answer.status, answer.envelope["code"]) == (404, "not_found")
    assert len(missing) == 1, "the message names one id only"
    assert world.stored() == before


def test_the_matrix_covers_every_route_under_a_project() -> None:
    """Only these routes are public; every other route needs a token and is below a project."""
    public = {path for (_, path), one in app.app.endpoints.items() if one.role is None}
    assert public == {
        "/health",
        "/openapi.json",
        "/jobs.schema.json",
        "/console",
        "/console/{file}",
    }
    assert all(path.startswith(f"{PROJECT}/") for _, path in ROUTES)
    assert {
        (method, path) for path, methods in app.app.routes.items() for method in methods
    } == set(app.app.endpoints)


def test_lists_contain_only_their_own_project(world: World) -> None:
    """This holds even if the names of jobs are the same."""
    for where, ids in world.ids.items():
        yard = world.yard
        yard.token = _made(yard, "read", where.split("/")[0])
        base = f"/workspaces/{where.split('/')[0]}/projects/{where.split('/')[1]}"
        for query in ({}, {"name": "n"}):
            listed = yard.call("GET", "/jobs", base=base, query=query).data["jobs"]
            assert [job["id"] for job in listed] == [ids["job_id"]]


def test_a_cursor_works_only_for_its_own_list(world: World) -> None:
    """A cursor of another project, job, run or kind of list gets 400."""
    yard = world.yard
    yard.token = world.tokens["write everywhere in acme"]
    bases = [f"/workspaces/acme/projects/{project}" for project in ("etl", "web")]
    extra = [
        yard.call("POST", "/jobs", {"name": "second", "image": IMAGE}, base=base).data
        for base in bases
    ]
    lists = [base + "/jobs" for base in bases]
    for base, project in zip(bases, ("acme/etl", "acme/web"), strict=True):
        runs = f"{base}/jobs/{world.ids[project]['job_id']}/runs"
        started = yard.call("POST", runs, base="").data
        lists += [runs, f"{runs}/{started['id']}/logs", runs.replace("/runs", "/logs")]
    cursors = [
        yard.call("GET", one, base="", query={"limit": 1}).data["next_cursor"] for one in lists
    ]
    assert all(cursors) and len(set(cursors)) == len(cursors)
    for here, path in enumerate(lists):
        for there, cursor in enumerate(cursors):
            answer = yard.call("GET", path, base="", query={"cursor": cursor})
            assert answer.status == (200 if here == there else 400)
    for base, job in zip(bases, extra, strict=True):
        assert yard.call("DELETE", f"{base}/jobs/{job['id']}", base="").status == 200


def test_an_idempotency_key_is_separate_in_each_project_and_job(world: World) -> None:
    """The same key in another project or job creates a thing of its own."""
    yard = world.yard
    yard.token = world.tokens["write everywhere in acme"]
    key = {"Idempotency-Key": "same"}
    made = []
    for project in ("etl", "web"):
        base = f"/workspaces/acme/projects/{project}"
        body = {"name": "by key", "image": IMAGE}
        first = yard.call("POST", "/jobs", body, base=base, headers=key)
        again = yard.call("POST", "/jobs", body, base=base, headers=key)
        assert (first.status, again.status) == (201, 200)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.data["id"] == first.data["id"]
        run = yard.call("POST", f"/jobs/{first.data['id']}/runs", base=base, headers=key)
        assert run.status == 201
        made += [first.data["id"], run.data["id"]]
    assert len(set(made)) == 4


@pytest.mark.parametrize(
    "workspace", ["", "ac%6De", "acme%23etl", "acme#etl", "ACME", "acme ", "."]
)
def test_no_spelling_of_a_workspace_reaches_another(world: World, workspace: str) -> None:
    """Ids are compared as they are sent, never decoded, trimmed or converted to lower case."""
    world.yard.token = world.tokens["write everywhere in acme"]
    for project in ("etl", "etl%2F..", "web#etl"):
        answer = world.yard.call("GET", "/jobs", base=f"/workspaces/{workspace}/projects/{project}")
        assert answer.status == 403
