"""
What the stack makes so that people are told of jobs, and what of it no emulator can show: that is
compared with AWS's documentation.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.cloud.bus import NOTIFICATION, SOURCE
from infra import package
from infra.local.clock import transformed
from infra.local.template import resolve
from tests.deploy.linting import lint
from tests.deploy.test_dead_letters import may_send

NAMES = {"Stage": "prod", "RestAPI": "a1b2", "AWS::Region": "eu-central-1"}
NAMES |= {"AWS::URLSuffix": "amazonaws.com"}
MADE = {
    "NotifyRule": "Notifies",
    "NotifyTopic": "HasNotifyEmail",
    "NotifyTopicPolicy": "HasNotifyEmail",
    "NotifyConnection": "HasNotifyWebhook",
    "NotifyDestination": "HasNotifyWebhook",
    "NotifyRole": "HasNotifyWebhook",
}
TEXT = "nightly (acme/etl) is failing: it's (broken)."
EVENT = {"detail": {"text": TEXT, "console_path": "#/acme/etl/jobs/job_1"}}
LINK = "https://a1b2.execute-api.eu-central-1.amazonaws.com/api/console#/acme/etl/jobs/job_1"


def properties(template: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def targets(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rule's targets by the condition under which the rule has them."""
    found = {}
    for target in properties(template, "NotifyRule")["Targets"]:
        condition, made, otherwise = target["Fn::If"]
        assert otherwise == {"Ref": "AWS::NoValue"}
        found[condition] = made
    return found


def test_nothing_is_made_unless_somebody_is_to_be_told(template: dict[str, Any]) -> None:
    """Each resource has a condition, and each parameter is empty by default."""
    names = {name for name in template["Resources"] if name.startswith("Notify")}
    assert {name: template["Resources"][name]["Condition"] for name in names} == MADE
    for name in ("NotifyEmail", "NotifyTopicArn", "NotifyWebhook"):
        assert template["Parameters"][name]["Default"] == ""


def test_the_rule_lets_through_this_stage_s_notifications(template: dict[str, Any]) -> None:
    """Two stages may share a bus. The functions put on it what the rule looks for."""
    rule = properties(template, "NotifyRule")
    condition, named, _ = rule["EventBusName"]["Fn::If"]
    assert (condition, named) == ("HasEventBus", {"Ref": "EventBus"})
    assert resolve(rule["EventPattern"], NAMES) == {
        "source": [SOURCE],
        "detail-type": [NOTIFICATION],
        "detail": {"stage": ["prod"]},
    }


def test_a_text_arrives_with_a_link_to_the_console(template: dict[str, Any]) -> None:
    """As a sentence by e-mail and topic, and to the webhook as JSON with nothing but a text."""
    made = {
        condition: transformed(resolve(target["InputTransformer"], NAMES), EVENT)
        for condition, target in targets(template).items()
    }
    line = f"{TEXT} {LINK}"
    assert made == {
        "HasNotifyEmail": line,
        "HasNotifyTopic": line,
        "HasNotifyWebhook": {"text": line},
    }


def test_what_cannot_be_delivered_ends_in_the_dead_letter_queue(template: dict[str, Any]) -> None:
    """After a day and 185 tries (EventBridge user guide, "retry policy"); on any bus."""
    for target in targets(template).values():
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["UndeliveredEvents", "Arn"]}}
        assert target["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 86_400,
            "MaximumRetryAttempts": 185,
        }
    assert may_send(template, "prod", "jobyard-prod-notify")
    assert may_send(template, "prod", "notices/jobyard-prod-notify")
    assert not may_send(template, "prod", "jobyard-prod-2-notify")


def test_only_the_rule_may_publish_and_call(template: dict[str, Any]) -> None:
    """
    The topic's policy names the rule, and the role may call the one destination ("Amazon SNS
    permissions" and "API destinations" in the EventBridge user guide).
    """
    (publishes,) = properties(template, "NotifyTopicPolicy")["PolicyDocument"]["Statement"]
    assert publishes["Principal"] == {"Service": "events.amazonaws.com"}
    assert publishes["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["NotifyRule", "Arn"]}}
    }
    role = properties(template, "NotifyRole")
    (policy,) = role["Policies"]
    (calls,) = policy["PolicyDocument"]["Statement"]
    assert calls["Action"] == "events:InvokeApiDestination"
    assert calls["Resource"] == {"Fn::GetAtt": ["NotifyDestination", "Arn"]}
    assert targets(template)["HasNotifyWebhook"]["RoleArn"] == {"Fn::GetAtt": ["NotifyRole", "Arn"]}


def test_the_topic_is_not_encrypted_with_the_key_that_eventbridge_cannot_use(
    template: dict[str, Any],
) -> None:
    """`alias/aws/sns` lets no other service use it (SNS developer guide, "Encryption at rest")."""
    assert "KmsMasterKeyId" not in properties(template, "NotifyTopic")


def test_limits_of_aws_are_kept(template: dict[str, Any]) -> None:
    """
    PutTargets: five targets a rule, a template of 8,192 characters. CreateApiDestination: a rate of
    1 to 300. SNS: a display name of at most 100 characters.
    """
    assert len(targets(template)) <= 5
    for target in targets(template).values():
        assert len(json.dumps(target["InputTransformer"])) < 8_192
    assert 1 <= properties(template, "NotifyDestination")["InvocationRateLimitPerSecond"] <= 300
    longest = {"Stage": "s" * 20}
    assert len(resolve(properties(template, "NotifyTopic")["DisplayName"], longest)) <= 100
    assert len(resolve(properties(template, "NotifyRule")["Name"], longest)) <= 64
    assert len(resolve(properties(template, "NotifyRole")["RoleName"], longest)) <= 64


@pytest.mark.parametrize(
    ("parameter", "value", "is_taken"),
    [
        ("NotifyEmail", "", True),
        ("NotifyEmail", "team@example.com", True),
        ("NotifyEmail", "team", False),
        ("NotifyTopicArn", "arn:aws:sns:eu-central-1:123456789012:alerts", True),
        ("NotifyTopicArn", "arn:aws:sns:eu-central-1:123456789012:alerts.fifo", False),
        ("NotifyTopicArn", "alerts", False),
        ("NotifyWebhook", "https://hooks.slack.com/services/T0/B0/x", True),
        ("NotifyWebhook", "http://hooks.example.com/", False),
        ("NotifyWebhook", "https://", False),
    ],
)
def test_what_the_parameters_take(
    template: dict[str, Any], parameter: str, value: str, is_taken: bool
) -> None:
    """
    An API destination is HTTPS only, and EventBridge sends to no FIFO topic (EventBridge user
    guide, "API destinations" and "Event bus targets").
    """
    pattern = template["Parameters"][parameter]["AllowedPattern"]
    assert (re.fullmatch(pattern, value) is not None) == is_taken


def test_the_address_of_the_webhook_is_not_shown(template: dict[str, Any]) -> None:
    """Whoever knows a chat's webhook may write there."""
    assert template["Parameters"]["NotifyWebhook"]["NoEcho"] is True


def test_telling_people_needs_a_bus(template: dict[str, Any]) -> None:
    """Without one nothing would ever be told; the deployment is refused and says so."""
    rule = template["Rules"]["NotificationsNeedABus"]
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "EventBus"}, ""]}]}
    for name in ("NotifyEmail", "NotifyTopicArn", "NotifyWebhook"):
        assert name in json.dumps(rule["RuleCondition"])
        assert name in assertion["AssertDescription"]


def example() -> dict[str, Any]:
    """The template that docs/notifications.md shows: PagerDuty's, and the pings' beside it."""
    page = (package.ROOT / "docs" / "notifications.md").read_text()
    pagerduty, pings = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    loaded: dict[str, Any] = yaml.safe_load(pagerduty + pings)
    return loaded


def test_cfn_lint_finds_nothing_in_the_page_s_example(tmp_path: Path) -> None:
    """Whoever copies it can deploy it."""
    template = tmp_path / "template.json"
    template.write_text(json.dumps(example()))
    assert lint(template, "eu-central-1") == ("", 0)


def test_the_page_s_example_makes_what_pagerduty_takes() -> None:
    """Its Events API v2 wants a key, an action, and a summary of at most 1,024 characters."""
    event = {"detail": {"text": TEXT, "run": {"job_id": "job_1"}}}
    made = {
        name: transformed(resolve(target["InputTransformer"], {"Key": "k"}), event)
        for name in ("Triggers", "Resolves")
        for target in example()["Resources"][name]["Properties"]["Targets"]
    }
    assert made == {
        "Triggers": {
            "routing_key": "k",
            "event_action": "trigger",
            "dedup_key": "job_1",
            "payload": {"summary": TEXT, "source": "jobyard", "severity": "error"},
        },
        "Resolves": {"routing_key": "k", "event_action": "resolve", "dedup_key": "job_1"},
    }
