"""Many requests change one job at once: all succeed, and none waits beyond its deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from chalicelib.engine import contention
from chalicelib.http import api
from tests.reliability.operations import Act, jobs, runs
from tests.reliability.wire import refused
from tests.reliability.world import World, make_world
from tests.yard import Answer, Yard

MANY = 30


def at_once(acts: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """The answers of acts that run in one thread each, as each request has its own function."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(act) for act in acts]]


def patches(yard: Yard, path: str) -> list[Callable[[], Answer]]:
    """Changes of one job, each of a field that no other one changes."""
    fields: dict[str, Any] = {
        "name": "renamed",
        "tags": ["a"],
        "paused": True,
        "max_retries": 3,
        "timeout_seconds": 60,
        "starting_deadline_seconds": 300,
        "command": ["x"],
        "entrypoint": ["y"],
        "concurrency_policy": "forbid",
        "architecture": "arm64",
    }
    return [partial(yard.call, "PATCH", path, {name: fields[name]}) for name in fields]


def test_thirty_patches_at_once_are_all_stored(yard: Yard) -> None:
    """Ten change different fields and twenty one field; each makes one version."""
    path = f"/jobs/{yard.create(name='a')['id']}"
    numbered = [
        partial(yard.call, "PATCH", path, {"timeout_seconds": 1000 + number})
        for number in range(MANY - 10)
    ]
    several = patches(yard, path)
    answers = at_once([*several, *numbered])
    assert [answer.status for answer in answers] == [200] * MANY
    after = yard.call("GET", path).data
    assert after["version"] == 1 + MANY
    assert len({answer.data["version"] for answer in answers}) == MANY
    assert (after["name"], after["tags"], after["paused"]) == ("renamed", ["a"], True)
    assert (after["command"], after["entrypoint"], after["max_retries"]) == (["x"], ["y"], 3)
    assert after["concurrency_policy"] == "forbid"


def test_thirty_triggers_beside_patches_all_start_a_run(yard: Yard) -> None:
    """A trigger is conditional on the job's version, which the patches raise."""
    job = yard.create(name="a")
    path = f"/jobs/{job['id']}"
    triggers = [partial(yard.call, "POST", f"{path}/runs")] * MANY
    changes = patches(yard, path)
    answers = at_once([*changes, *triggers])
    assert [answer.status for answer in answers] == [200] * len(changes) + [201] * MANY
    assert len(yard.runs(job)) == len(yard.aws.ecs.tasks) == MANY


def test_patches_and_a_delete_at_once_end_with_the_delete(yard: Yard) -> None:
    """Changes do not make the delete fail; each change is stored, or finds no job."""
    path = f"/jobs/{yard.create(name='a')['id']}"
    gone, *changed = at_once([partial(yard.call, "DELETE", path), *patches(yard, path) * 2])
    assert gone.status == 200
    assert {answer.status for answer in changed} <= {200, 404}
    assert yard.call("GET", path).status == 404


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with make_world("test") as made:
        yield made


@pytest.mark.parametrize("prepare", [jobs.update_name, runs.trigger, jobs.delete])
def test_a_writer_that_loses_every_race_gets_a_409_before_its_deadline(
    world: World, prepare: Callable[[World], Act]
) -> None:
    """The 409 says that trying again helps, and comes before the request's deadline."""
    act = prepare(world.fresh())

    def somebody_was_first(_: int, name: str) -> object:
        if name == "dynamodb.UpdateItem":
            return refused(name, "ConditionalCheckFailedException", "", 400, 0)
        if name == "dynamodb.TransactWriteItems":
            answer = refused(name, "TransactionCanceledException", "", 400, 0)
            answer[1]["CancellationReasons"] = [{"Code": "ConditionalCheckFailed"}] * 2
            return answer
        return None

    began = world.time.elapsed
    with world.wire.failing(asking=somebody_was_first):
        answer = act()
    took = world.time.elapsed - began
    assert (answer.status, answer.envelope["code"]) == (409, "conflict")
    assert api.MAX_SECONDS / 2 < took < api.MAX_SECONDS


def test_tries_end_with_the_deadline_and_with_their_number(world: World) -> None:
    """The first try has no pause, and no pause begins if the time left is too short for it."""
    before = world.time.elapsed
    assert next(contention.tries(world.clock)) == 0
    assert world.time.elapsed == before
    assert len(list(contention.tries(world.clock))) == contention.TRIES
    assert list(contention.tries(world.clock, 3)) == [0, 1, 2]
    with world.clock.deadline(contention.SPARE):
        assert list(contention.tries(world.clock)) == [0]
