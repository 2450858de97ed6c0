"""What an operator chooses when deploying, and which choices a later deployment keeps."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.settings import read_settings
from infra import deploy, insights, package


def test_only_the_operators_pull_through_prefixes_get_the_permission(
    template: dict[str, Any],
) -> None:
    """
    Without a prefix there is no permission; with one, the two actions of a first pull under it.

    "IAM permissions required to sync an upstream registry" in the Amazon ECR User Guide.
    """
    policy = template["Resources"]["FillPullThroughCache"]
    assert policy["Condition"] == "HasPullThroughCache"
    assert template["Parameters"]["PullThroughPrefix"]["Default"] == ""
    assert policy["Properties"]["Roles"] == [{"Ref": "ExecutionRole"}]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert set(statement["Action"]) == {"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}
    assert statement["Resource"]["Fn::Sub"].endswith(":repository/${PullThroughPrefix}/*")
    everywhere = json.dumps(template["Resources"]["ExecutionRole"])
    assert not any(action in everywhere for action in statement["Action"])


@pytest.mark.parametrize(
    ("prefix", "is_taken"),
    [("", True), ("ecr-public", True), ("cache/docker-hub", True), ("*", False), ("cache/", False)],
)
def test_a_pull_through_prefix_cannot_be_a_wildcard(
    template: dict[str, Any], prefix: str, is_taken: bool
) -> None:
    """The prefix becomes part of an ARN in a policy."""
    pattern = template["Parameters"]["PullThroughPrefix"]["AllowedPattern"]
    assert (re.fullmatch(pattern, prefix) is not None) == is_taken


@pytest.mark.parametrize(
    ("origins", "is_taken"),
    [
        ("", True),
        ("*", True),
        ("https://app.example.com", True),
        ("https://app.example.com,http://localhost:3000", True),
        ("https://app.example.com/", False),
        ("https://App.example.com", False),
        ("app.example.com", False),
        ("https://*.example.com", False),
        ("*,https://app.example.com", False),
    ],
)
def test_allowed_origins_are_as_browsers_send_them(
    template: dict[str, Any], origins: str, is_taken: bool
) -> None:
    """They are compared as text, so one in another form would never match."""
    pattern = template["Parameters"]["AllowedOrigins"]["AllowedPattern"]
    assert (re.fullmatch(pattern, origins) is not None) == is_taken


@pytest.mark.parametrize(
    ("value", "quota"),
    [("", 0), ("0", 0), ("1", 1), ("5000", 5000), ("-1", None), ("1.5", None), ("many", None)],
)
def test_the_quotas_of_a_workspace_are_whole_numbers_and_none_by_default(
    template: dict[str, Any], value: str, quota: int | None
) -> None:
    """What CloudFormation takes is what the functions can read, or none of them would start."""
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    fields = {
        "MaxRunsInFlight": ("JOBYARD_MAX_RUNS_IN_FLIGHT", "max_runs_in_flight"),
        "MaxJobs": ("JOBYARD_MAX_JOBS", "max_jobs"),
    }
    for name, (variable, field) in fields.items():
        parameter = template["Parameters"][name]
        assert parameter["Default"] == ""
        assert variables[variable] == {"Ref": name}
        is_taken = re.fullmatch(parameter["AllowedPattern"], value) is not None
        assert is_taken == (quota is not None)
        if is_taken:
            assert getattr(read_settings(os.environ | {variable: value}), field) == quota


def test_pages_may_read_the_gateways_own_errors_once_an_origin_is_named(
    template: dict[str, Any],
) -> None:
    """Without AllowedOrigins they have no CORS header; the function's own come from its setting."""
    rest = template["Resources"]["RestAPI"]["Properties"]
    origin = {"Fn::If": ["HasAllowedOrigins", "'*'", {"Ref": "AWS::NoValue"}]}
    for kind, response in rest["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        assert headers["Access-Control-Allow-Origin"] == origin, kind
    is_empty = {"Fn::Equals": [{"Ref": "AllowedOrigins"}, ""]}
    assert template["Conditions"]["HasAllowedOrigins"] == {"Fn::Not": [is_empty]}
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["JOBYARD_ALLOWED_ORIGINS"] == {"Ref": "AllowedOrigins"}


def test_the_page_on_operating_has_every_parameter_with_its_default(
    template: dict[str, Any],
) -> None:
    """Only Stage is left out, and every default is the template's."""
    page = (package.ROOT / "docs" / "operating.md").read_text()
    rows = re.findall(r"^\| (`[A-Z][^|]*) \| ([^|]*) \|", page, re.MULTILINE)
    told = {
        name.strip("` "): default.strip("` ")
        for names, defaults in rows
        for name, default in zip(
            names.split(","), defaults.split(",") * len(names.split(",")), strict=False
        )
    }
    defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items()}
    assert told.keys() == defaults.keys() - {"Stage"}
    for name, default in told.items():
        wanted = "none" if defaults[name] == "" else defaults[name]
        assert default.split(":")[0] == wanted, name


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ([], "enabled"),
        (["Dashboard=false"], "enabled"),
        (["ContainerInsights=enhanced"], "enhanced"),
        (["Dashboard=false", "ContainerInsights=disabled"], "disabled"),
    ],
)
def test_deploying_a_new_stage_prints_what_its_metrics_cost(
    packaged: package.Package, given: list[str], chosen: str
) -> None:
    """
    The notice lists each choice with its price, marks the current one, and says how to change it.
    """
    said = insights.notice("dev", deploy.given(given), packaged.template)
    assert f"set to {chosen}" in said
    assert re.findall(r"^  \* (\w+)", said, re.MULTILINE) == [chosen]
    assert all(f" {value} " in said for value in ("enhanced", "enabled", "disabled"))
    assert "make deploy STAGE=dev PARAMETERS=ContainerInsights=" in said


def test_an_upgrade_keeps_what_a_stage_has_where_a_default_changes(
    server: None, tmp_path: Path
) -> None:
    """A stage that was deployed with the older default keeps it until its operator changes it."""
    template = tmp_path / "template.json"

    def deployed(default: str, *given: str) -> str:
        value = {"Ref": "ContainerInsights"}
        settings = [{"Name": "containerInsights", "Value": value}]
        # moto sees no change in a template if only the parameters have changed.
        cluster = {"ClusterName": f"jobyard-{default}", "ClusterSettings": settings}
        resource = {"Type": "AWS::ECS::Cluster", "Properties": cluster}
        parameters = {"ContainerInsights": {"Type": "String", "Default": default}}
        template.write_text(
            json.dumps({"Parameters": parameters, "Resources": {"Cluster": resource}})
        )
        deploy.stack_up("jobyard-dev", template, (), given)
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName="jobyard-dev")["Stacks"]
        (parameter,) = stack["Parameters"]
        return str(parameter["ParameterValue"])

    assert deployed("enhanced") == "enhanced"
    assert deployed("enabled") == "enhanced"
    assert deployed("disabled", "ContainerInsights=enabled") == "enabled"


@pytest.mark.parametrize("parameter", ["ContainerInsights", "AssignPublicIp", "LogRetentionDays"])
def test_every_option_that_costs_money_is_a_parameter(
    template: dict[str, Any], parameter: str
) -> None:
    """The parameter allows more than one value."""
    assert len(template["Parameters"][parameter]["AllowedValues"]) > 1
