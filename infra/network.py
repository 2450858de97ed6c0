"""
Whether tasks in the stage's subnets reach what ECS needs to start them: `make doctor` asks.

On Fargate the task's own network interface pulls the image, writes the output and fetches the
secrets. Where a subnet has no way out of the VPC, each of these services needs a VPC endpoint
("Amazon ECR interface VPC endpoints", Amazon ECR User Guide; "Amazon ECS interface VPC endpoints",
Amazon ECS Developer Guide). An interface endpoint lets in what its security groups let in: HTTPS
from the tasks must be among it. With private DNS it stands for its service in the whole VPC, so
one that is closed to the tasks cuts them off in a subnet with a way out, too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import boto3

FEW_ADDRESSES = 32
SERVICES = ("ecr.api", "ecr.dkr", "s3", "logs")
"""The services that every task needs; one with secrets also needs secretsmanager or ssm."""
HTTPS = 443


def ways_out(
    subnets: list[str], groups: Collection[str], *, public_ip: bool, secrets: Collection[str] = ()
) -> Iterator[str]:
    """
    Why tasks in `subnets`, with the security `groups`, do not start, a sentence each.

    `secrets` are the services that the jobs' secrets are kept in: secretsmanager, ssm.
    """
    ec2 = boto3.client("ec2")
    services = (*SERVICES, *sorted(secrets))
    for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]:
        if subnet["AvailableIpAddressCount"] < FEW_ADDRESSES:
            yield f"{subnet['SubnetId']} has only {subnet['AvailableIpAddressCount']} addresses."
        routes = _default_routes(ec2, subnet)
        yield from _way_out(subnet, routes, public_ip=public_ip)
        yield from _endpoints(ec2, subnet, groups, services, is_closed=not routes)


def _default_routes(ec2: Any, subnet: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    by_id = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    tables = ec2.describe_route_tables(Filters=by_id)["RouteTables"]
    if not tables:  # a subnet without a table of its own uses its VPC's main one
        main = [{"Name": "association.main", "Values": ["true"]}]
        tables = ec2.describe_route_tables(Filters=main + _of_vpc(subnet))["RouteTables"]
    routes = [route for table in tables for route in table["Routes"]]
    return [route for route in routes if route.get("DestinationCidrBlock") == "0.0.0.0/0"]


def _of_vpc(subnet: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]


def _way_out(
    subnet: Mapping[str, Any], routes: list[Mapping[str, Any]], *, public_ip: bool
) -> Iterator[str]:
    name = subnet["SubnetId"]
    if any(route.get("State") == "blackhole" for route in routes):
        yield f"The default route of {name} leads to a gateway that is gone."
    elif not public_ip and any(str(one.get("GatewayId", "")).startswith("igw-") for one in routes):
        yield f"{name} leads to the internet, but tasks get no public address to use it with."


def _endpoints(
    ec2: Any,
    subnet: Mapping[str, Any],
    groups: Collection[str],
    services: Collection[str],
    *,
    is_closed: bool,
) -> Iterator[str]:
    there = ec2.describe_vpc_endpoints(Filters=_of_vpc(subnet))["VpcEndpoints"]
    found = {
        service: [one for one in there if one["ServiceName"].endswith(f".{service}")]
        for service in services
    }
    lacking = [service for service, endpoints in found.items() if not endpoints]
    if is_closed and lacking:
        yield f"{subnet['SubnetId']} has no default route and no endpoint for {', '.join(lacking)}."
    for service, endpoints in found.items():
        interfaces = [
            one
            for one in endpoints
            if one.get("VpcEndpointType") == "Interface"
            and (is_closed or one.get("PrivateDnsEnabled"))
        ]
        if interfaces and not any(_lets_in(ec2, one, subnet, groups) for one in interfaces):
            names = ", ".join(one["VpcEndpointId"] for one in interfaces)
            yield (
                f"The endpoint for {service} ({names}) lets in no HTTPS from {subnet['SubnetId']}: "
                f"allow port {HTTPS} from {', '.join(groups)} in its security group."
            )


def _lets_in(
    ec2: Any, endpoint: Mapping[str, Any], subnet: Mapping[str, Any], groups: Collection[str]
) -> bool:
    """Whether any of the endpoint's security groups lets in HTTPS from the tasks."""
    ids = [group["GroupId"] for group in endpoint.get("Groups", ())]
    if not ids:
        return False
    described = ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return any(
        _is_https(rule) and _is_from(rule, subnet["CidrBlock"], groups)
        for group in described
        for rule in group["IpPermissions"]
    )


def _is_https(rule: Mapping[str, Any]) -> bool:
    if rule["IpProtocol"] == "-1":  # every protocol and port
        return True
    return rule["IpProtocol"] in ("tcp", "6") and rule["FromPort"] <= HTTPS <= rule["ToPort"]


def _is_from(rule: Mapping[str, Any], cidr: str, groups: Collection[str]) -> bool:
    """By the tasks' group, or by addresses; a prefix list is taken to hold them."""
    if any(pair["GroupId"] in groups for pair in rule.get("UserIdGroupPairs", ())):
        return True
    if rule.get("PrefixListIds"):
        return True
    tasks = ipaddress.IPv4Network(cidr)
    ranges = (ipaddress.IPv4Network(one["CidrIp"]) for one in rule.get("IpRanges", ()))
    return any(tasks.subnet_of(one) for one in ranges)
