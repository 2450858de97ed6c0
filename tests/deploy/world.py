"""An account in moto with the things that Jobyard creates outside CloudFormation."""

from __future__ import annotations

from typing import Any

import boto3

from infra import deploy


class World:
    """Creates things with the names that the product gives them."""

    def rule(self, stage: str) -> None:
        events = boto3.client("events")
        name = f"jobyard-{stage}-job_1-0"
        events.put_rule(Name=name, ScheduleExpression="cron(0 3 * * ? *)")
        function = f"arn:aws:lambda:eu-central-1:123456789012:function:jobyard-{stage}-fire"
        events.put_targets(Rule=name, Targets=[{"Id": "fire", "Arn": function}])

    def definition(self, stage: str) -> str:
        registered = boto3.client("ecs").register_task_definition(
            family=f"jobyard-{stage}-job_1",
            containerDefinitions=[{"name": "main", "image": "busybox", "memory": 512}],
        )
        return registered["taskDefinition"]["taskDefinitionArn"]

    def task(self, stage: str, started_by: str = "") -> str:
        ecs: Any = boto3.client("ecs")
        ecs.create_cluster(clusterName=f"jobyard-{stage}")
        network = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
        started = ecs.run_task(
            cluster=f"jobyard-{stage}",
            taskDefinition=self.definition(stage),
            launchType="FARGATE",
            startedBy=started_by,
            networkConfiguration={"awsvpcConfiguration": network},
        )
        return str(started["tasks"][0]["taskArn"])

    def tables(self, stage: str) -> None:
        for name in deploy.TABLES:
            boto3.client("dynamodb").create_table(
                TableName=f"jobyard-{stage}-{name}",
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=True,
            )
