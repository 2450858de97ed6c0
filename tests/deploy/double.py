"""
A stand-in for one AWS service where moto does not behave as AWS does.

A double is an object with a method for each operation that is called, named as in boto3. botocore
checks the arguments of each call as always, and each answer against the service's own model, so a
double cannot answer what AWS could not.
"""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters


class Refusal(Exception):
    """A double raises this to answer an operation with an error of this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def install(monkeypatch: pytest.MonkeyPatch, service: str, double: object) -> None:
    """Let `double` answer every client of `service` that is made after this call."""
    session = boto3.DEFAULT_SESSION or boto3.session.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)

    def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["given"] = params

    def answer(model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, Any]:
        try:
            data = getattr(double, xform_name(model.name))(**context["given"]) or {}
        except Refusal as refusal:
            error = {"Code": refusal.code, "Message": refusal.message}
            return _response(400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}
        if model.output_shape is not None:
            validate_parameters(data, model.output_shape)
        return _response(200), {**data, "ResponseMetadata": {"HTTPStatusCode": 200}}

    events: Any = session.events  # the type stubs do not know handlers that answer
    events.register(f"before-parameter-build.{service}", keep)
    events.register(f"before-call.{service}", answer)


def _response(status: int) -> AWSResponse:
    return AWSResponse("https://double.invalid/", status, HTTPHeaders(), None)
