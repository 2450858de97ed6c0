"""What doctor says about subnets in which tasks cannot reach the services that start them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from infra import network
from tests.deploy.world import World

REGION = "eu-central-1"


@dataclass
class Net:
    """A VPC with one subnet, and a security group for the tasks."""

    vpc: str
    subnet: str
    tasks: str

    def internet(self) -> None:
        """Give the VPC's main route table a route to the internet."""
        ec2 = boto3.client("ec2")
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        of_vpc: Any = [{"Name": "vpc-id", "Values": [self.vpc]}]
        (table,) = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
        ec2.create_route(
            RouteTableId=table["RouteTableId"],
            DestinationCidrBlock="0.0.0.0/0",
            GatewayId=gateway,
        )

    def endpoint(self, service: str, *rules: Any, private_dns: bool = True) -> None:
        """
        Create an endpoint whose security group allows `rules`; S3's is a gateway without a group.
        """
        ec2 = boto3.client("ec2")
        name = f"com.amazonaws.{REGION}.{service}"
        if service == "s3":
            ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=name, VpcEndpointType="Gateway")
            return
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        if rules:
            ec2.authorize_security_group_ingress(
                GroupId=group["GroupId"], IpPermissions=list(rules)
            )
        ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=name,
            VpcEndpointType="Interface",
            SubnetIds=[self.subnet],
            SecurityGroupIds=[group["GroupId"]],
            PrivateDnsEnabled=private_dns,
        )

    def https(self, **source: Any) -> Any:
        return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **source}

    @property
    def from_tasks(self) -> Any:
        return self.https(UserIdGroupPairs=[{"GroupId": self.tasks}])

    def wrong(self, *, public_ip: bool = False, secrets: tuple[str, ...] = ()) -> list[str]:
        """What is wrong, with names instead of ids."""
        found = network.ways_out([self.subnet], [self.tasks], public_ip=public_ip, secrets=secrets)
        return [
            text.replace(self.subnet, "the subnet").replace(self.tasks, "the tasks' group")
            for text in found
        ]


@pytest.fixture
def net(world: World) -> Net:
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)
    return Net(vpc, subnet, group["GroupId"])


def test_a_public_subnet_with_public_addresses_has_no_finding(net: Net) -> None:
    """The VPC that the stack creates is like that."""
    net.internet()
    assert net.wrong(public_ip=True) == []


def test_a_public_subnet_without_public_addresses_is_a_finding(net: Net) -> None:
    """An internet gateway passes on only packets from public addresses."""
    net.internet()
    (sentence,) = net.wrong()
    assert sentence.startswith("the subnet leads to the internet, but tasks get no public address")


def test_a_private_subnet_without_endpoints_is_a_finding_that_names_them(net: Net) -> None:
    """A task needs one endpoint each for the registry, its layers in S3, and the logs."""
    net.endpoint("s3")
    net.endpoint("logs", net.from_tasks)
    (sentence,) = net.wrong()
    assert sentence == "the subnet has no default route and no endpoint for ecr.api, ecr.dkr."


@pytest.fixture
def closed(net: Net) -> Net:
    """A subnet without internet access, with every endpoint that a task without secrets needs."""
    for service in network.SERVICES:
        net.endpoint(service, net.from_tasks)
    return net


def test_a_private_subnet_with_all_endpoints_has_no_finding(closed: Net) -> None:
    """Its tasks can then pull images from ECR only."""
    assert closed.wrong() == []


@pytest.mark.parametrize("service", ["secretsmanager", "ssm"])
def test_a_private_subnet_needs_the_endpoint_of_the_secrets_that_jobs_name(
    closed: Net, service: str
) -> None:
    """The task fetches the secrets before its container starts."""
    (sentence,) = closed.wrong(secrets=(service,))
    assert sentence == f"the subnet has no default route and no endpoint for {service}."
    closed.endpoint(service, closed.from_tasks)
    assert closed.wrong(secrets=(service,)) == []


@pytest.mark.parametrize(
    ("rule", "is_open"),
    [
        ({"IpRanges": [{"CidrIp": "10.0.0.0/16"}]}, True),
        ({"IpRanges": [{"CidrIp": "10.0.0.0/24"}]}, True),
        ({"IpRanges": [{"CidrIp": "10.0.0.0/25"}]}, False),
        ({"IpRanges": [{"CidrIp": "10.1.0.0/16"}, {"CidrIp": "0.0.0.0/0"}]}, True),
        ({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, True),
        ({"FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, True),
        ({"FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, False),
        ({"IpProtocol": "udp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, False),
    ],
)
def test_an_endpoint_must_let_in_https_from_the_whole_subnet(
    net: Net, rule: dict[str, Any], is_open: bool
) -> None:
    """It may let in the subnet's addresses or the tasks' security group."""
    for service in network.SERVICES:
        net.endpoint(service, net.https() | rule)
    assert (net.wrong() == []) == is_open


def test_a_finding_about_a_closed_endpoint_says_what_to_allow(closed: Net) -> None:
    """It names the service and the tasks' security group."""
    closed.endpoint("secretsmanager")
    (sentence,) = closed.wrong(secrets=("secretsmanager",))
    assert sentence.startswith("The endpoint for secretsmanager (vpce-")
    assert sentence.endswith("allow port 443 from the tasks' group in its security group.")


@pytest.mark.parametrize("private_dns", [True, False])
def test_private_dns_of_a_closed_endpoint_cuts_off_a_subnet_with_a_nat_gateway(
    net: Net, private_dns: bool
) -> None:
    """The service's usual name then resolves to the endpoint in the whole VPC."""
    net.internet()
    net.endpoint("logs", private_dns=private_dns)
    assert len(net.wrong(public_ip=True)) == private_dns


def test_an_endpoint_that_lets_in_other_groups_only_is_closed_to_the_tasks(net: Net) -> None:
    """Such an endpoint may have been created for another service of the team."""
    ec2 = boto3.client("ec2")
    other = ec2.create_security_group(GroupName="web", Description="web", VpcId=net.vpc)
    for service in network.SERVICES:
        net.endpoint(service, net.https(UserIdGroupPairs=[{"GroupId": other["GroupId"]}]))
    assert len(net.wrong()) == len(network.SERVICES) - 1
