"""Ids of one job and one run, and a function that calls an API as API Gateway does."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from chalicelib.http.api import Api

JOB = "job_01KAR0Z3J5T8WQ2V4X6Y8ZABCD"

RUN = "run_01KAR0Z3J5T8WQ2V4X6Y8ZABCD"

BASE = "/workspaces/acme/projects/etl"

CONTEXT = SimpleNamespace(aws_request_id="r-1", get_remaining_time_in_millis=lambda: 30_000)


def call(
    app: Api,
    method: str,
    path: str,
    bearer: str | None = None,
    body: bytes | None = None,
    query: dict[str, list[str]] | None = None,
    context: Any = CONTEXT,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Call `app` through a catch-all resource, and return status, envelope and headers."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    response = app(
        {
            "requestContext": {"resourcePath": "/{proxy+}", "httpMethod": method},
            "path": path,
            "headers": headers,
            "multiValueQueryStringParameters": query,
            "body": body.decode() if body is not None else None,
        },
        context,
    )
    return response["statusCode"], json.loads(response["body"]), response["headers"]
