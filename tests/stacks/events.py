"""The events that CloudFormation sends to the function behind a custom resource."""

from __future__ import annotations

from typing import Any

from tests.yard import IMAGE, PROJECT, WORKSPACE

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/etl/1c2fa620-982a-11e3-aff7"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:jobyard-test-job-resource"


def stack_properties(**changes: Any) -> dict[str, Any]:
    """The properties of a job that can be created, with these changes."""
    return {
        "ServiceToken": FUNCTION,
        "Workspace": WORKSPACE,
        "Project": PROJECT,
        "Name": "a",
        "Image": IMAGE,
        **changes,
    }


def stack_event(
    kind: str,
    *,
    request_id: str = "4b2a5c",
    url: str = "https://cloudformation-custom-resource-response-eucentral1.s3.amazonaws.com/x",
    logical_id: str = "Nightly",
    physical_id: str | None = None,
    properties: dict[str, Any] | None = None,
    old_properties: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An event; `properties` are changes of `stack_properties`."""
    event: dict[str, Any] = {
        "RequestType": kind,
        "ServiceToken": FUNCTION,
        "ResponseURL": url,
        "StackId": STACK,
        "RequestId": request_id,
        "LogicalResourceId": logical_id,
        "ResourceType": "Custom::JobyardJob",
        "ResourceProperties": stack_properties(**(properties or {})),
    }
    if physical_id is not None:
        event["PhysicalResourceId"] = physical_id
    if old_properties is not None:
        event["OldResourceProperties"] = stack_properties(**old_properties)
    return event
