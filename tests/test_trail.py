"""The audit trail: who made, changed and removed what, and which fields."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.yard import BASE, PROJECT, START, WORKSPACE, Yard

JOB_ACTIONS = ("create_job", "update_job", "delete_job", "cancel_run")


def entries(yard: Yard, base: str = BASE, **query: Any) -> list[dict[str, Any]]:
    """The trail of a project, newest first."""
    answer = yard.call("GET", "/audit", query=query, base=base)
    assert answer.status == 200, answer.envelope
    assert answer.data["next_cursor"] is None
    return list(answer.data["entries"])


def about_jobs(yard: Yard, **query: Any) -> list[dict[str, Any]]:
    return [entry for entry in entries(yard, **query) if entry["action"] in JOB_ACTIONS]


def actions(yard: Yard, **query: Any) -> list[str]:
    return [entry["action"] for entry in about_jobs(yard, **query)]


def test_a_job_that_is_made_has_an_entry_with_who_when_and_which_fields(yard: Yard) -> None:
    """Fields that have their defaults are not named, whether or not they were sent."""
    job = yard.create(name="nightly", schedule="0 3 * * *", env={"A": "secret"}, tags=[])
    token_id = yard.system.tokens.authenticate(f"Bearer {yard.token}", START).token_id
    (entry,) = about_jobs(yard)
    assert entry == {
        "at": job["created_at"],
        "token_id": token_id,
        "token_name": "test",
        "action": "create_job",
        "target": job["id"],
        "target_name": "nightly",
        "job_id": job["id"],
        "fields": ["env", "image", "name", "schedule"],
    }
    assert "secret" not in yard.call("GET", "/audit").text


def test_a_change_names_the_fields_that_changed_and_no_others(yard: Yard) -> None:
    """A field that was sent with the value that it had did not change."""
    job = yard.create(name="a", tags=["x"])
    path = f"/jobs/{job['id']}"
    yard.call("PATCH", path, {"tags": ["x"], "name": "b", "cpu": 0.5, "memory_mib": 1024})
    newest, _ = about_jobs(yard)
    assert (newest["action"], newest["target_name"]) == ("update_job", "b")
    assert newest["fields"] == ["cpu", "memory_mib", "name"]


def test_a_change_that_changes_nothing_has_no_entry(yard: Yard) -> None:
    """Nor has one that is refused, or whose name is taken."""
    job, _ = yard.create(name="a"), yard.create(name="b")
    path = f"/jobs/{job['id']}"
    assert yard.call("PATCH", path, {"name": "a"}).status == 200
    assert yard.call("PATCH", path, {"name": "b"}).status == 409
    assert yard.call("PATCH", path, {"cpu": 3}).status == 422
    assert yard.call("PATCH", path, {"tags": ["x"]}, headers={"If-Match": '"7"'}).status == 412
    assert yard.call("POST", "/jobs", {"name": "a", "image": job["image"]}).status == 409
    assert actions(yard) == ["create_job", "create_job"]


def test_a_repeated_create_has_one_entry(yard: Yard) -> None:
    """The Idempotency-Key is answered with the job that is there."""
    body, key = {"name": "a", "image": "busybox"}, {"Idempotency-Key": "k"}
    for status in (201, 200):
        assert yard.call("POST", "/jobs", body, headers=key).status == status
    assert actions(yard) == ["create_job"]


def test_entries_of_a_deleted_job_stay(yard: Yard) -> None:
    """They are read when somebody asks who deleted it."""
    job = yard.create(name="nightly")
    yard.call("DELETE", f"/jobs/{job['id']}")
    yard.sweep(minutes=2)
    assert yard.system.jobs_table.get(f"{WORKSPACE}#{PROJECT}", job["id"]) is None
    deleted, created = about_jobs(yard)
    assert (deleted["action"], deleted["target"]) == ("delete_job", job["id"])
    assert (deleted["target_name"], deleted["fields"]) == ("nightly", [])
    assert created["action"] == "create_job"


def test_a_cancel_has_an_entry_and_runs_that_are_cancelled_otherwise_have_none(
    yard: Yard,
) -> None:
    """What the deletion of a job or a newer slot cancels is not asked for by itself."""
    job = yard.create(name="nightly")
    run, other = yard.trigger(job), yard.trigger(job)
    path = f"/jobs/{job['id']}/runs/{run['id']}"
    assert yard.call("POST", f"{path}/cancel").status == 200
    assert yard.call("DELETE", path).status == 409
    yard.call("DELETE", f"/jobs/{job['id']}")
    assert yard.stored(other).stop_reason == "job_deleted"
    found = [(e["action"], e["target"], e["target_name"], e["job_id"]) for e in about_jobs(yard)]
    assert sorted(found) == sorted(
        [
            ("create_job", job["id"], "nightly", job["id"]),
            ("cancel_run", run["id"], "nightly", job["id"]),
            ("delete_job", job["id"], "nightly", job["id"]),
        ]
    )


def test_a_token_has_an_entry_in_each_project_in_which_it_is_valid(yard: Yard) -> None:
    """Made and revoked; a token for the whole workspace is shown in all of its projects."""
    at, tokens = yard.clock(), yard.system.tokens
    for name, projects in (("some", ["etl", "web"]), ("one", ["web"])):
        _, made = tokens.create(
            WORKSPACE, "read", projects=projects, name=name, life=timedelta(days=1), now=at
        )
        tokens.revoke(made, at + timedelta(seconds=1))

    def seen(project: str, workspace: str = WORKSPACE) -> list[tuple[str, str, list[str]]]:
        yard.token = yard.make_token("write", workspace)
        base = f"/workspaces/{workspace}/projects/{project}"
        yard.clock.move(seconds=1)
        return [(e["action"], e["target_name"], e["fields"]) for e in entries(yard, base)]

    given = ["expires_at", "name", "projects", "role"]
    everywhere = ("create_token", "test", ["name", "role"])
    some = [("revoke_token", "some", []), ("create_token", "some", given)]
    one = [("revoke_token", "one", []), ("create_token", "one", given)]
    assert sorted(seen("etl")) == sorted([everywhere, everywhere, *some])
    assert sorted(seen("web")) == sorted([everywhere] * 3 + some + one)
    assert seen("etl", "other") == [everywhere]


def test_only_the_first_of_two_revocations_has_an_entry(yard: Yard) -> None:
    """The second one finds no token."""
    _, made = yard.system.tokens.create(
        WORKSPACE, "read", projects=None, name="t", life=None, now=yard.clock()
    )
    for _ in range(2):
        yard.system.tokens.revoke(made, yard.clock())
    assert [e["action"] for e in entries(yard)].count("revoke_token") == 1


def test_the_trail_is_read_in_pages_newest_first(yard: Yard) -> None:
    """Jobs' entries and tokens' are merged by time; a cursor loses and repeats none."""
    for number in range(5):
        yard.create(name=f"job {number}")
        yard.make_token("read")
        yard.clock.move(seconds=1)
    everything = entries(yard)
    assert len(everything) == 11
    assert [e["at"] for e in everything] == sorted((e["at"] for e in everything), reverse=True)
    paged: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 3}
    for _ in range(4):
        page = yard.call("GET", "/audit", query=query).data
        paged += page["entries"]
        query["cursor"] = page["next_cursor"]
    assert paged == everything
    assert query["cursor"] is None


def test_the_trail_is_limited_by_time(yard: Yard) -> None:
    """`since` is included, `until` is not; both take a time or a duration back from now."""
    made = []
    for number in range(3):
        made.append(yard.create(name=f"job {number}"))
        yard.clock.move(hours=1)
    second = made[1]["created_at"]
    assert [e["target"] for e in about_jobs(yard, since=second)] == [made[2]["id"], made[1]["id"]]
    assert [e["target"] for e in about_jobs(yard, until=second)] == [made[0]["id"]]
    assert [e["target"] for e in about_jobs(yard, since="61m")] == [made[2]["id"]]
    assert [e["target"] for e in about_jobs(yard, since="3h", until="2h")] == [made[0]["id"]]
    assert yard.call("GET", "/audit", query={"since": "1h", "until": "2h"}).status == 400


def test_an_entry_is_shown_for_a_year_and_has_an_expiry(yard: Yard) -> None:
    """DynamoDB's TTL removes it, up to two days late."""
    yard.create()
    yard.clock.move(days=364, hours=23)
    yard.token = yard.make_token("write")
    assert actions(yard) == ["create_job"]
    yard.clock.move(hours=2)
    assert actions(yard) == []
    assert actions(yard, since="500d") == []


@pytest.mark.parametrize("role", ["read", "run"])
def test_the_trail_needs_the_role_write(yard: Yard, role: str) -> None:
    """It names tokens."""
    yard.token = yard.make_token(role)
    assert yard.call("GET", "/audit").status == 403


def test_another_projects_cursor_is_refused(yard: Yard) -> None:
    """As that of any other list is."""
    yard.create()
    cursor = yard.call("GET", "/audit", query={"limit": 1}).data["next_cursor"]
    web = f"/workspaces/{WORKSPACE}/projects/web"
    assert yard.call("GET", "/audit", query={"cursor": cursor}, base=web).status == 400


def test_a_project_named_like_the_trail_sees_nothing_of_it(yard: Yard) -> None:
    """The partition of a project's jobs is never that of another one's entries."""
    yard.create()
    yard.token = yard.make_token("write", "audit")
    base = f"/workspaces/audit/projects/{WORKSPACE}"
    assert yard.call("GET", "/jobs", base=base).data["jobs"] == []
    assert [e["action"] for e in entries(yard, base)] == ["create_token"]
