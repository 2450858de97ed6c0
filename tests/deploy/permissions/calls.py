"""
What IAM checks for each call: actions, the ARNs they act on, and condition keys.

Sources, unless a line below names one: the Service Authorization Reference, one page per service
("Actions, resources, and condition keys for Amazon DynamoDB", "… Elastic Container Service", "…
EventBridge", "… CloudWatch Logs", "… CloudWatch", "… Lambda").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.local import REGION
from infra.local.provision import ACCOUNT

ANY = "*"
"""The resource of an action that AWS does not let a policy narrow: only `*` matches it."""
TASKS = "ecs-tasks.amazonaws.com"

Params = Mapping[str, Any]
Definition = Callable[[str], Params]
"""Returns the parameters with which the task definition of an ARN was registered."""


@dataclass(frozen=True, order=True)
class Needed:
    """One permission that one call needs."""

    action: str
    arn: str
    context: tuple[tuple[str, str], ...] = ()
    """Condition keys and their values, in order of the keys."""


class NotKnown(Exception):
    """This module does not say yet how IAM judges this call."""


def judged(service: str, operation: str, params: Params, definition: Definition) -> list[Needed]:
    """The permissions that a call needs; an operation that is not listed here raises NotKnown."""
    if service == "ecs" and operation in _ECS:
        return list(_ECS[operation](params, definition))
    try:
        rule = _RULES[service, operation]
    except KeyError:
        raise NotKnown(f"{service}.{operation}: add to {__name__} how IAM judges it") from None
    return list(rule(f"{service}:{operation}", params))


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


# --- DynamoDB -------------------------------------------------------------------------------


def _table(action: str, params: Params) -> Iterator[Needed]:
    yield Needed(action, _table_arn(params["TableName"]))


def _query(action: str, params: Params) -> Iterator[Needed]:
    """An index has an ARN of its own, which the table's ARN does not cover."""
    table = _table_arn(params["TableName"])
    index = params.get("IndexName")
    yield Needed(action, f"{table}/index/{index}" if index else table)


def _batch(action: str, params: Params) -> Iterator[Needed]:
    """
    BatchGetItem and BatchWriteItem are actions of their own; GetItem and PutItem do not allow them.
    """
    for table in params["RequestItems"]:
        yield Needed(action, _table_arn(table))


_ITEM_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _transaction(_: str, params: Params) -> Iterator[Needed]:
    """
    A transaction has no action of its own: each item needs its own action on its own table.

    "Using IAM with DynamoDB transactions", Amazon DynamoDB developer guide.
    """
    for item in params["TransactItems"]:
        for kind, request in item.items():
            action = f"dynamodb:{_ITEM_ACTIONS[kind]}"
            yield Needed(action, _table_arn(request["TableName"]))


def _table_arn(name: str) -> str:
    return arn("dynamodb", f"table/{name}")


# --- ECS ------------------------------------------------------------------------------------


def _register(params: Params, _: Definition) -> Iterator[Needed]:
    """ECS chooses the revision, so 1 stands for any revision."""
    family = arn("ecs", f"task-definition/{params['family']}:1")
    yield Needed("ecs:RegisterTaskDefinition", family)
    yield from _pass_roles(params)
    if params.get("tags"):
        yield _tag_on_creation(family, "RegisterTaskDefinition")


def _run_task(params: Params, definition: Definition) -> Iterator[Needed]:
    """
    A launch needs iam:PassRole for the definition's roles again, and TagResource for its tags.

    "Amazon ECS EventBridge IAM Role", ECS developer guide: the caller of RunTask needs iam:PassRole
    for the execution role, the task role and a role in an override, and ecs:TagResource with
    ecs:CreateAction RunTask. `propagateTags` needs it as `tags` does.

    A capacity provider needs no permission of its own: RunTask is judged on the task definition
    alone. It is only the value of a condition key, which no policy of ours asks for, but a policy
    of the organisation may.
    """
    registered = definition(params["taskDefinition"])
    providers = [
        ("ecs:capacity-provider", arn("ecs", f"capacity-provider/{item['capacityProvider']}"))
        for item in params.get("capacityProviderStrategy") or []
    ]
    context = (*providers, ("ecs:cluster", _cluster(params)))
    yield Needed("ecs:RunTask", params["taskDefinition"], context)
    yield from _pass_roles(registered)
    yield from _pass_roles(params.get("overrides", {}))
    propagated = params.get("propagateTags") == "TASK_DEFINITION" and registered.get("tags")
    if params.get("tags") or propagated:
        task = arn("ecs", f"task/{_cluster_name(params)}/{'0' * 32}")
        yield _tag_on_creation(task, "RunTask")


def _pass_roles(named: Params) -> Iterator[Needed]:
    for name in ("executionRoleArn", "taskRoleArn"):
        if named.get(name):
            yield Needed("iam:PassRole", named[name], (("iam:PassedToService", TASKS),))


def _tag_on_creation(resource: str, by: str) -> Needed:
    """See "Grant permission to tag resources on creation", ECS developer guide."""
    return Needed("ecs:TagResource", resource, (("ecs:CreateAction", by),))


def _of_tasks(operation: str) -> Callable[[Params, Definition], Iterator[Needed]]:
    def needed(params: Params, _: Definition) -> Iterator[Needed]:
        for task in params.get("tasks") or [params["task"]]:
            full = task if task.startswith("arn:") else _task_arn(params, task)
            yield Needed(f"ecs:{operation}", full, (("ecs:cluster", _cluster(params)),))

    return needed


def _list_tasks(params: Params, _: Definition) -> Iterator[Needed]:
    """Its resource is a container instance; a request without one is judged on any resource."""
    yield Needed("ecs:ListTasks", ANY, (("ecs:cluster", _cluster(params)),))


def _delete_definitions(params: Params, _: Definition) -> Iterator[Needed]:
    for definition in params["taskDefinitions"]:
        yield Needed("ecs:DeleteTaskDefinitions", definition)


def _unnarrowed(operation: str) -> Callable[[Params, Definition], Iterator[Needed]]:
    return lambda *_: iter([Needed(f"ecs:{operation}", ANY)])


def _task_arn(params: Params, task: str) -> str:
    return arn("ecs", f"task/{_cluster_name(params)}/{task}")


def _cluster(params: Params) -> str:
    return arn("ecs", f"cluster/{_cluster_name(params)}")


def _cluster_name(params: Params) -> str:
    return str(params["cluster"]).rpartition("/")[2]


_ECS: dict[str, Callable[[Params, Definition], Iterable[Needed]]] = {
    "RegisterTaskDefinition": _register,
    "RunTask": _run_task,
    "DescribeTasks": _of_tasks("DescribeTasks"),
    "StopTask": _of_tasks("StopTask"),
    "ListTasks": _list_tasks,
    "DeleteTaskDefinitions": _delete_definitions,
    "DeregisterTaskDefinition": _unnarrowed("DeregisterTaskDefinition"),
    "DescribeTaskDefinition": _unnarrowed("DescribeTaskDefinition"),
    "ListTaskDefinitions": _unnarrowed("ListTaskDefinitions"),
}


# --- EventBridge, CloudWatch Logs, CloudWatch, Lambda -----------------------------------------


def _rule(action: str, params: Params) -> Iterator[Needed]:
    """The ARN of a rule on the default bus contains no bus."""
    bus = params.get("EventBusName", "default")
    name = params.get("Rule") or params["Name"]
    full = arn("events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")
    yield Needed(action, full)
    if params.get("Tags"):
        yield Needed("events:TagResource", full)


def _put_events(action: str, params: Params) -> Iterator[Needed]:
    for entry in params["Entries"]:
        bus = entry.get("EventBusName", "default")
        yield Needed(action, bus if bus.startswith("arn:") else arn("events", f"event-bus/{bus}"))


def _log_group(action: str, params: Params) -> Iterator[Needed]:
    """
    The ARN of a log group continues after the name, except for the actions on tags.

    "Overview of managing access permissions to your CloudWatch Logs resources", CloudWatch Logs
    user guide, writes it with `:*`; a denial has `:log-stream:` and no stream.
    """
    group = arn("logs", f"log-group:{params['logGroupName']}")
    yield Needed(action, f"{group}:log-stream:")
    if params.get("tags"):
        yield Needed("logs:TagResource", group)


def _log_stream(action: str, params: Params) -> Iterator[Needed]:
    stream = f"log-group:{params['logGroupName']}:log-stream:{params['logStreamName']}"
    yield Needed(action, arn("logs", stream))


def _invoke(_: str, params: Params) -> Iterator[Needed]:
    """Invoke is the one call whose action has another name ("Actions … for AWS Lambda")."""
    yield Needed("lambda:InvokeFunction", arn("lambda", f"function:{params['FunctionName']}"))


def _any(action: str, _: Params) -> Iterator[Needed]:
    yield Needed(action, ANY)


_RULES: dict[tuple[str, str], Callable[[str, Params], Iterable[Needed]]] = {
    **{("dynamodb", name): _table for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")},
    ("dynamodb", "Query"): _query,
    ("dynamodb", "BatchGetItem"): _batch,
    ("dynamodb", "BatchWriteItem"): _batch,
    ("dynamodb", "TransactWriteItems"): _transaction,
    ("dynamodb", "TransactGetItems"): _transaction,
    **{
        ("events", name): _rule
        for name in ("PutRule", "PutTargets", "RemoveTargets", "DeleteRule", "ListTargetsByRule")
    },
    ("events", "ListRules"): _any,
    ("events", "PutEvents"): _put_events,
    **{
        ("logs", name): _log_group
        for name in ("CreateLogGroup", "PutRetentionPolicy", "DeleteLogGroup", "FilterLogEvents")
    },
    ("logs", "GetLogEvents"): _log_stream,
    ("logs", "CreateLogStream"): _log_stream,
    ("logs", "PutLogEvents"): _log_stream,
    ("logs", "DescribeLogGroups"): _any,
    ("cloudwatch", "GetMetricData"): _any,
    ("lambda", "Invoke"): _invoke,
}


# --- one example of each ----------------------------------------------------------------------

_EXAMPLES = (
    (re.compile(r"job_[0-9A-Z]{26}"), "job_" + "0" * 26),
    (re.compile(r"(:task/[^/]+|:log-stream:run/main)/[0-9a-f-]{32,36}$"), r"\1/" + "0" * 32),
    (re.compile(r"(:task-definition/[^:]+):\d+$"), r"\1:1"),
    (re.compile(r"(:rule/.+)-\d$"), r"\1-0"),
)


def example(needed: Needed) -> Needed:
    """
    The same permission with one example of job, task, revision and rule instead of the real ones.
    """
    resource = needed.arn
    for pattern, text in _EXAMPLES:
        resource = pattern.sub(text, resource)
    return Needed(needed.action, resource, needed.context)
