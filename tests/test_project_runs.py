"""`GET /runs`: the runs of a whole project, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import ids
from chalicelib.domain.times import iso
from chalicelib.tables.shards import LISTS, listed
from tests.yard import START, Answer, Yard


def runs(yard: Yard, **query: Any) -> list[dict[str, Any]]:
    answer = yard.call("GET", "/runs", query=query)
    assert answer.status == 200, answer.envelope
    return list(answer.data["runs"])


def ids_of(found: list[dict[str, Any]]) -> list[str]:
    return [run["id"] for run in found]


def pages(yard: Yard, **query: Any) -> Iterator[Answer]:
    cursor: dict[str, Any] = {}
    while True:
        answer = yard.call("GET", "/runs", query=query | cursor)
        assert answer.status == 200, answer.envelope
        yield answer
        if answer.data["next_cursor"] is None:
            return
        cursor = {"cursor": answer.data["next_cursor"]}


@pytest.fixture
def made(yard: Yard) -> list[dict[str, Any]]:
    """Ten runs of two jobs, a minute apart, oldest first: every third fails, the last runs."""
    jobs = [yard.create(name="a"), yard.create(name="b")]
    found = []
    for number in range(10):
        yard.clock.move(minutes=1)
        run = yard.trigger(jobs[number % 2])
        if number < 9:
            yard.finish(run, exit_code=int(number % 3 == 0))
        found.append(run)
    yard.aws.ecs.start(yard.task_of(found[-1]))
    yard.deliver()
    return found


def test_the_runs_of_all_jobs_come_newest_first(yard: Yard, made: list[dict[str, Any]]) -> None:
    """Each as its job's own list shows it, with the name of its job."""
    shown = runs(yard)
    assert ids_of(shown) == ids_of(made[::-1])
    assert {run["job_name"] for run in shown} == {"a", "b"}
    assert shown[1] == yard.run(made[-2])
    assert [run["status"] for run in shown[:3]] == ["running", "succeeded", "succeeded"]


def test_pages_leave_nothing_out_and_repeat_nothing(yard: Yard, made: list[dict[str, Any]]) -> None:
    """Whatever was triggered meanwhile comes before the first page."""
    for limit in (1, 3, 10, 100):
        assert [run for page in pages(yard, limit=limit) for run in ids_of(page.data["runs"])] == (
            ids_of(made[::-1])
        )
    first = yard.call("GET", "/runs", query={"limit": 4}).data
    yard.trigger(yard.create(name="c"))
    rest = runs(yard, cursor=first["next_cursor"])
    assert ids_of([*first["runs"], *rest]) == ids_of(made[::-1])


def test_runs_are_found_by_status(yard: Yard, made: list[dict[str, Any]]) -> None:
    """Also what is in flight, and what was cancelled."""
    assert ids_of(runs(yard, status="failed")) == ids_of([made[6], made[3], made[0]])
    assert len(runs(yard, status="succeeded")) == 6
    assert ids_of(runs(yard, status="running")) == [made[-1]["id"]]
    assert runs(yard, status="pending") == runs(yard, status="cancelled") == []
    waiting = yard.trigger({"id": made[0]["job_id"]})
    assert ids_of(runs(yard, status="pending")) == [waiting["id"]]
    yard.call("POST", f"/jobs/{waiting['job_id']}/runs/{waiting['id']}/cancel")
    assert runs(yard, status="pending") == []
    assert ids_of(runs(yard, status="cancelled")) == [waiting["id"]]
    for limit in (1, 2):
        found = [page.data["runs"] for page in pages(yard, status="failed", limit=limit)]
        assert ids_of([run for page in found for run in page]) == ids_of(made[6::-3])


def test_runs_are_found_by_trigger(yard: Yard) -> None:
    """A slot that was missed is a run that a schedule made."""
    job = yard.create(name="a", schedule="*/5 * * * *")
    by_hand = yard.trigger(job)
    yard.sweep(minutes=13)
    assert [(run["status"], run["scheduled_for"]) for run in runs(yard, trigger="schedule")] == [
        ("pending", iso(START + timedelta(minutes=10))),
        ("cancelled", iso(START + timedelta(minutes=5))),
    ]
    assert ids_of(runs(yard, trigger="manual")) == [by_hand["id"]]
    missed = runs(yard, trigger="schedule", status="cancelled")
    assert [run["error"]["code"] for run in missed] == ["missed_deadline"]


def test_runs_are_found_by_time(yard: Yard, made: list[dict[str, Any]]) -> None:
    """From `since` on and before `until`, each a time or a duration back from now."""
    at = [run["created_at"] for run in made]
    assert ids_of(runs(yard, since=at[4])) == ids_of(made[:3:-1])
    assert ids_of(runs(yard, until=at[4])) == ids_of(made[3::-1])
    assert ids_of(runs(yard, since=at[2], until=at[4])) == ids_of([made[3], made[2]])
    assert ids_of(runs(yard, since="2m")) == ids_of(made[:6:-1])
    assert runs(yard, since=iso(START + timedelta(days=1))) == []
    both = [page.data["runs"] for page in pages(yard, since=at[1], until=at[8], limit=2)]
    assert ids_of([run for page in both for run in page]) == ids_of(made[7:0:-1])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"since": "1h", "until": "2h"}, "since must be before until"),
        ({"since": "yesterday"}, "since"),
        ({"status": "skipped"}, "status"),
        ({"start": "2026-11-23T12:00:00Z"}, "start"),
    ],
)
def test_a_query_that_means_nothing_is_refused(
    yard: Yard, query: dict[str, str], says: str
) -> None:
    """Unknown parameters too."""
    answer = yard.call("GET", "/runs", query=query)
    assert answer.status == 400
    assert says in answer.envelope["message"]


def test_a_cursor_belongs_to_its_project(yard: Yard, made: list[dict[str, Any]]) -> None:
    """That of a job's runs is not one of the project's."""
    path = f"/jobs/{made[0]['job_id']}/runs"
    cursor = yard.call("GET", path, query={"limit": 1}).data["next_cursor"]
    assert yard.call("GET", "/runs", query={"cursor": cursor}).status == 400
    mine = yard.call("GET", "/runs", query={"limit": 1}).data["next_cursor"]
    elsewhere = "/workspaces/acme/projects/web"
    answer = yard.call("GET", "/runs", query={"cursor": mine}, base=elsewhere)
    assert answer.status == 400


def test_other_projects_and_deleted_jobs_are_left_out(
    yard: Yard, made: list[dict[str, Any]]
) -> None:
    """A job that is being deleted is gone for every reader at once, also while its task stops."""
    elsewhere = "/workspaces/acme/projects/web"
    assert yard.call("GET", "/runs", base=elsewhere).data["runs"] == []
    running = made[-1]["job_id"]
    assert yard.call("DELETE", f"/jobs/{running}").status == 200
    assert yard.system.runs_table.live("acme#etl", running), "its task is still to stop"
    for query in ({}, {"status": "running"}, {"status": "cancelled"}, {"status": "succeeded"}):
        assert running not in {run["job_id"] for run in runs(yard, **query)}
    assert len(runs(yard)) == 5


def test_a_run_that_retention_should_have_removed_is_not_shown(yard: Yard) -> None:
    """DynamoDB may take two days to."""
    settings_now = yard.system.settings
    from dataclasses import replace

    yard.set_up(replace(settings_now, run_retention_days=3))
    yard.finish(yard.trigger(yard.create()))
    assert len(runs(yard)) == 1
    yard.clock.move(days=3, minutes=1)
    assert runs(yard) == []


def test_a_page_that_runs_out_of_time_may_be_empty_and_goes_on(
    yard: Yard, made: list[dict[str, Any]]
) -> None:
    """Nothing is lost where what was asked for is behind much that was not."""
    listing = yard.system.runs_of_projects
    from chalicelib.usecases.project_runs import Wanted

    wanted = Wanted("cancelled", None, None, None)._replace(status="succeeded", trigger="schedule")
    with yard.clock.deadline(4):  # less than a page needs to spare
        page = listing.list_page("acme#etl", wanted, limit=1, before=None, fits=lambda run: True)
    assert page.records == []
    assert page.last == made[0]["id"], "as far as it has read"


def test_the_lists_of_a_project_are_evenly_long() -> None:
    """Ids of slots and of triggers alike are spread over all partitions."""
    names = [ids.new_run(START) for _ in range(2_000)]
    names += [ids.of_slot(f"job_{n}", 1, START) for n in range(2_000)]
    counts = dict.fromkeys((listed("p", run) for run in names), 0)
    for run in names:
        counts[listed("p", run)] += 1
    assert len(counts) == LISTS
    assert min(counts.values()) > 800


@settings(max_examples=200)
@given(st.datetimes(min_value=START.replace(tzinfo=None)), st.integers(0, 10**9))
def test_the_ids_of_runs_sort_by_the_bounds_of_their_times(at: Any, earlier: int) -> None:
    """A run that was made at a time, or later, has no smaller id than the first of that time."""
    at = at.replace(tzinfo=START.tzinfo)
    first = ids.first_run_at(at)
    assert ids.RUN.fullmatch(first)
    assert ids.new_run(at) >= first
    before = at - timedelta(milliseconds=1 + earlier)
    if before > START:
        assert ids.new_run(before) < first
