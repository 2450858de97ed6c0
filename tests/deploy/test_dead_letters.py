"""EventBridge may send events that it cannot deliver to the queue, whatever the stage's name."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

import pytest

ACCOUNT = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012"}
RULE = "arn:aws:events:eu-central-1:123456789012:rule/"
STAGES = ["abcdefghijklmnopqrst"[:length] for length in range(1, 21)]
JOB = "job_01K0000000000000000000000A"


def substituted(value: Any, stage: str) -> str:
    """A string of the template, or a Fn::Sub of names that depend on no resource."""
    text: str = value if isinstance(value, str) else value["Fn::Sub"]
    for name, known in {**ACCOUNT, "Stage": stage}.items():
        text = text.replace(f"${{{name}}}", known)
    assert "${" not in text, text
    return text


def rule_names(template: dict[str, Any], stage: str) -> Iterator[str]:
    """
    The names that the rules of the functions' events get in AWS.

    SAM names a rule that has no name after its stack, its logical id and twelve random characters.
    If that is longer than the 64 characters of a rule's name, it cuts the first two to 25
    characters.
    """
    for function, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event, settings in resource["Properties"].get("Events", {}).items():
            # The property that SAM reads (Schedule, EventBridgeRule in the AWS SAM developer
            # guide).
            key = "Name" if settings["Type"] == "Schedule" else "RuleName"
            named = settings["Properties"].get(key)
            parts = [f"jobyard-{stage}", function + event, "1A2B3C4D5E6F"]
            if len("-".join(parts)) > 64:
                parts = [part[:25] for part in parts]
            yield substituted(named, stage) if named else "-".join(parts)


def may_send(template: dict[str, Any], stage: str, rule: str) -> bool:
    policy = template["Resources"]["UndeliveredEventsPolicy"]["Properties"]["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    patterns = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    listed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatch.fnmatchcase(RULE + rule, substituted(one, stage)) for one in listed)


@pytest.mark.parametrize("stage", STAGES, ids=len)
def test_every_rule_of_a_stage_may_send_to_its_queue(template: dict[str, Any], stage: str) -> None:
    """
    This holds for every length of a stage's name; EventBridge refuses names of over 64 characters.
    """
    rules = [*rule_names(template, stage), f"jobyard-{stage}-{JOB}-0"]
    assert len(rules) == 4
    for rule in rules:
        assert len(rule) <= 64
        assert may_send(template, stage, rule), rule


def test_rules_of_another_stage_may_not_send(template: dict[str, Any]) -> None:
    """The other stage's name begins with this one's."""
    for rule in [*rule_names(template, "dev-2"), f"jobyard-dev-2-{JOB}-0"]:
        assert not may_send(template, "dev", rule), rule
