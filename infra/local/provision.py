"""
The tables and the cluster in moto, made from the definitions that the deployment uses.

    with mock_aws():
        os.environ |= provision.create(stage="test")
"""

from __future__ import annotations

from typing import Any

import boto3

from infra.local import REGION, template

ACCOUNT = "123456789012"
"""moto's account."""

TABLE_SETTINGS = {
    "JobsTable": "JOBYARD_JOBS_TABLE",
    "RunsTable": "JOBYARD_RUNS_TABLE",
    "TokensTable": "JOBYARD_TOKENS_TABLE",
}
CREATE_TABLE = (
    "AttributeDefinitions",
    "KeySchema",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
)
"""Properties of AWS::DynamoDB::Table that change what the code sees; CreateTable's own names."""


def create(stage: str, region: str = REGION) -> dict[str, str]:
    """
    Make the stack's tables and cluster in `region`, and answer the environment for them.

    Whatever endpoint and credentials the environment gives are used: call it under moto.
    """
    names = {"Stage": stage, "AWS::Region": region, "AWS::AccountId": ACCOUNT}
    names |= {"AWS::Partition": "aws", "AWS::StackName": f"jobyard-{stage}"}
    environment = settings(stage, region)
    dynamodb = boto3.client("dynamodb", region_name=region)
    for logical_id, properties in template.resources("AWS::DynamoDB::Table").items():
        table = environment[TABLE_SETTINGS[logical_id]]
        request = {key: properties[key] for key in CREATE_TABLE if key in properties}
        dynamodb.create_table(TableName=table, **template.resolve(request, names))
        ttl = properties["TimeToLiveSpecification"]
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    ecs = boto3.client("ecs", region_name=region)
    for properties in template.resources("AWS::ECS::Cluster").values():
        ecs.create_cluster(clusterName=template.resolve(properties["ClusterName"], names))
    return environment


def settings(stage: str, region: str = REGION) -> dict[str, str]:
    """The environment of the functions in a stack of that name (see chalicelib/settings.py)."""
    prefix = f"jobyard-{stage}"
    here: dict[str, Any] = {"region": region, "account": ACCOUNT, "prefix": prefix}
    arns = {
        "JOBYARD_EXECUTION_ROLE_ARN": "arn:aws:iam::{account}:role/{prefix}-execution",
        "JOBYARD_FIRE_FUNCTION_ARN": "arn:aws:lambda:{region}:{account}:function:{prefix}-fire",
        "JOBYARD_RULE_DEAD_LETTER_ARN": "arn:aws:sqs:{region}:{account}:{prefix}-dead-letters",
    }
    return {
        "AWS_DEFAULT_REGION": region,
        "JOBYARD_STAGE": stage,
        **{
            variable: f"{prefix}-{logical_id.removesuffix('Table').lower()}"
            for logical_id, variable in TABLE_SETTINGS.items()
        },
        "JOBYARD_CLUSTER": prefix,
        "JOBYARD_SUBNETS": "subnet-00000000000000001,subnet-00000000000000002",
        "JOBYARD_SECURITY_GROUPS": "sg-00000000000000001",
        "JOBYARD_ASSIGN_PUBLIC_IP": "ENABLED",
        **{variable: arn.format(**here) for variable, arn in arns.items()},
    }
