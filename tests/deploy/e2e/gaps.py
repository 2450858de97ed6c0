"""
What the emulator lacks and AWS has, supplied to the deployed test from outside.

1. Its OpenAPI import passes over `x-amazon-apigateway-any-method` and gateway responses: they are
   put there through API Gateway's own API, out of the packaged template.
2. Its ECS sends no task state-change events, and like AWS it lets nobody else put them on the bus:
   they are made of what DescribeTasks shows, and handed to the targets of the rules whose pattern
   they match. A test may have the events of one task lost.
3. Its CloudWatch refuses alarms on metric math: they are taken out of the template.
4. Its IAM holds every call against the policies of the function's role (AUTH=true), but names some
   resources otherwise than AWS does; RESOURCES says which, and what stands in their place.
5. Its CloudFormation passes over the tables' point-in-time recovery and time to live: they are
   turned on through DynamoDB's own API.
6. Its StopTask ends a task at once, its containers have no init process, and it ignores the token
   of RunTask: see emulated.py, the program that starts it.

Its IAM does not judge what a call does besides itself: iam:PassRole of RegisterTaskDefinition and
RunTask, and the TagResource of ECS, EventBridge and CloudWatch Logs where tags come with creation.
Only the tests of `make test` read that the policies have them.

Left out, since nothing here depends on it: throttling and access logs of the API's stage; metrics
and alarms; the gateway's own renaming of WWW-Authenticate.
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
    Make of a packaged template one that the emulator takes: numbers 3 and 4 above.

    Its actions stay what they are, so that one that a function lacks is denied here too.
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
    # a call that names a cluster is judged by the cluster's ARN alone, and without `ecs:cluster`,
    # by which AWS judges RunTask and ListTasks; a task or a task definition counts for nothing
    "ecs:RunTask": CLUSTER,
    "ecs:ListTasks": CLUSTER,
    "ecs:DescribeTasks": CLUSTER,
    "ecs:StopTask": CLUSTER,
    # it finds no ARN in a family, nor in a list of task definitions
    "ecs:RegisterTaskDefinition": "*",
    "ecs:DeleteTaskDefinitions": "*",
    # the bus is part of every rule's ARN, where AWS leaves the default bus out
    "events:PutRule": RULES,
    "events:DeleteRule": RULES,
    # it looks for a rule in Name, and these calls have it in Rule
    "events:PutTargets": "*",
    "events:RemoveTargets": "*",
    "events:ListTargetsByRule": "*",
    # judged by the group, where AWS judges by the stream
    "logs:GetLogEvents": GROUPS,
}
"""By action: the resource that the emulator judges it by, where AWS judges by another."""


def _fit_statement(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """The statement as it is for actions that RESOURCES leaves alone, and one for each other."""
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
    """Turn on what infra/stack.yaml says of each table."""
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
    """Put what the import left out, and deploy it to the stage `api`."""
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
    """Tells the bus of each new version of each task of a cluster."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._told: dict[str, int] = {}
        self._lost: set[str] = set()
        self._ended = threading.Event()
        self._ecs: Any = boto3.client("ecs")

    def lose(self, started_by: str) -> None:
        """No event of a task that was started by `started_by` arrives from here on."""
        self._lost.add(started_by)

    @contextmanager
    def told(self) -> Iterator[Events]:
        """Until the block ends."""
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
    """A client that waits for a function as long as that may take, and calls it once."""
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
"""What a rule with a rate sends; the functions that such rules wake read nothing of it."""


@contextmanager
def frequent(function: str, seconds: float) -> Iterator[None]:
    """
    Have a function run again and again, so many seconds after its last run has ended.

    Its own rule goes on besides.
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
    """Whether all who want the event took it: while a stage is halted nobody does (destroy.py)."""
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
                    # one after the other: each call at the same time is a cold start here
                    functions.invoke(FunctionName=target["Arn"], Payload=event.encode())
                except refusals:
                    is_taken = False  # told again, as EventBridge does
    return is_taken
