"""A table of RunTask's answers without a task, and what each means for the run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.refusals import refused

DAY, MINUTES, NEVER = timedelta(hours=24), timedelta(minutes=5), timedelta(0)


@pytest.mark.parametrize(
    ("reason", "message", "code", "retry_for"),
    [
        # Guide, "API failure reasons"; RunTask, API reference
        ("RESOURCE:ENI", "", "capacity_unavailable", DAY),
        ("RESOURCE:CPU", "", "capacity_unavailable", DAY),
        ("AGENT", "", "start_failed", DAY),
        ("Capacity is unavailable at this time. Please try again later or in a different "
         "availability zone", "", "capacity_unavailable", DAY),
        ("You've reached the limit on the number of vCPUs you can run concurrently", "",
         "capacity_unavailable", DAY),
        # wellcomecollection/platform#3875
        ("You've reached the limit on the number of tasks you can run concurrently", "",
         "capacity_unavailable", DAY),
        # dask/dask-cloudprovider#56
        ("InvalidParameterException",
         "Error retrieving security group information for [sg-1]: Request limit exceeded. "
         "(ErrorCode: RequestLimitExceeded)", "start_failed", DAY),
        ("ThrottlingException", "Rate exceeded", "start_failed", DAY),
        ("", "", "start_failed", DAY),
        ("ClientException", "TaskDefinition is inactive", "start_failed", NEVER),
        ("InvalidParameterException", "The subnet ID 'subnet-1' does not exist", "start_failed",
         NEVER),
        # IAM writes so: "resource:" is no lack of resources, and a role may have any name.
        ("AccessDeniedException",
         "User: arn:aws:sts::123456789012:assumed-role/agent/capacity is not authorized to "
         "perform: ecs:RunTask on resource: arn:aws:ecs:x:123456789012:task-definition/a:1",
         "start_failed", NEVER),
        ("ClientException", "The role 'arn:aws:iam::1:role/agent-capacity' is not valid",
         "start_failed", NEVER),
        ("InvalidParameterException", "No permission on resource: subnet-1", "start_failed", NEVER),
        # pulumi/pulumi-awsx#927
        ("ClientException",
         "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/capacity' that was "
         "provided for this task. Please verify that the role being passed has the proper trust "
         "relationship and permissions and that your IAM user has permissions to pass this role.",
         "start_failed", MINUTES),
        ("InvalidParameterException",
         "The specified capacity provider strategy cannot contain a capacity provider that is not "
         "associated with the cluster.", "start_failed", NEVER),
        ("ClusterNotFoundException", "Cluster not found.", "start_failed", NEVER),
        ("PlatformTaskDefinitionIncompatibilityException", "", "start_failed", NEVER),
        ("ACCOUNT", "", "start_failed", NEVER),
    ],
)  # fmt: skip
def test_a_refused_launch_is_repeated_only_if_the_refusal_may_pass(
    reason: str, message: str, code: str, retry_for: timedelta
) -> None:
    """The reason is that of RunTask's failures, or the code and message of its error."""
    refusal = refused(reason, message)
    assert (refusal.error.code, refusal.retry_for) == (code, retry_for)
    assert reason in refusal.error.message
    assert message.replace("123456789012", "<account>") in refusal.error.message
    assert refusal.is_denial is (reason == "AccessDeniedException")


def test_the_hint_of_a_role_that_cannot_be_assumed_says_what_to_check() -> None:
    """AWS's own message does not say that the role may only need some minutes."""
    refusal = refused("ClientException", "ECS was unable to assume the role 'a' that was provided")
    assert "trust policy" in refusal.error.hint
