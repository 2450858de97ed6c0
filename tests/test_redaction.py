"""Messages contain no AWS account id, wherever AWS has put one."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.redaction import without_account_ids
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from infra.local.provision import ACCOUNT
from tests.reliability.wire import refused
from tests.yard import IMAGE, Yard

ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobyard/test/acme/etl"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"Role {ROLE} is not valid.", f"Role {ROLE.replace(ACCOUNT, '<account>')} is not valid."),
        (
            f"pull {ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a:1: not found",
            "pull <account>.dkr.ecr.eu-west-1.amazonaws.com/a:1: not found",
        ),
        (f"account {ACCOUNT} (also {ACCOUNT})", "account <account> (also <account>)"),
        ("request 01234567-0123-0123-0123-01234567890a", None),
        ("sha256:" + "0123456789ab" * 5 + "0000", None),
        ("1763953200000 ms", None),
        ("", None),
    ],
)
def test_account_ids_are_replaced_and_nothing_else(said: str, shown: str | None) -> None:
    """Ids in ARNs, in registry names and alone are replaced; longer numbers and digests stay."""
    assert without_account_ids(said) == (said if shown is None else shown)


def test_what_ecs_says_of_a_definition_names_no_account(yard: Yard) -> None:
    """The 422 contains ECS's own reason."""
    events = yard.system.clients.get("ecs").meta.events
    refusal = refused("", "ClientException", f"Role {ROLE} is not valid", 400)
    answered = lambda **_: refusal  # noqa: E731 - the same object must be taken back
    events.register("before-call.ecs.RegisterTaskDefinition", answered)
    try:
        answer = yard.call("POST", "/jobs", {"name": "a", "image": IMAGE, "task_role_arn": ROLE})
    finally:
        events.unregister("before-call.ecs.RegisterTaskDefinition", answered)
    assert answer.status == 422
    assert "is not valid" in answer.data["errors"][0]["message"]
    assert ACCOUNT not in json.dumps(answer.envelope)


@pytest.mark.parametrize(
    "refusal",
    [
        EcsError("AccessDeniedException", f"not authorized to pass role: {ROLE}"),
        Failure("ACCOUNT", f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/x"),
    ],
)
def test_a_refused_launch_names_no_account(yard: Yard, refusal: EcsError | Failure) -> None:
    """The run's error contains AWS's own reason."""
    yard.aws.ecs.refuse_next(refusal)
    run = yard.run(yard.trigger(yard.create()))
    assert run["status"] == "failed"
    assert "<account>" in run["error"]["message"]
    assert ACCOUNT not in run["error"]["message"]


def test_a_task_that_could_not_start_names_no_account(yard: Yard) -> None:
    """This holds for the error of each attempt; the ARN of its task is data and stays."""
    run = yard.trigger(yard.create())
    arn = yard.task_of(run)
    yard.aws.ecs.fail_to_start(
        arn, f"CannotPullContainerError: {ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a: not found"
    )
    yard.deliver()
    shown = yard.run(run)
    assert "<account>.dkr.ecr" in shown["error"]["message"]
    assert ACCOUNT not in shown["attempts"][0]["error"]["message"]
    assert shown["task_arn"] == arn and ACCOUNT in arn
