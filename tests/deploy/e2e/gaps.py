"""
Supplies to the deployed test what AWS has and the emulator lacks.

1. Its OpenAPI import ignores `x-amazon-apigateway-any-method` and gateway responses: the test
   takes them from the packaged template and creates them through API Gateway's API.
2. Its ECS sends no task state-change events, and like AWS it lets nobody else send them: the test
   makes the events from what DescribeTasks shows, and invokes the targets of the rules whose
   pattern matches. A test may have the events of one task lost.
3. Its CloudWatch refuses alarms on metric math: they are removed from the template.
4. Its IAM checks each call against the policies of the function's role (AUTH=true), but names
   some resources differently from AWS; RESOURCES lists them.
5. Its CloudFormation ignores the tables' point-in-time recovery and time to live: the test turns
   them on through DynamoDB's API.
6. Its StopTask ends a task at once, its containers have no init process, and its RunTask ignores
   the token: see emulated.py, the program that starts it.

Its IAM checks only the called action, not what AWS checks besides: iam:PassRole for
RegisterTaskDefinition and RunTask, and the TagResource of ECS, EventBridge and CloudWatch Logs
where a created resource has tags. Only the tests of `make test` check that the policies allow
those.

Left out, since nothing here depends on them: throttling and access logs of the API's stage, metrics
and alarms, and API Gateway's own renaming of WWW-Authenticate.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.local import template as stack


def fit_template(template: Path) -> None:
    """
    Change a packaged template so that the emulator accepts it: numbers 3 and 4 above.

    The actions of its policies stay, so the emulator denies an action that a function lacks.
    """
    loaded = json.loads(template.read_text())
    resources = loaded["Resources"]
    for name, resource in list(resources.items()):
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            del resources[name]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                document = policy["PolicyDocument"]
                document["Statement"] = [
                    fitted for given in document["Statement"] for fitted in _fit_statement(given)
                ]
    template.write_text(json.dumps(loaded))


CLUSTER = {
    "Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:cluster/jobyard-${Stage}"
}
RULES = {
    "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}"
    ":rule/default/jobyard-${Stage}-job_*"
}
GROUPS = {
    "Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}"
    ":log-group:/jobyard/${Stage}/job_*"
}
RESOURCES: dict[str, Any] = {
    # The emulator judges a call that names a cluster by the cluster's ARN alone, and does not know
    # the key `ecs:cluster`, by which AWS judges RunTask and ListTasks.
    "ecs:RunTask": CLUSTER,
    "ecs:ListTasks": CLUSTER,
    "ecs:DescribeTasks": CLUSTER,
    "ecs:StopTask": CLUSTER,
    # The emulator finds no ARN in a family or in a list of task definitions.
    "ecs:RegisterTaskDefinition": "*",
    "ecs:DeleteTaskDefinitions": "*",
    # The emulator's ARN of a rule contains the bus; AWS leaves the default bus out.
    "events:PutRule": RULES,
    "events:DeleteRule": RULES,
    # The emulator looks for a rule in Name, and these calls have it in Rule.
    "events:PutTargets": "*",
    "events:RemoveTargets": "*",
    "events:ListTargetsByRule": "*",
    # The emulator judges by the log group, AWS by the log stream.
    "logs:GetLogEvents": GROUPS,
}
"""For each action that the emulator judges by another resource than AWS does: that resource."""


def _fit_statement(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Split a statement: one for the actions that RESOURCES does not list, and one for each other.
    """
    actions = statement["Action"]
    given = [actions] if isinstance(actions, str) else list(actions)
    kept = [action for action in given if action not in RESOURCES]
    fitted = [{**statement, "Action": kept}] if kept else []
    for action in sorted(set(given) - set(kept)):
        other = {**statement, "Action": action, "Resource": RESOURCES[action]}
        other["Sid"] = f"{statement.get('Sid', '')}{action.partition(':')[2]}"
        other.pop("Condition", None)
        fitted.append(other)
    return fitted


def complete_tables(stage: str) -> None:
    """Turn on for each table what infra/stack.yaml sets."""
    dynamodb = boto3.client("dynamodb")
    for properties in stack.resources("AWS::DynamoDB::Table").values():
        table = stack.resolve(properties["TableName"], {"Stage": stage})
        dynamodb.update_continuous_backups(
            TableName=table,
            PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"],
        )
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if ttl["TimeToLiveStatus"] == "DISABLED":
            dynamodb.update_time_to_live(
                TableName=table, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
            )


def complete_gateway(template: Path, api: str) -> None:
    """Create what the import left out, and deploy it to the API's stage."""
    rest = json.loads(template.read_text())["Resources"]["RestAPI"]["Properties"]
    gateway = boto3.client("apigateway")
    resources = gateway.get_resources(restApiId=api, limit=500)["items"]
    by_path = {resource["path"]: resource for resource in resources}
    uri = _integration_of_health(gateway, api, by_path["/health"]["id"])
    for path, methods in rest["DefinitionBody"]["paths"].items():
        if "x-amazon-apigateway-any-method" in methods:
            where = {"restApiId": api, "resourceId": by_path[path]["id"], "httpMethod": "ANY"}
            gateway.put_method(**where, authorizationType="NONE")
            proxy = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri}
            gateway.put_integration(**where, **proxy)
    for kind, response in rest["GatewayResponses"].items():
        code = {"statusCode": str(response["StatusCode"])} if "StatusCode" in response else {}
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseTemplates=response["ResponseTemplates"],
            **code,
        )
    gateway.create_deployment(restApiId=api, stageName="api")


def _integration_of_health(gateway: Any, api: str, resource: str) -> str:
    found = gateway.get_integration(restApiId=api, resourceId=resource, httpMethod="GET")
    return str(found["uri"])


class Events:
    """Sends an event for each new version of each task of a cluster to the rules' targets."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._told: dict[str, int] = {}
        self._lost: set[str] = set()
        self._ended = threading.Event()
        self._ecs: Any = boto3.client("ecs")

    def lose(self, started_by: str) -> None:
        """Deliver no more events of tasks that were started by `started_by`."""
        self._lost.add(started_by)

    @contextmanager
    def told(self) -> Iterator[Events]:
        """Deliver events until the block ends."""
        teller = threading.Thread(target=self._tell, name="ecs-events")
        teller.start()
        try:
            yield self
        finally:
            self._ended.set()
            teller.join()

    def _tell(self) -> None:
        while not self._ended.wait(0.3):
            for task in self._tasks():
                arn, version = task["taskArn"], task["version"]
                if self._told.get(arn) != version:
                    is_lost = task.get("startedBy") in self._lost
                    if is_lost or _deliver(_event(task)):
                        self._told[arn] = version

    def _tasks(self) -> Iterator[dict[str, Any]]:
        for status in ("RUNNING", "STOPPED"):
            arns = self._ecs.list_tasks(cluster=self._cluster, desiredStatus=status)["taskArns"]
            if arns:
                yield from self._ecs.describe_tasks(cluster=self._cluster, tasks=arns)["tasks"]


def patient_lambda() -> Any:
    """A client that waits for the longest function and calls it only once."""
    patient = Config(read_timeout=310, retries={"total_max_attempts": 1})
    return boto3.client("lambda", config=patient)


SCHEDULED = {
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000000",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": {},
}
"""The event of a rule with a rate; the functions that such rules start do not read it."""


@contextmanager
def frequent(function: str, seconds: float) -> Iterator[None]:
    """
    Invoke a function again and again, each time so many seconds after the last call returned.

    The function's own rule still invokes it too.
    """
    ended = threading.Event()
    functions = patient_lambda()

    def invoke() -> None:
        while not ended.wait(seconds):
            event = json.dumps(SCHEDULED).encode()
            functions.invoke(FunctionName=function, Payload=event)

    invoker = threading.Thread(target=invoke, name=function)
    invoker.start()
    try:
        yield
    finally:
        ended.set()
        invoker.join()


def _event(task: dict[str, Any]) -> str:
    _, _, _, region, account, _ = task["taskArn"].split(":", 5)
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": account,
        "time": datetime.now(UTC).isoformat(),
        "region": region,
        "resources": [task["taskArn"]],
        "detail": task,
    }
    return json.dumps(event, default=lambda moment: moment.isoformat())


def _deliver(event: str) -> bool:
    """Whether all targets took the event; they refuse while a destroy has halted the stage."""
    events, functions = boto3.client("events"), patient_lambda()
    refusals = (
        functions.exceptions.TooManyRequestsException,
        functions.exceptions.ResourceNotFoundException,
    )
    is_taken = True
    for rule in events.list_rules()["Rules"]:
        pattern = rule.get("EventPattern")
        if pattern and events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]:
            for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                try:
                    # one after the other: each parallel call is a cold start here
                    functions.invoke(FunctionName=target["Arn"], Payload=event.encode())
                except refusals:
                    is_taken = False  # sent again later, as EventBridge does
    return is_taken
