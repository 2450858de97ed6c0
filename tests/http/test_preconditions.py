"""ETag and If-Match: nobody overwrites, without noticing, a change that somebody else made."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.domain.errors import BadRequest, VersionConflict
from chalicelib.domain.preconditions import etag, read
from tests.yard import IMAGE, Answer, Yard


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        (None, {1, 3, 99}),
        ("*", {1, 3, 99}),
        (" * ", {1, 3, 99}),
        ('"3"', {3}),
        (' "3" ', {3}),
        ('"3", "99"', {3, 99}),
        ('"3","99"', {3, 99}),
        (', "3" ,,\t"99",', {3, 99}),  # empty elements are ignored (RFC 9110, 5.6.1.2)
        ('W/"3"', set()),  # never matches: the comparison is strong (RFC 9110, 13.1.1)
        ('W/"3", "99"', {99}),
        ('"03"', set()),
        ('" 3"', None),
        ('"3,99"', set()),
        ('"something else"', None),
        ('""', set()),
        ("3", None),
        ('"3', None),
        ('"3" "99"', None),
        ('*, "3"', None),
        ('"3", *', None),
        ('w/"3"', None),
        ('W/ "3"', None),
        ("", None),
        (",", None),
        ("'3'", None),
        ('"3"\n', None),
    ],
)
def test_if_match_is_read_as_rfc_9110_defines_it(
    header: str | None, versions: set[int] | None
) -> None:
    """`versions` are those of 1, 3 and 99 that match; None means that the header is malformed."""
    if versions is None:
        with pytest.raises(BadRequest):
            read(header)
        return
    condition = read(header)
    matching = set()
    for version in (1, 3, 99):
        with contextlib.suppress(VersionConflict):
            condition.check(version)
            matching.add(version)
    assert matching == versions


def test_a_long_malformed_list_of_etags_is_refused_in_linear_work() -> None:
    """Each header is as long as a header can be, with the mistake at its end."""
    for text in ('"a",' * 2_000 + "x", " ,\t" * 3_000 + "x", 'W/"' * 3_000):
        with pytest.raises(BadRequest):
            read(text)


def send(yard: Yard, method: str, path: str, body: Any = None, match: str | None = None) -> Answer:
    return yard.call(method, path, body, headers={} if match is None else {"If-Match": match})


def test_answers_that_show_a_job_carry_its_etag(yard: Yard) -> None:
    """
    A GET, POST, its replay, PATCH and PUT have the quoted version; a list and a DELETE have none.
    """
    body, key = {"name": "a", "image": IMAGE}, {"Idempotency-Key": "k"}
    made = yard.call("POST", "/jobs", body, headers=key)
    path = f"/jobs/{made.data['id']}"
    assert made.headers["ETag"] == '"1"'
    assert yard.call("PATCH", path, {"tags": ["x"]}).headers["ETag"] == '"2"'
    assert yard.call("PUT", path, {"tags": ["y"]}).headers["ETag"] == '"3"'
    assert yard.call("PUT", path, {"tags": ["y"]}).headers["ETag"] == '"3"'
    assert yard.call("GET", path).headers["ETag"] == etag(3)
    assert yard.call("POST", "/jobs", body, headers=key).headers["ETag"] == '"3"'
    assert "ETag" not in yard.call("GET", "/jobs").headers
    assert "ETag" not in yard.call("DELETE", path).headers


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_change_is_made_on_condition_of_the_version(yard: Yard, method: str) -> None:
    """Otherwise the answer is 412 with the job's current version, and nothing is changed."""
    path = f"/jobs/{yard.create(name='a')['id']}"
    assert send(yard, method, path, {"tags": ["x"]}, '"1"').data["version"] == 2
    stale = send(yard, method, path, {"tags": ["y"]}, '"1"')
    assert (stale.status, stale.envelope["code"]) == (412, "version_conflict")
    assert stale.data == {"version": 2}
    assert "version 2 " in stale.envelope["message"]
    assert stale.headers["ETag"] == '"2"'
    assert yard.call("GET", path).data["tags"] == ["x"]
    # 412 even if the change would change nothing, and even if its fields are invalid
    assert send(yard, method, path, {"tags": ["x"]}, '"1"').status == 412
    assert send(yard, method, path, {"cpu": 3}, '"1"').status == 412
    assert send(yard, method, path, {"tags": ["y"]}, '"7", "2"').data["version"] == 3
    assert send(yard, method, path, {"tags": ["z"]}, "*").data["version"] == 4
    assert send(yard, method, path, {"tags": ["x"]}, 'W/"4"').status == 412
    malformed = send(yard, method, path, {"tags": ["x"]}, "4")
    assert (malformed.status, malformed.envelope["code"]) == (400, "bad_request")
    assert yard.call("GET", path).data["version"] == 4


def test_a_delete_is_made_on_condition_of_the_version(yard: Yard) -> None:
    """A caller cannot delete a job whose last change the caller has not seen."""
    path = f"/jobs/{yard.create(name='a')['id']}"
    yard.call("PATCH", path, {"tags": ["x"]})
    stale = send(yard, "DELETE", path, match='"1"')
    assert (stale.status, stale.data) == (412, {"version": 2})
    assert send(yard, "DELETE", path, match="nonsense").status == 400
    assert yard.call("GET", path).status == 200
    assert send(yard, "DELETE", path, match='"2"').status == 200
    assert send(yard, "DELETE", path, match='"2"').status == 404
    assert send(yard, "PATCH", path, {"tags": []}, "*").status == 404


@pytest.mark.parametrize("body", [{"tags": ["mine"]}, {"name": "mine"}, {"command": ["mine"]}])
def test_a_change_between_the_read_and_the_write_is_a_conflict(
    yard: Yard, body: dict[str, Any]
) -> None:
    """The write itself has the condition, so it cannot overwrite a change made since the read."""
    path = f"/jobs/{yard.create(name='a')['id']}"
    events = yard.system.database.client.meta.events
    began: list[bool] = []
    others: list[Answer] = []

    def somebody_else(**_: Any) -> None:
        if not began:
            began.append(True)
            others.append(yard.call("PATCH", path, {"tags": ["theirs"]}))

    writes = ("dynamodb.UpdateItem", "dynamodb.TransactWriteItems")
    for write in writes:
        events.register(f"before-call.{write}", somebody_else)
    try:
        mine = send(yard, "PATCH", path, body, '"1"')
    finally:
        for write in writes:
            events.unregister(f"before-call.{write}", somebody_else)
    assert [answer.status for answer in others] == [200]
    assert (mine.status, mine.data) == (412, {"version": 2})
    after = yard.call("GET", path).data
    assert (after["tags"], after["name"], after["command"]) == (["theirs"], "a", None)


def test_of_many_changes_with_the_same_if_match_one_succeeds(yard: Yard) -> None:
    """All others get 412 with the version that the successful change made."""
    path = f"/jobs/{yard.create(name='a')['id']}"
    with ThreadPoolExecutor(12) as pool:
        asked = [
            pool.submit(send, yard, "PATCH", path, {"tags": [f"t{number}"]}, '"1"')
            for number in range(12)
        ]
        answers = [future.result() for future in asked]
    assert sorted(answer.status for answer in answers) == [200] + [412] * 11
    (made,) = [answer.data for answer in answers if answer.status == 200]
    assert all(answer.data == {"version": 2} for answer in answers if answer.status == 412)
    assert yard.call("GET", path).data == made


def test_a_repeated_write_after_a_lost_answer_does_not_conflict_with_itself(
    yard: Yard,
) -> None:
    """
    botocore repeats a write that got no answer, and the repeat finds the version already raised.
    """
    path = f"/jobs/{yard.create(name='a')['id']}"
    events = yard.system.database.client.meta.events
    lost: list[str] = []

    def answered_a_repeat(**_: Any) -> None:
        if not lost:
            lost.append("once")
            error: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
            error["CancellationReasons"] = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
            raise ClientError(error, "TransactWriteItems")

    events.register("after-call.dynamodb.TransactWriteItems", answered_a_repeat)
    try:
        answer = send(yard, "PATCH", path, {"tags": ["x"]}, '"1"')
    finally:
        events.unregister("after-call.dynamodb.TransactWriteItems", answered_a_repeat)
    assert lost
    assert (answer.status, answer.data["version"], answer.data["tags"]) == (200, 2, ["x"])


def test_managed_by_is_kept_changed_and_reset(yard: Yard) -> None:
    """It is a label of whoever manages the job; changing it registers no task definition."""
    job = yard.create(name="a", managed_by="etl/jobs.yaml")
    path = f"/jobs/{job['id']}"
    assert job["managed_by"] == yard.call("GET", path).data["managed_by"] == "etl/jobs.yaml"
    with yard.counting() as calls:
        assert yard.call("PATCH", path, {"managed_by": "other"}).data["managed_by"] == "other"
    assert "ecs.RegisterTaskDefinition" not in calls.counted
    assert yard.call("PATCH", path, {"tags": ["x"]}).data["managed_by"] == "other"
    assert yard.call("PATCH", path, {"managed_by": None}).data["managed_by"] is None


def test_a_job_stored_before_there_was_managed_by_is_shown_and_changed(yard: Yard) -> None:
    """It is shown as null, and setting it to null makes no new version."""
    job = yard.create(name="a")
    path = f"/jobs/{job['id']}"
    stored = yard.stored_job(job)
    spec = {name: value for name, value in stored.spec.items() if name != "managed_by"}
    assert yard.system.database.update(stored, [type(stored).spec.set(spec)])
    assert yard.call("GET", path).data == job
    assert yard.call("PATCH", path, {"managed_by": None}).data["version"] == 1
    assert yard.call("PATCH", path, {"tags": ["x"]}).data["managed_by"] is None
