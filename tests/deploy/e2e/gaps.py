"""
What the emulator lacks and AWS has, supplied to the deployed test from outside.

1. Its OpenAPI import passes over `x-amazon-apigateway-any-method` and gateway responses: they are
   put there through API Gateway's own API, out of the packaged template.
2. Its ECS sends no task state-change events, and like AWS it lets nobody else put them on the bus:
   they are made of what DescribeTasks shows, and handed to the targets of the rules whose pattern
   they match.
3. Its CloudWatch refuses alarms on metric math: they are taken out of the template.
4. Its IAM holds every call against the policies of the function's role (AUTH=true), but composes
   the ARNs of ECS, EventBridge and CloudWatch Logs otherwise than AWS does (a rule is
   `rule/default/name`, a task its cluster), and judges a transaction by an action of its own
   where AWS judges by those of its items. In the deployed roles the actions of these three
   services therefore have any resource, and who may update a table may send a transaction.
5. Its CloudFormation passes over the tables' point-in-time recovery and time to live: they are
   turned on through DynamoDB's own API.

Left out, since nothing here depends on it: the token of RunTask (`clientToken`) is ignored, so a
repeated launch would start a second task; throttling and access logs of the API's stage; metrics
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

from infra.local import template as stack


def fit_template(template: Path) -> None:
    """Make of a packaged template one that the emulator takes: numbers 3 and 4 above."""
    loaded = json.loads(template.read_text())
    resources = loaded["Resources"]
    for name, resource in list(resources.items()):
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            del resources[name]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    _fit_statement(statement)
    template.write_text(json.dumps(loaded))


def _fit_statement(statement: dict[str, Any]) -> None:
    actions = statement["Action"]
    if str(actions).strip("['").startswith(("ecs:", "events:", "logs:")):
        statement["Resource"] = "*"
        statement.pop("Condition", None)
    if "dynamodb:UpdateItem" in actions:
        actions.append("dynamodb:TransactWriteItems")


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


@contextmanager
def state_change_events(cluster: str) -> Iterator[None]:
    """Tell the bus of each new version of each task of `cluster`, until the block ends."""
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(cluster, ended), name="ecs-events")
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _tell(cluster: str, ended: threading.Event) -> None:
    ecs: Any = boto3.client("ecs")
    told: dict[str, int] = {}
    while not ended.wait(0.3):
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
        ]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        for task in tasks:
            if told.get(task["taskArn"]) != task["version"]:
                told[task["taskArn"]] = task["version"]
                _deliver(_event(task))


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


def _deliver(event: str) -> None:
    events, functions = boto3.client("events"), boto3.client("lambda")
    for rule in events.list_rules()["Rules"]:
        pattern = rule.get("EventPattern")
        if pattern and events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]:
            for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                functions.invoke(
                    FunctionName=target["Arn"], InvocationType="Event", Payload=event.encode()
                )
