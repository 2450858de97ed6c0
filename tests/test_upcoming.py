"""GET /schedule and GET /upcoming: what a schedule means, and which slots come next."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.test_costs import cost
from tests.yard import START, Answer, Yard


def schedule(yard: Yard, expression: str, **query: Any) -> Answer:
    return yard.call("GET", "/schedule", query={"expression": expression, **query})


def upcoming(yard: Yard, path: str = "/upcoming", **query: Any) -> Any:
    answer = yard.call("GET", path, query=query)
    assert answer.status == 200, answer.envelope
    return answer.data


def times(found: Any) -> list[str]:
    return [slot["scheduled_for"] for slot in found["slots"]]


# GET /schedule


def test_a_schedule_is_read_back_in_words_with_its_next_slots(yard: Yard) -> None:
    """The slots are in its zone; the test's clock stands at noon of 2026-11-23, a Monday."""
    found = schedule(yard, "0 3 * * 1-5", timezone="Europe/Berlin", count=2)
    assert found.data == {
        "text": "At 03:00, Monday to Friday",
        "timezone": "Europe/Berlin",
        "slots": ["2026-11-24T02:00:00.000Z", "2026-11-25T02:00:00.000Z"],
    }
    assert len(schedule(yard, "@hourly").data["slots"]) == 5


def test_the_slots_are_those_of_a_job_with_that_schedule(yard: Yard) -> None:
    """Such a job has the same description and the same next slot."""
    for expression, zone in (("*/7 * * * *", "UTC"), ("30 2 * * 7", "America/New_York")):
        found = schedule(yard, expression, timezone=zone, count=1).data
        job = yard.create(name=expression, schedule=expression, timezone=zone)
        assert (job["schedule_text"], job["next_run_at"]) == (found["text"], found["slots"][0])


def test_an_on_demand_job_has_no_words(yard: Yard) -> None:
    """A job whose schedule was removed has none either, and a client cannot set it."""
    job = yard.create(schedule="@daily")
    assert job["schedule_text"] == "At 00:00 every day"
    path = f"/jobs/{job['id']}"
    assert yard.call("PATCH", path, {"schedule": None}).data["schedule_text"] is None
    assert yard.call("PATCH", path, {"schedule_text": "never"}).status == 422


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 25 * * *", "UTC"),
        ("* * * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("", "UTC"),
        ("0 3 * * *", "Mars/Olympus"),
        ("x", "x"),
        ("* " * 200, "UTC"),
        ("L * * * *", ""),
    ],
)
def test_what_a_job_is_refused_for_is_refused_in_the_same_words(
    yard: Yard, expression: str, zone: str
) -> None:
    """The error names each wrong field as a job's."""
    job = {"name": "a", "image": "a", "schedule": expression, "timezone": zone}
    expected = yard.call("POST", "/jobs", job)
    found = schedule(yard, expression, timezone=zone)
    assert (found.status, found.envelope) == (422, expected.envelope)


@pytest.mark.parametrize("query", [{}, {"count": 3}, {"expression": "@daily", "count": 101}])
def test_an_invalid_query_is_a_400(yard: Yard, query: dict[str, Any]) -> None:
    """The expression is required, and the count has a limit."""
    assert yard.call("GET", "/schedule", query=query).status == 400


def test_a_rare_schedule_has_fewer_slots(yard: Yard) -> None:
    """Only 50 years are searched, so that no request takes too long."""
    found = schedule(yard, "0 0 29 2 *", count=100).data["slots"]
    assert found[:2] == ["2028-02-29T00:00:00.000Z", "2032-02-29T00:00:00.000Z"]
    assert len(found) == 13


# GET /upcoming


def test_slots_of_all_jobs_in_their_order(yard: Yard) -> None:
    """
    Slots are in ascending order with the names of their jobs; on-demand and paused jobs have none.
    """
    a = yard.create(name="a", schedule="0 */6 * * *")
    b = yard.create(name="b", schedule="30 13,18 * * *", timezone="Europe/Berlin")
    yard.create(name="paused", schedule="* * * * *", paused=True)
    yard.create(name="on demand")
    found = upcoming(yard)
    assert found["is_complete"]
    assert [(slot["job_name"], slot["scheduled_for"][:16]) for slot in found["slots"]] == [
        ("b", "2026-11-23T12:30"),
        ("b", "2026-11-23T17:30"),
        ("a", "2026-11-23T18:00"),
        ("a", "2026-11-24T00:00"),
        ("a", "2026-11-24T06:00"),
        ("a", "2026-11-24T12:00"),
    ]
    assert {slot["job_id"] for slot in found["slots"]} == {a["id"], b["id"]}


def test_slots_of_one_job(yard: Yard) -> None:
    """Other jobs' slots are left out; an unknown job gets 404."""
    job = yard.create(name="a", schedule="0 */6 * * *")
    yard.create(name="b", schedule="* * * * *")
    found = upcoming(yard, f"/jobs/{job['id']}/upcoming", until="12h")
    assert times(found) == ["2026-11-23T18:00:00.000Z", "2026-11-24T00:00:00.000Z"]
    assert found["is_complete"]
    unknown = f"/jobs/job_{'0' * 26}/upcoming"
    assert yard.call("GET", unknown).status == 404


@pytest.mark.parametrize("limit", [1, 7, 60, 61])
def test_the_first_slots_are_those_of_all_jobs(yard: Yard, limit: int) -> None:
    """This holds however the slots are spread over jobs; a list that was cut says so."""
    for minute in range(0, 60, 4):
        yard.create(name=f"at {minute}", schedule=f"{minute},{minute + 1} * * * *")
    whole = upcoming(yard, until="2h", limit=1000)
    assert (len(whole["slots"]), whole["is_complete"]) == (60, True)
    assert times(whole) == sorted(times(whole))
    part = upcoming(yard, until="2h", limit=limit)
    assert part["slots"] == whole["slots"][:limit]
    assert part["is_complete"] is (limit >= 60)


def test_a_job_every_minute_ends_at_the_limit(yard: Yard) -> None:
    """Of the ten thousand slots of a week only those that are shown are calculated."""
    yard.create(schedule="* * * * *")
    found = upcoming(yard, until="7d", limit=1000)
    assert (len(found["slots"]), found["is_complete"]) == (1000, False)
    minutes = [datetime.fromisoformat(at) for at in times(found)]
    assert minutes[0] == START + timedelta(minutes=1)
    assert {later - earlier for earlier, later in pairwise(minutes)} == {timedelta(minutes=1)}


def test_until_may_be_a_time_or_a_duration(yard: Yard) -> None:
    """Both give the same slots, and the slot at `until` is included."""
    yard.create(schedule="0 * * * *")
    assert upcoming(yard, until="3h") == upcoming(yard, until="2026-11-23T15:00:00Z")
    assert len(upcoming(yard, until="3h")["slots"]) == 3


@pytest.mark.parametrize("until", ["2026-11-23T12:00:00Z", "2026-11-30T12:00:01Z", "8d", "soon"])
def test_until_is_within_the_next_seven_days(yard: Yard, until: str) -> None:
    """A past time, a time too far ahead and a text that is no time get 400."""
    for path in ("/upcoming", f"/jobs/{yard.create()['id']}/upcoming"):
        assert yard.call("GET", path, query={"until": until}).status == 400


def test_a_slot_that_is_due_is_not_upcoming(yard: Yard) -> None:
    """The job's cursor stays at a due slot until a fire or the sweep moves it."""
    yard.create(schedule="*/10 * * * *")
    yard.clock.move(minutes=25)
    assert times(upcoming(yard, limit=1)) == ["2026-11-23T12:30:00.000Z"]
    yard.clock.move(minutes=5)
    assert times(upcoming(yard, limit=1)) == ["2026-11-23T12:40:00.000Z"]


def test_a_deleted_job_has_no_slots(yard: Yard) -> None:
    """It has none at once, although its deletion is not finished yet."""
    job = yard.create(schedule="* * * * *")
    yard.call("DELETE", f"/jobs/{job['id']}")
    assert upcoming(yard)["slots"] == []


def test_a_list_that_ran_out_of_time_says_so(yard: Yard) -> None:
    """A job that was not read may have an earlier slot."""
    yard.create(schedule="0 * * * *")
    with yard.clock.deadline(4.0):
        found = yard.system.schedules.of_project("acme#etl", None, 10)
    assert (found.slots, found.is_complete) == ([], False)


def test_upcoming_reads_one_page_of_jobs_per_query(yard: Yard) -> None:
    """A page of jobs costs one query, one job costs one read, and an expression costs none."""
    job = yard.create(schedule="* * * * *")
    yard.create(name="b", schedule="0 3 * * *")
    yard.call("GET", "/jobs")
    query, get = {"dynamodb.Query": 1}, {"dynamodb.GetItem": 1}
    assert cost(yard, lambda: upcoming(yard)) == query
    assert cost(yard, lambda: upcoming(yard, f"/jobs/{job['id']}/upcoming")) == get
    assert cost(yard, lambda: schedule(yard, "@daily")) == {}
