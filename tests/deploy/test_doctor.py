"""What doctor says of subnets from which a task could not reach a registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from infra import doctor
from tests.deploy.world import World


@pytest.fixture
def look(world: World) -> Callable[..., list[str]]:
    """Doctor's sentences on a subnet with these routes, in a VPC of its own."""

    def sentences(
        *, internet: bool, public_ip: bool = True, endpoints: tuple[str, ...] = ()
    ) -> Any:
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        if internet:
            gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
            table = main["RouteTables"][0]["RouteTableId"]
            ec2.create_route(
                RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
            )
        for service in endpoints:
            ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.eu-central-1.{service}")
        found = doctor.ways_out([subnet], public_ip=public_ip)
        return [text.replace(subnet, "the subnet") for text in found]

    return sentences


def test_a_public_subnet_with_public_addresses_is_all_right(
    look: Callable[..., list[str]],
) -> None:
    """The VPC that the stack makes is like that."""
    assert look(internet=True) == []


def test_a_public_subnet_is_no_way_out_without_a_public_address(
    look: Callable[..., list[str]],
) -> None:
    """An internet gateway passes on only what has an address of the internet."""
    (sentence,) = look(internet=True, public_ip=False)
    assert sentence.startswith("the subnet leads to the internet, but tasks get no public address")


def test_a_closed_subnet_names_the_endpoints_that_it_lacks(
    look: Callable[..., list[str]],
) -> None:
    """Without a way out, the registry, its layers in S3 and the logs need one each."""
    (sentence,) = look(internet=False, public_ip=False, endpoints=("s3", "logs"))
    assert sentence == "the subnet has no default route and no endpoint for ecr.api, ecr.dkr."


def test_a_closed_subnet_with_all_endpoints_is_all_right(look: Callable[..., list[str]]) -> None:
    """Images then come from ECR only."""
    assert look(internet=False, public_ip=False, endpoints=doctor.ENDPOINTS) == []


def test_a_stage_without_its_tables_is_told_which(world: World) -> None:
    """And what to do."""
    sentences = list(doctor.check_tables("dev"))
    assert sentences[0] == ("The table jobyard-dev-jobs is missing; restore it from its backup.")
    assert len(sentences) == 3


def test_a_table_that_was_restored_by_hand_is_told_what_it_lacks(world: World) -> None:
    """A restored table has its items and keys, and none of its settings."""
    world.tables("dev")
    name = "jobyard-dev-jobs"
    boto3.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    sentences = [text for text in doctor.check_tables("dev") if name in text]
    assert sentences == [
        f"The table {name} can be deleted by anybody who may; turn its protection on.",
        f"The table {name} has no point-in-time recovery; turn it on.",
        f"The table {name} has no time to live; turn it on for the attribute expires.",
    ]
