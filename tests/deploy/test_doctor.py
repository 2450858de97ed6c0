"""What doctor says about a stage, each check by itself."""

from __future__ import annotations

import json
import re
import shlex

import boto3

from infra import doctor
from tests.deploy.world import World

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:jobyard/dev/acme/key-AbCdEf"
PARAMETER = "arn:aws:ssm:eu-central-1:123456789012:parameter/jobyard/dev/acme/key"


def test_the_services_of_the_jobs_secrets_are_those_that_they_name(world: World) -> None:
    """In a subnet without internet access only these services need an endpoint for secrets."""
    assert doctor.secret_services("dev") == set()
    world.tables("dev")
    dynamodb = boto3.client("dynamodb")
    jobs = {"job_1": {}, "job_2": {"A": SECRET}, "job_3": {"A": SECRET, "B": PARAMETER}}
    for number, (job, secrets) in enumerate(jobs.items()):
        spec = json.dumps({"name": job, "secrets": secrets})
        item = {"pk": {"S": f"acme#{number}"}, "spec": {"S": spec}}
        dynamodb.put_item(TableName="jobyard-dev-jobs", Item=item)
    dynamodb.put_item(TableName="jobyard-dev-jobs", Item={"pk": {"S": "name#job_1"}})
    assert doctor.secret_services("dev") == {"secretsmanager", "ssm"}


def test_doctor_names_the_tables_that_a_stage_lacks(world: World) -> None:
    """The sentence also says what to do."""
    sentences = list(doctor.check_tables("dev"))
    assert sentences[0] == ("The table jobyard-dev-jobs is missing; restore it from its backup.")
    assert len(sentences) == 3


def test_doctor_names_what_a_table_lacks_that_was_restored_by_hand(world: World) -> None:
    """A restored table has the items and keys, but none of the settings."""
    world.tables("dev")
    name = "jobyard-dev-jobs"
    boto3.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    sentences = [text for text in doctor.check_tables("dev") if name in text]
    assert sentences == [
        f"The table {name} can be deleted by anybody who may; turn its protection on.",
        f"The table {name} has no point-in-time recovery; turn it on.",
        f"The table {name} has no time to live; turn it on for the attribute expires.",
    ]


def test_doctor_names_the_spot_provider_that_a_cluster_lacks(world: World) -> None:
    """The sentence has the command that adds it, and it keeps the providers that are there."""
    ecs = boto3.client("ecs")
    assert list(doctor.check_cluster("dev")) == ["The cluster jobyard-dev is missing."]
    ecs.create_cluster(clusterName="jobyard-dev", capacityProviders=["FARGATE", "own"])
    (sentence,) = doctor.check_cluster("dev")
    assert sentence.startswith("The cluster jobyard-dev lacks the capacity provider FARGATE_SPOT")
    (given,) = re.findall(r"aws ecs (.+) adds it", sentence)
    assert shlex.split(given) == [
        *("put-cluster-capacity-providers", "--cluster", "jobyard-dev"),
        *("--capacity-providers", "FARGATE", "FARGATE_SPOT", "own"),
        *("--default-capacity-provider-strategy", "[]"),
    ]
    ecs.put_cluster_capacity_providers(
        cluster="jobyard-dev",
        capacityProviders=["FARGATE", "FARGATE_SPOT", "own"],
        defaultCapacityProviderStrategy=[],
    )
    assert list(doctor.check_cluster("dev")) == []
