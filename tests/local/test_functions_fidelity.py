"""Lambda's asynchronous invocation, as the local stack and the tests have it."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.local.fidelity.functions import FunctionsFidelity

EVENT = {"part": "launches"}


def invoke(name: str) -> Any:
    client = boto3.client("lambda", region_name="eu-central-1")
    payload = json.dumps(EVENT)
    return client.invoke(FunctionName=name, InvocationType="Event", Payload=payload)


def test_an_event_is_taken_with_202_and_handed_on_once() -> None:
    """By the function's name, and by its ARN."""
    taken: list[dict[str, Any]] = []
    with mock_aws(), FunctionsFidelity.install() as functions:
        functions.handlers["f"] = taken.append
        assert invoke("f")["StatusCode"] == 202
        invoke("arn:aws:lambda:eu-central-1:123456789012:function:f")
    assert taken == [EVENT, EVENT]


def test_a_function_that_is_not_there_is_not_found() -> None:
    """As AWS answers, and moto too."""
    with mock_aws(), FunctionsFidelity.install():
        with pytest.raises(ClientError) as caught:
            invoke("other")
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
