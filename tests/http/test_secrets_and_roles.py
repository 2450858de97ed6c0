"""Which secrets and which role the jobs of a workspace may use."""

from __future__ import annotations

import re

import pytest

from chalicelib.domain.fields import Tenancy
from tests.http.job_bodies import HERE, ROLE, SECRET, errors, spec


def test_a_name_in_both_env_and_secrets_is_refused() -> None:
    """ECS refuses a task definition with one name in both."""
    assert set(errors(env={"A": "1"}, secrets={"A": SECRET})) == {"secrets.A"}


@pytest.mark.parametrize(
    "arn",
    [
        SECRET,
        SECRET + ":key::",
        SECRET + ":key:AWSCURRENT:0123-ab",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/acme/db",
    ],
)
def test_secrets_under_the_stages_prefixes_are_accepted(arn: str) -> None:
    """`{workspace}` in a prefix stands for the workspace of the job."""
    assert spec(secrets={"A": arn}).secrets == {"A": arn}


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "db",
        "arn:aws:s3:::bucket",
        SECRET.replace("acme", "evil"),
        SECRET.replace("acme/", "acme-2/"),
        SECRET + "\n",
        SECRET + ":a:b",
        SECRET.replace("jobs/acme", "*"),
        "arn:aws:ssm:eu-west-1:123456789012:parameter/acme-2/db",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/acmee",
        "arn:aws:ssm:us-east-1:123456789012:parameter/acme/db",
        "arn:aws:ssm:eu-west-1:210987654321:parameter/acme/db",
        "arn:aws-cn:ssm:eu-west-1:123456789012:parameter/acme/db",
    ],
)
def test_other_secrets_are_refused(arn: str) -> None:
    """
    Secrets of another workspace, region, account or partition are refused; no error names an
    account.
    """
    found = errors(secrets={"A": arn})
    assert set(found) == {"secrets.A"}
    assert not re.search("[0-9]{12}", found["secrets.A"])


def test_the_refusal_of_a_secret_says_which_prefixes_are_allowed() -> None:
    """The message shows the stage's prefixes without the account's number."""
    other = SECRET.replace("123456789012", "210987654321")
    assert errors(secrets={"A": other})["secrets.A"] == (
        "must begin with arn:aws:secretsmanager:eu-west-1:<account>:secret:jobs/acme/ or "
        "arn:aws:ssm:eu-west-1:<account>:parameter/acme, where <account> is the stage's own AWS "
        "account"
    )


def test_a_stage_without_prefixes_allows_no_secret() -> None:
    """The operator must allow prefixes first, and the error says so."""
    closed = Tenancy("dev", "acme", (), HERE.iam_prefix)
    assert "operator" in errors(closed, secrets={"A": SECRET})["secrets.A"]


def test_without_allowed_prefixes_no_role_and_no_secret_is_accepted() -> None:
    """Validation without a tenancy must not allow anything."""
    found = errors(None, secrets={"A": SECRET}, task_role_arn=ROLE)
    assert set(found) == {"secrets.A", "task_role_arn"}


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "etl",
        ROLE.replace("acme", "acme-2"),
        ROLE.replace("dev", "prod"),
        ROLE.replace("/acme/etl", "/acme"),
        ROLE.replace("role/", "role/x/"),
        ROLE.replace("iam", "sts"),
        ROLE + "\n",
        ROLE + "*",
        "arn:aws:iam::123456789012:role/jobyard/dev/acme/",
    ],
)
def test_a_role_outside_the_workspace_s_path_is_refused(arn: str) -> None:
    """The error names the path, so that the reader knows where to create a role."""
    assert "/jobyard/dev/acme/" in errors(task_role_arn=arn)["task_role_arn"]


@pytest.mark.parametrize(
    "arn",
    [ROLE.replace("123456789012", "210987654321"), ROLE.replace("arn:aws:", "arn:aws-cn:")],
)
def test_a_role_of_another_account_or_partition_is_refused(arn: str) -> None:
    """The job is refused when it is saved, since none of its runs could use the role."""
    found = errors(task_role_arn=arn)["task_role_arn"]
    assert "account and partition" in found and "/jobyard/dev/acme/" in found
    assert not re.search("[0-9]{12}", found)


def test_a_role_deeper_under_the_path_is_accepted() -> None:
    """An IAM path may have more segments below the workspace's."""
    deeper = ROLE.replace("/etl", "/team/etl")
    assert spec(task_role_arn=deeper).task_role_arn == deeper
