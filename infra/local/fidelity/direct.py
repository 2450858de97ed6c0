"""
Hands a request to DynamoDB to moto's handler without moto's way there.

moto compares a request's address with the patterns of all services, makes a request of a web server
of it, looks for form fields, and parses the body by the model of the service. That takes as long as
to answer it. DynamoDB's requests are JSON and name their operation in a header; values that are
binary are left to moto, since JSON has them encoded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.responses import DynamoHandler

from infra.local.fidelity.overlay import Overlay

AWS = ".amazonaws.com"
"""In the addresses that moto answers; others are those of real servers on this machine."""
PREFIX = "DynamoDB_"
"""Of the header that names an operation of DynamoDB, and not of its streams."""


class DirectDynamoDb(Overlay):
    """In place of moto's dispatch, for requests to DynamoDB."""

    @classmethod
    def install(cls) -> DirectDynamoDb:
        """Put it over moto's dispatch; replaces an earlier one."""
        cls._take_off()
        direct = cls()
        wrapped = _direct(BotocoreStubber.process_request)
        direct._replace(BotocoreStubber, "process_request", wrapped)
        return direct


def _direct(original: Callable[..., Any]) -> Callable[..., Any]:
    def process_request(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        target = text(request.headers.get("X-Amz-Target", ""))
        if not target.startswith(PREFIX) or AWS not in request.url:
            return original(stubber, request)  # its body may be compressed
        body = text(request.body or "")
        if '"B"' in body or '"BS"' in body:
            return original(stubber, request)
        names = ("X-Amz-Target", "Content-Type", "Authorization", "User-Agent")
        handler: Any = DynamoHandler()
        handler.headers = {name: text(request.headers.get(name, "")) for name in names}
        handler.querystring = {}
        handler.response_headers = {}
        handler.region = handler.get_region_from_url(handler, request.url)
        handler.current_account = handler.get_current_account()
        handler.params = json.loads(body) if body else {}
        return handler.call_action()

    return process_request


def text(value: Any) -> str:
    """A header or a body, which botocore has as bytes or as text."""
    return value.decode() if isinstance(value, bytes) else str(value)
