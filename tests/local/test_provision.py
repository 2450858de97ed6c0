"""The local tables and settings are those of the deployment."""

from __future__ import annotations

import os

import boto3
import pytest
from moto import mock_aws

from chalicelib import settings as product
from infra.local import provision, template


def test_the_tables_have_the_keys_indexes_and_ttl_of_the_stack() -> None:
    """moto's tables have everything of infra/stack.yaml that the code depends on."""
    with mock_aws():
        environment = provision.create(stage="test")
        dynamodb = boto3.client("dynamodb", region_name=environment["AWS_DEFAULT_REGION"])
        for logical_id, properties in template.resources("AWS::DynamoDB::Table").items():
            name = environment[f"JOBYARD_{logical_id.removesuffix('Table').upper()}_TABLE"]
            assert name == f"jobyard-test-{logical_id.removesuffix('Table').lower()}"
            table = dynamodb.describe_table(TableName=name)["Table"]
            assert table["KeySchema"] == properties["KeySchema"]
            for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
                made = {
                    (index["IndexName"], index["Projection"]["ProjectionType"])
                    for index in table.get(kind, [])  # type: ignore[attr-defined]
                }
                assert made == {
                    (index["IndexName"], index["Projection"]["ProjectionType"])
                    for index in properties.get(kind, [])
                }
            ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
            assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_the_local_environment_has_every_setting() -> None:
    """The product reads it like a deployment's, and the cluster that it names exists."""
    with mock_aws():
        settings = product.read_settings(provision.create(stage="test"))
        ecs = boto3.client("ecs", region_name=settings.region)
        assert ecs.describe_clusters(clusters=[settings.cluster])["failures"] == []
    assert settings.jobs_table == "jobyard-test-jobs"


def test_a_secret_may_be_named_under_its_workspace_as_deployed() -> None:
    """The prefixes contain `{workspace}`, which the product replaces."""
    settings = product.read_settings(provision.settings(stage="test"))
    assert any(
        prefix.endswith(":secret:jobyard/test/{workspace}/") for prefix in settings.secret_prefixes
    )


def test_creating_leaves_the_environment_of_this_process_alone() -> None:
    """It returns the settings, and the caller decides what to do with them."""
    before = dict(os.environ)
    with mock_aws():
        before_inside = dict(os.environ)
        provision.create(stage="test")
        assert dict(os.environ) == before_inside
    assert dict(os.environ) == before


def test_a_function_that_needs_a_deployment_is_refused() -> None:
    """Otherwise a table could get a dictionary as its name."""
    names = {"Stage": "test"}
    assert template.resolve({"Fn::Sub": "jobyard-${Stage}"}, names) == "jobyard-test"
    assert template.resolve([{"Ref": "Stage"}, {"a": 1}], names) == ["test", {"a": 1}]
    with pytest.raises(ValueError, match="local stack"):
        template.resolve({"Fn::GetAtt": ["Other", "Arn"]}, names)
