"""The EventBridge rules of a job: what they contain, and how the audit repairs them."""

from __future__ import annotations

import boto3

from tests.yard import Yard, rules


def test_a_rule_has_its_name_expression_input_and_tags(yard: Yard) -> None:
    """The name has at most 64 characters; there are tags, retries and a dead-letter queue."""
    job = yard.create(name="nightly", schedule="0 3 1 * 1")
    events = boto3.client("events")
    found = events.list_rules()["Rules"]
    assert len(found) == 2  # day of month or day of week
    for rule in found:
        assert len(rule["Name"]) <= 64
        assert "nightly" in rule["Description"]
        assert "'0 3 1 * 1' in UTC" in rule["Description"]
        tags = events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        assert {"Key": "jobyard:job", "Value": job["id"]} in tags
        (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        assert target["DeadLetterConfig"]["Arn"].startswith("arn:aws:sqs:")
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        assert '"time": <time>' in target["InputTransformer"]["InputTemplate"]


def test_a_target_that_eventbridge_does_not_take_is_an_error(yard: Yard) -> None:
    """EventBridge reports it in an answer of 200, and the audit removes the rule."""
    yard.aws.events.fail_targets_next("InternalException", "try again")
    answer = yard.call("POST", "/jobs", {"name": "a", "image": "busybox", "schedule": "0 4 * * *"})
    assert answer.status == 503
    assert yard.call("GET", "/jobs").data["jobs"] == []
    yard.audit(hours=2)
    assert rules() == []


def test_the_audit_restores_rules(yard: Yard) -> None:
    """A removed rule is created again, a changed one is repaired, and a foreign one is removed."""
    yard.create(name="a", schedule="0 3 * * *")
    yard.create(name="b", schedule="0 4 * * *")
    events = boto3.client("events")
    first, second = (rule["Name"] for rule in events.list_rules()["Rules"])
    events.remove_targets(Rule=first, Ids=["fire"])
    events.delete_rule(Name=first)
    events.put_rule(Name=second, ScheduleExpression="cron(0 0 * * ? *)", State="DISABLED")
    events.put_rule(
        Name="jobyard-test-job_01ARZ3NDEKTSV4RRFFQ69G5FAV-0", ScheduleExpression="rate(1 day)"
    )
    yard.audit(hours=2)
    assert sorted(rules()) == [
        ("cron(0 3 * * ? *)", "ENABLED"),
        ("cron(0 4 * * ? *)", "ENABLED"),
    ]
    for rule in (first, second):
        assert len(events.list_targets_by_rule(Rule=rule)["Targets"]) == 1
