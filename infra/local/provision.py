"""
The tables and the cluster in moto, and the functions' environment, made from stack.yaml.

    with mock_aws():
        os.environ |= provision.create(stage="test")
"""

from __future__ import annotations

from typing import Any

import boto3

from infra.local import REGION, template

ACCOUNT = "123456789012"
"""moto's account."""

CREATE_TABLE = (
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
)
"""Properties of AWS::DynamoDB::Table that change what the code sees; CreateTable's own names."""

STAND_INS = {
    "JOBYARD_SUBNETS": "subnet-00000000000000001,subnet-00000000000000002",
    "JOBYARD_SECURITY_GROUPS": "sg-00000000000000001",
    "JOBYARD_EXECUTION_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/execution",
    "JOBYARD_RULE_DEAD_LETTER_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:undelivered",
}
"""For what only a deployment makes; nothing here looks behind these names."""


def create(stage: str, region: str = REGION) -> dict[str, str]:
    """
    Make the stack's tables and cluster in `region`, and answer the environment for them.

    Whatever endpoint and credentials the environment gives are used: call it under moto.
    """
    names = _names(stage, region)
    dynamodb = boto3.client("dynamodb", region_name=region)
    for properties in template.resources("AWS::DynamoDB::Table").values():
        kept = {key: properties[key] for key in CREATE_TABLE if key in properties}
        request: dict[str, Any] = template.resolve(kept, names)
        dynamodb.create_table(**request)
        dynamodb.update_time_to_live(
            TableName=request["TableName"],
            TimeToLiveSpecification=properties["TimeToLiveSpecification"],
        )
    ecs = boto3.client("ecs", region_name=region)
    for properties in template.resources("AWS::ECS::Cluster").values():
        ecs.create_cluster(
            clusterName=template.resolve(properties["ClusterName"], names),
            capacityProviders=properties["CapacityProviders"],
        )
    return settings(stage, region)


def settings(stage: str, region: str = REGION) -> dict[str, str]:
    """The environment of the functions in a stack of that name (see chalicelib/settings.py)."""
    names = _names(stage, region)
    variables = template.read()["Globals"]["Function"]["Environment"]["Variables"]
    return {
        "AWS_DEFAULT_REGION": region,
        **{
            name: STAND_INS[name] if name in STAND_INS else str(template.resolve(value, names))
            for name, value in variables.items()
        },
    }


def _names(stage: str, region: str) -> dict[str, str]:
    """What `Ref` and `Fn::Sub` may name: parameters, pseudo parameters, tables, the cluster."""
    parameters = template.read()["Parameters"].items()
    names = {name: str(parameter["Default"]) for name, parameter in parameters}
    names |= {"Stage": stage, "AWS::Region": region, "AWS::AccountId": ACCOUNT}
    names |= {"AWS::Partition": "aws", "AWS::StackName": f"jobyard-{stage}"}
    for type_, name in (
        ("AWS::DynamoDB::Table", "TableName"),
        ("AWS::ECS::Cluster", "ClusterName"),
    ):
        for logical_id, properties in template.resources(type_).items():
            names[logical_id] = template.resolve(properties[name], names)
    return names
