"""Commands that act on an account print which one, and refuse what cannot be meant."""

from __future__ import annotations

import re

import boto3
import pytest
from moto import mock_aws

from infra import account, deploy, tokens
from infra.account import Refused
from tests.deploy.world import World


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell with credentials and a region, and without an endpoint."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "JOBYARD_E2E"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


def test_account_and_region_are_printed_before_anything_is_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The operator thus sees in time that the profile is the wrong one."""
    with mock_aws():
        where = account.announce("prod", "deploying")
    said = capsys.readouterr().out
    assert "stage prod in account 123456789012, region eu-central-1" in said
    assert where.bucket == "jobyard-artifacts-123456789012-eu-central-1"


@pytest.mark.parametrize("default", [None, "eu-central-1"])
def test_aws_region_overrides_aws_default_region(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], default: str | None
) -> None:
    """AWS's SDKs read it so; it holds for this process, the token commands and the AWS CLI."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    if default:
        monkeypatch.setenv("AWS_DEFAULT_REGION", default)
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    with mock_aws():
        assert account.announce("prod", "examining").region == "eu-west-3"
        World().tables("prod")
        tokens.connect("prod")
    deploy.aws("configure", "list")
    said = capfd.readouterr()
    assert "arn:aws:dynamodb:eu-west-3:123456789012:table/jobyard-prod-tokens" in said.err
    assert re.search(r"^\s*region\b.*\beu-west-3\b", said.out, re.MULTILINE), said.out


def test_no_region_at_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which variable to set."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for act in (lambda: account.announce("prod", "examining"), lambda: tokens.connect("prod")):
        with pytest.raises(Refused, match="set AWS_REGION"):
            act()


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_a_shell_that_points_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A shell that has sourced the local stack's environment has such a variable."""
    monkeypatch.setenv(name, "http://127.0.0.1:5000")
    with pytest.raises(Refused, match=name):
        account.announce("prod", "deploying")


def test_a_profile_that_points_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The endpoint may be set in AWS's configuration file too."""
    configuration = tmp_path_factory.mktemp("aws") / "config"
    configuration.write_text("[default]\nendpoint_url = http://127.0.0.1:5000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        account.announce("prod", "deploying")


@pytest.mark.parametrize("stage", ["", "Prod", "2nd", "a" * 21, "a_b", "a b"])
def test_a_stage_name_that_aws_names_cannot_contain_is_refused(stage: str) -> None:
    """A stage's name has the form that the template's parameter requires."""
    with pytest.raises(Refused, match="STAGE"):
        account.announce(stage, "deploying")


def test_resources_that_stages_share_are_created_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second preparation changes nothing; only the first waits for ECS to know its new role."""
    waits: list[float] = []
    monkeypatch.setattr("infra.account.time.sleep", waits.append)
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        where = account.announce("prod", "deploying")
        account.prepare(where)
        account.prepare(where)
        roles = [role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]]
        assert waits == [account.ROLE_SECONDS]
        assert len(roles) == 2 and account.GATEWAY_LOGS_ROLE in roles
        assert "cloudwatchRoleArn" in boto3.client("apigateway").get_account()


def test_reading_outputs_of_an_undeployed_stage_says_that_it_is_not_deployed() -> None:
    """The command prints a sentence instead of a traceback."""
    with mock_aws(), pytest.raises(Refused, match="not deployed"):
        deploy.outputs("prod")
