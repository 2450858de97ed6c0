"""Which permissions each kind of call needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.permissions import calls
from tests.deploy.permissions.calls import Needed, NotKnown

DYNAMODB = "arn:aws:dynamodb:eu-central-1:123456789012:table/"
ECS = "arn:aws:ecs:eu-central-1:123456789012:"
CLUSTER = (("ecs:cluster", f"{ECS}cluster/c"),)
TO_TASKS = (("iam:PassedToService", "ecs-tasks.amazonaws.com"),)
DEFINITION = f"{ECS}task-definition/f:3"
ROLES = {"executionRoleArn": "arn:execution", "taskRoleArn": "arn:task"}
PASSED = [Needed("iam:PassRole", arn, TO_TASKS) for arn in ROLES.values()]


def judged(service: str, operation: str, registered: Any = None, **params: Any) -> list[Needed]:
    return calls.judged(service, operation, params, lambda _: registered or {})


def test_a_transaction_is_judged_by_its_items() -> None:
    """Each item is judged on its own table; a transaction has no action of its own."""
    items = [
        {kind: {"TableName": table}}
        for kind, table in (("Put", "a"), ("Update", "b"), ("Delete", "a"), ("ConditionCheck", "b"))
    ]
    assert judged("dynamodb", "TransactWriteItems", TransactItems=items) == [
        Needed("dynamodb:PutItem", f"{DYNAMODB}a"),
        Needed("dynamodb:UpdateItem", f"{DYNAMODB}b"),
        Needed("dynamodb:DeleteItem", f"{DYNAMODB}a"),
        Needed("dynamodb:ConditionCheckItem", f"{DYNAMODB}b"),
    ]


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_a_batch_is_judged_as_its_own_action_on_each_table(operation: str) -> None:
    """A permission for GetItem or PutItem does not allow a batch."""
    assert judged("dynamodb", operation, RequestItems={"a": [], "b": []}) == [
        Needed(f"dynamodb:{operation}", f"{DYNAMODB}a"),
        Needed(f"dynamodb:{operation}", f"{DYNAMODB}b"),
    ]


def test_a_query_of_an_index_needs_the_indexs_arn() -> None:
    """The table's ARN does not allow it."""
    table, index = f"{DYNAMODB}a", f"{DYNAMODB}a/index/live"
    assert judged("dynamodb", "Query", TableName="a") == [Needed("dynamodb:Query", table)]
    through = judged("dynamodb", "Query", TableName="a", IndexName="live")
    assert through == [Needed("dynamodb:Query", index)]


def test_a_registration_passes_its_roles_and_tags_what_it_makes() -> None:
    """A registration without roles and tags needs only its own action."""
    made = f"{ECS}task-definition/f:1"
    itself = Needed("ecs:RegisterTaskDefinition", made)
    assert judged("ecs", "RegisterTaskDefinition", family="f") == [itself]
    tags = [{"key": "a", "value": "b"}]
    assert judged("ecs", "RegisterTaskDefinition", family="f", tags=tags, **ROLES) == [
        itself,
        *PASSED,
        Needed("ecs:TagResource", made, (("ecs:CreateAction", "RegisterTaskDefinition"),)),
    ]


def test_a_launch_on_spot_has_the_provider_as_a_condition_key() -> None:
    """It needs no other permission than a launch on demand."""
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    launch = {"cluster": "c", "taskDefinition": DEFINITION}
    provider = ("ecs:capacity-provider", f"{ECS}capacity-provider/FARGATE_SPOT")
    assert judged("ecs", "RunTask", **launch, capacityProviderStrategy=strategy) == [
        Needed("ecs:RunTask", DEFINITION, (provider, *CLUSTER))
    ]
    assert judged("ecs", "RunTask", **launch, launchType="FARGATE") == [
        Needed("ecs:RunTask", DEFINITION, CLUSTER)
    ]


TAG_THE_TASK = Needed(
    "ecs:TagResource", f"{ECS}task/c/{'0' * 32}", (("ecs:CreateAction", "RunTask"),)
)


@pytest.mark.parametrize(
    ("registered", "given", "more"),
    [
        ({}, {}, []),
        ({}, {"tags": []}, []),
        (ROLES, {}, PASSED),
        ({}, {"tags": [{"key": "a"}]}, [TAG_THE_TASK]),
        ({"tags": [{"key": "a"}]}, {}, []),
        ({"tags": [{"key": "a"}]}, {"propagateTags": "TASK_DEFINITION"}, [TAG_THE_TASK]),
        ({}, {"propagateTags": "TASK_DEFINITION"}, []),
        ({}, {"overrides": {"taskRoleArn": "arn:task"}}, PASSED[1:]),
    ],
)
def test_a_launch_passes_the_definitions_roles_and_tags_the_task(
    registered: dict[str, Any], given: dict[str, Any], more: list[Needed]
) -> None:
    """Tags of the request and propagated tags both need TagResource."""
    found = judged("ecs", "RunTask", registered, cluster="c", taskDefinition=DEFINITION, **given)
    assert found == [Needed("ecs:RunTask", DEFINITION, CLUSTER), *more]


def test_task_calls_need_each_tasks_arn_and_list_tasks_needs_the_clusters() -> None:
    """
    A task may be named by ARN or id; ListTasks names none, and a condition binds it to the cluster.
    """
    full = f"{ECS}task/c/1"
    for task in (full, "1"):
        (found,) = judged("ecs", "DescribeTasks", cluster="c", tasks=[task])
        assert found == Needed("ecs:DescribeTasks", full, CLUSTER)
        (stopped,) = judged("ecs", "StopTask", cluster=f"{ECS}cluster/c", task=task)
        assert stopped == Needed("ecs:StopTask", full, CLUSTER)
    assert judged("ecs", "ListTasks", cluster="c") == [Needed("ecs:ListTasks", "*", CLUSTER)]


def test_a_rule_of_the_default_bus_has_no_bus_in_its_arn() -> None:
    """The tags of a rule need a permission of their own."""
    rule = "arn:aws:events:eu-central-1:123456789012:rule/"
    assert judged("events", "PutRule", Name="r", Tags=[{"Key": "a", "Value": "b"}]) == [
        Needed("events:PutRule", f"{rule}r"),
        Needed("events:TagResource", f"{rule}r"),
    ]
    (found,) = judged("events", "RemoveTargets", Rule="r", EventBusName="b")
    assert found == Needed("events:RemoveTargets", f"{rule}b/r")


def test_put_events_needs_the_bus_of_each_entry() -> None:
    """An entry may have the bus's name or its ARN."""
    bus = "arn:aws:events:eu-central-1:123456789012:event-bus/b"
    entries = [{"EventBusName": "b"}, {"EventBusName": bus}]
    assert judged("events", "PutEvents", Entries=entries) == [Needed("events:PutEvents", bus)] * 2


def test_log_calls_need_the_streams_wildcard_except_calls_on_tags() -> None:
    """The ARN of a stream ends with the stream's name."""
    group = "arn:aws:logs:eu-central-1:123456789012:log-group:g"
    assert judged("logs", "CreateLogGroup", logGroupName="g", tags={"a": "b"}) == [
        Needed("logs:CreateLogGroup", f"{group}:log-stream:"),
        Needed("logs:TagResource", group),
    ]
    (found,) = judged("logs", "GetLogEvents", logGroupName="g", logStreamName="s")
    assert found == Needed("logs:GetLogEvents", f"{group}:log-stream:s")


def test_a_call_without_a_description_is_an_error() -> None:
    """Otherwise the call would be recorded as if it needed nothing."""
    with pytest.raises(NotKnown, match=r"ecs.CreateService"):
        judged("ecs", "CreateService")


def test_ids_of_jobs_tasks_revisions_and_rules_become_one_example() -> None:
    """The manifest of calls is thus the same for every recording."""
    job, task = "job_01KAR0000000000000000000AA", "a" * 32
    for arn, text in (
        (f"{ECS}task-definition/f-{job}:7", f"{ECS}task-definition/f-job_{'0' * 26}:1"),
        (f"{ECS}task/c/{task}", f"{ECS}task/c/{'0' * 32}"),
        (f"arn:aws:events:r:1:rule/f-{job}-1", f"arn:aws:events:r:1:rule/f-job_{'0' * 26}-0"),
        (
            f"arn:aws:logs:r:1:log-group:/f/{job}:log-stream:run/main/{task}",
            f"arn:aws:logs:r:1:log-group:/f/job_{'0' * 26}:log-stream:run/main/{'0' * 32}",
        ),
    ):
        assert calls.example(Needed("a:A", arn)) == Needed("a:A", text)
