"""The whole system in this process: the handlers over moto, optionally with DynamoDB Local."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.local import REGION, environment, provision

if TYPE_CHECKING:
    from tests.yard import Yard

STAGE = "bench"
PROJECT = "/workspaces/{workspace_id}/projects/{project_id}"
NAMES = {"workspace_id": "acme", "project_id": "etl"}


def variables() -> dict[str, str]:
    """The environment variables of a function, with endpoints that lead nowhere."""
    isolated: dict[str, str] = {}
    environment.isolate(isolated, REGION)
    del isolated["AWS_ENDPOINT_URL"]
    return isolated | provision.settings(STAGE)


@contextmanager
def system(dynamodb: str | None = None) -> Iterator[Yard]:
    """
    A fresh system; `dynamodb` is the endpoint of an engine that replaces moto's DynamoDB.

    It can be called once per process, because the product builds its clients only once.
    """
    environment.isolate(os.environ, REGION)
    del os.environ["AWS_ENDPOINT_URL"]
    os.environ |= provision.settings(STAGE)
    if dynamodb is not None:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = dynamodb
    from tests.yard import make_yard  # it imports the product, which reads its environment

    with make_yard(STAGE) as yard:
        yield yard


def event(
    method: str,
    resource: str,
    token: str,
    names: dict[str, str] | None = None,
    body: str | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The event that API Gateway sends to the function for a request of a route."""
    names = names or {}
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
        "User-Agent": "curl/8.10.1",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": resource,
        "path": resource.format(**names),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query
        and {name: [value] for name, value in query.items()},
        "pathParameters": names or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/api{resource.format(**names)}",
            "requestId": "00000000-0000-4000-8000-000000000000",
            "stage": "api",
        },
        "body": body,
        "isBase64Encoded": False,
    }
