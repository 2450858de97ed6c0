"""ECS cannot assume a new role for some minutes, which must fail neither a request nor a run."""

from __future__ import annotations

from typing import Any

from tests.reliability import invariants
from tests.reliability.operations import jobs
from tests.reliability.wire import Failing, refused
from tests.reliability.world import World

MESSAGE = "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/a'"


def refusing_registrations(times: int) -> Failing:
    """Answer the first RegisterTaskDefinition calls with a ClientException."""
    met: list[str] = []

    def refuse(_: int, name: str) -> Any:
        if name != "ecs.RegisterTaskDefinition" or len(met) == times:
            return None
        met.append(name)
        return refused(name, "ClientException", MESSAGE, 400, retries=0)

    return refuse


def test_ecs_reasons_are_shown_without_the_account_id(world: World) -> None:
    """No message of an answer contains an account id."""
    act = jobs.create(world.fresh())
    why = "Role arn:aws:iam::123456789012:role/a is not valid"
    refuse = lambda _, name: (  # noqa: E731 - one case of one test
        refused(name, "ClientException", why, 400) if name == "ecs.RegisterTaskDefinition" else None
    )
    with world.wire.failing(asking=refuse):
        answer = act()
    assert (answer.status, answer.envelope["code"]) == (422, "invalid_fields")
    assert "role/a is not valid" in answer.envelope["message"]
    assert "123456789012" not in str(answer.envelope)


def test_a_registration_is_tried_again_for_a_moment(world: World) -> None:
    """The request itself repeats the registration."""
    act = jobs.create(world.fresh())
    with world.wire.failing(asking=refusing_registrations(2)):
        assert act().status == 201
    invariants.hold_in_the_end(world)


def test_a_role_that_ecs_cannot_assume_yet_is_a_503_that_says_what_to_check(world: World) -> None:
    """The answer is no 422, because the request may be right."""
    act = jobs.create(world.fresh())
    with world.wire.failing(asking=refusing_registrations(99)):
        answer = act()
    assert (answer.status, answer.envelope["code"]) == (503, "unavailable")
    assert "trust policy" in answer.envelope["message"]
    assert "123456789012" not in answer.envelope["message"]
    invariants.hold_in_the_end(world)
