"""What EventBridge refuses and moto accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.local.fidelity.events import EventsFidelity

LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:fire"


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[EventsFidelity]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws(), EventsFidelity.install() as fidelity:
        yield fidelity


def client() -> Any:
    return boto3.client("events")


def code_of(operation: str, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        getattr(client(), operation)(**request)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 3 ? * 2-6 *)",
        "cron(*/5 * * * ? *)",
        "cron(0,30 8-17 1,15 JAN-MAR ? 2026-2030)",
        "rate(5 minutes)",
        "rate(1 hour)",
    ],
)
def test_a_valid_expression_is_accepted(events: EventsFidelity, expression: str) -> None:
    """AWS's syntax has six fields and one question mark."""
    client().put_rule(Name="rule", ScheduleExpression=expression)
    assert client().describe_rule(Name="rule")["ScheduleExpression"] == expression


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 3 * * *)",
        "cron(0 3 * * * *)",
        "cron(60 3 * * ? *)",
        "cron(0 3 ? * 0 *)",
        "cron(0 3 ? * 2/2 *)",
        "cron(0 3 32 * ? *)",
        "cron(*/0 * * * ? *)",
        "rate(1 minutes)",
        "rate(0 minutes)",
        f"cron({','.join(['1'] * 130)} * * * ? *)",
    ],
)
def test_an_invalid_expression_is_a_validation_exception(
    events: EventsFidelity, expression: str
) -> None:
    """No rule is created."""
    code = code_of("put_rule", Name="rule", ScheduleExpression=expression)
    assert code == "ValidationException"
    assert client().list_rules()["Rules"] == []


@pytest.mark.parametrize("name", ["x" * 65, "with space", "sla/sh"])
def test_a_name_beyond_the_limits_is_refused(events: EventsFidelity, name: str) -> None:
    """A name has 1 to 64 characters of `[.-_A-Za-z0-9]`."""
    assert code_of("put_rule", Name=name, ScheduleExpression="rate(5 minutes)") == (
        "ValidationException"
    )


def test_a_new_rule_over_the_quota_is_refused_and_an_update_is_not(events: EventsFidelity) -> None:
    """A bus has 300 rules by default, here 8; changing a rule does not count."""
    assert events.rules_per_bus == 300
    events.rules_per_bus = 8
    for number in range(8):
        client().put_rule(Name=f"rule-{number}", ScheduleExpression="rate(5 minutes)")
    expression = {"ScheduleExpression": "rate(6 minutes)"}
    assert code_of("put_rule", Name="one-more", **expression) == "LimitExceededException"
    client().put_rule(Name="rule-7", **expression)
    assert client().describe_rule(Name="rule-7")["ScheduleExpression"] == "rate(6 minutes)"


def test_a_rule_holds_five_targets(events: EventsFidelity) -> None:
    """A sixth target gets LimitExceededException; replacing one of the five does not."""
    client().put_rule(Name="rule", ScheduleExpression="rate(5 minutes)")
    five = [{"Id": f"t{number}", "Arn": LAMBDA} for number in range(5)]
    client().put_targets(Rule="rule", Targets=five)
    client().put_targets(Rule="rule", Targets=[{"Id": "t0", "Arn": LAMBDA, "Input": "{}"}])
    sixth = [{"Id": "t5", "Arn": LAMBDA}]
    assert code_of("put_targets", Rule="rule", Targets=sixth) == "LimitExceededException"


def test_a_rule_with_targets_cannot_be_deleted(events: EventsFidelity) -> None:
    """The targets must be removed first."""
    client().put_rule(Name="rule", ScheduleExpression="rate(5 minutes)")
    client().put_targets(Rule="rule", Targets=[{"Id": "t", "Arn": LAMBDA}])
    assert code_of("delete_rule", Name="rule") == "ValidationException"
    client().remove_targets(Rule="rule", Ids=["t"])
    client().delete_rule(Name="rule")
    assert client().list_rules()["Rules"] == []


def test_put_rule_on_a_rule_that_exists_keeps_its_tags_and_targets(events: EventsFidelity) -> None:
    """PutRule then ignores new tags, and removes the description if it is not sent again."""
    arn = client().put_rule(
        Name="rule",
        ScheduleExpression="rate(5 minutes)",
        Description="first",
        Tags=[{"Key": "k", "Value": "1"}],
    )["RuleArn"]
    client().put_targets(Rule="rule", Targets=[{"Id": "t", "Arn": LAMBDA}])
    client().put_rule(
        Name="rule", ScheduleExpression="rate(6 minutes)", Tags=[{"Key": "k", "Value": "2"}]
    )
    assert client().list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "1"}]
    assert client().list_targets_by_rule(Rule="rule")["Targets"][0]["Id"] == "t"
    assert "Description" not in client().describe_rule(Name="rule")


def test_put_targets_can_fail_within_a_200(events: EventsFidelity) -> None:
    """PutTargets reports errors only in `FailedEntryCount`."""
    client().put_rule(Name="rule", ScheduleExpression="rate(5 minutes)")
    events.fail_targets_next("ConcurrentModificationException", "again")
    answer = client().put_targets(Rule="rule", Targets=[{"Id": "t", "Arn": LAMBDA}])
    assert answer["FailedEntryCount"] == 1
    assert answer["FailedEntries"][0]["ErrorCode"] == "ConcurrentModificationException"
    assert client().list_targets_by_rule(Rule="rule")["Targets"] == []
