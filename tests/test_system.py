"""There are no globals: two systems in one process have their own settings and clocks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import app
from chalicelib.settings import read_settings
from chalicelib.system import System
from infra.local import provision
from tests.yard import START, WORKSPACE, Clock, Yard


def test_two_systems_serve_the_same_routes_and_know_nothing_of_each_other(yard: Yard) -> None:
    """Each has its own tables, tokens and time, and requests to both alternate."""
    later = Clock()
    later.move(days=400)
    other = System(read_settings(provision.create("other")), later)
    serving_other = app.app.serving(other)
    text, _ = other.tokens.create(
        WORKSPACE, "write", projects=None, name="t", life=None, now=later()
    )

    def ask(method: str, path: str, body: Any = None) -> Any:
        with_token = {"Authorization": f"Bearer {text}"}
        return yard.call(method, path, body, headers=with_token, through=serving_other)

    mine = yard.create(name="a")
    assert ask("GET", "/jobs").data["jobs"] == []
    theirs = ask("POST", "/jobs", {"name": "a", "image": mine["image"]})
    assert theirs.status == 201
    assert [job["id"] for job in ask("GET", "/jobs").data["jobs"]] == [theirs.data["id"]]
    assert [job["id"] for job in yard.call("GET", "/jobs").data["jobs"]] == [mine["id"]]
    assert yard.call("GET", f"/jobs/{theirs.data['id']}").status == 404
    assert yard.call("GET", "/jobs", headers={"Authorization": f"Bearer {text}"}).status == 401
    assert mine["created_at"][:10] == f"{START:%Y-%m-%d}"
    assert theirs.data["created_at"][:10] == f"{START + timedelta(days=400):%Y-%m-%d}"
