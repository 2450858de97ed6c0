"""What is left in AWS of a job, and its removal where the stage does not remove it itself."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from infra.destroy import remove_rule
from infra.verify.trial import Trial


def of_job(trial: Trial, job_id: str) -> list[str]:
    """Names of what belongs to a job: tasks, rules, log group, definitions, records."""
    group = f"/jobyard/{trial.stage}/{job_id}"
    groups = trial.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return [
        *(f"task {arn.rpartition('/')[2]}" for arn in tasks(trial, job_id)),
        *(f"rule {name}" for name in rules(trial, job_id)),
        *(f"log group {found['logGroupName']}" for found in groups),
        *(f"task definition {arn.rpartition('/')[2]}" for arn in definitions(trial, job_id)),
        *records(trial, job_id),
    ]


def tasks(trial: Trial, job_id: str) -> list[str]:
    """
    ARNs of the job's tasks that have not stopped.

    One that is to stop is listed among the stopped ones until it has (ListTasks, desiredStatus).
    """
    found: list[str] = []
    for status in ("RUNNING", "STOPPED"):
        arns = trial.ecs.list_tasks(
            cluster=trial.prefix, family=trial.family(job_id), desiredStatus=status
        )["taskArns"]
        if arns:
            shown = trial.ecs.describe_tasks(cluster=trial.prefix, tasks=arns)["tasks"]
            found += [task["taskArn"] for task in shown if task["lastStatus"] != "STOPPED"]
    return found


def rules(trial: Trial, job_id: str) -> list[str]:
    found = trial.events.list_rules(NamePrefix=f"{trial.family(job_id)}-")["Rules"]
    return [rule["Name"] for rule in found]


def definitions(trial: Trial, job_id: str) -> list[str]:
    family = trial.family(job_id)
    answer = trial.ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")
    return list(answer["taskDefinitionArns"])


def records(trial: Trial, job_id: str) -> list[str]:
    """The job's own record, and its runs, counts and tasks."""
    key = {"pk": {"S": f"{trial.workspace}#{trial.project}"}, "sk": {"S": job_id}}
    job = trial.dynamodb.get_item(TableName=f"{trial.prefix}-jobs", Key=key, ConsistentRead=True)
    under: list[dict[str, Any]] = trial.dynamodb.query(
        TableName=f"{trial.prefix}-runs",
        KeyConditionExpression="pk = :job",
        ExpressionAttributeValues={":job": {"S": job_id}},
        ConsistentRead=True,
    )["Items"]
    return [
        *([f"record {job_id}"] if "Item" in job else []),
        *(f"record {job_id} {item['sk']['S']}" for item in under),
    ]


def remove(trial: Trial, job_id: str) -> None:
    """
    Remove what runs or fires of a job whose delete the stage does not finish.

    Records stay: the stage's own sweep goes on from them. Raises ClientError.
    """
    for name in rules(trial, job_id):
        remove_rule(trial.events, name)
    for arn in tasks(trial, job_id):
        trial.ecs.stop_task(cluster=trial.prefix, task=arn, reason="make verify is over")
    for arn in definitions(trial, job_id):
        trial.ecs.deregister_task_definition(taskDefinition=arn)
    try:
        trial.logs.delete_log_group(logGroupName=f"/jobyard/{trial.stage}/{job_id}")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def remove_keys(trial: Trial) -> None:
    """Remove the Idempotency-Keys of the verification's project, which live for a day else."""
    table = f"{trial.prefix}-jobs"
    keys: list[dict[str, Any]] = trial.dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :project AND begins_with(sk, :key)",
        ExpressionAttributeValues={
            ":project": {"S": f"{trial.workspace}#{trial.project}"},
            ":key": {"S": "key#"},
        },
        ProjectionExpression="pk, sk",
    )["Items"]
    for key in keys:
        trial.dynamodb.delete_item(TableName=table, Key=key)
