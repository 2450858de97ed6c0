"""
What API Gateway hands to a Lambda function and takes back (REST API, Lambda proxy; pure).

Chalice's own local gateway leaves out some fields and hands the body over as bytes; both are read.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.domain.errors import BadRequest
from chalicelib.http.answer import Answer

LAMBDA_BYTES = 6 * 1024 * 1024
"""What Lambda carries back at the most (Lambda quotas, synchronous invocation)."""
_ALWAYS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e]")


def method(event: Mapping[str, Any]) -> str:
    context = event.get("requestContext") or {}
    return str(context.get("httpMethod") or event.get("httpMethod") or "")


def address(event: Mapping[str, Any]) -> str:
    """The path as it was sent, with the prefix of a stage or of a custom domain."""
    return str(event.get("path") or (event.get("requestContext") or {}).get("path") or "")


def match(event: Mapping[str, Any], routes: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """
    The route that an event is for, and its path's parameters, not decoded; None: no route.

    API Gateway has matched it already, unless the event came through a catch-all resource.
    """
    known = list(routes)
    context = event.get("requestContext") or {}
    resource = context.get("resourcePath") or event.get("resource")
    given = event.get("pathParameters") or {}
    if resource in known:
        names = _names(resource)
        if names <= given.keys():
            return resource, {name: str(given[name]) for name in names}
    # a base path of a custom domain is in `path`, not in what the catch-all caught
    path = f"/{given['proxy']}" if "proxy" in given else event.get("path") or context.get("path")
    return _match_path(str(path or ""), known)


def _match_path(path: str, routes: list[str]) -> tuple[str, dict[str, str]] | None:
    parts = path.removesuffix("/").split("/")
    for route in sorted(routes):
        names = route.split("/")
        if len(names) == len(parts) and all(
            name.startswith("{") or name == part for name, part in zip(names, parts, strict=True)
        ):
            pairs = zip(names, parts, strict=True)
            return route, {name[1:-1]: part for name, part in pairs if name.startswith("{")}
    return None


def _names(route: str) -> set[str]:
    return {part[1:-1] for part in route.split("/") if part.startswith("{")}


def headers(event: Mapping[str, Any]) -> dict[str, str]:
    """By name in lower case; those of one name joined by a comma, as HTTP allows."""
    several = event.get("multiValueHeaders")
    if not several:
        several = {name: [value] for name, value in (event.get("headers") or {}).items()}
    found: dict[str, list[str]] = {}
    for name, values in several.items():
        found.setdefault(name.lower(), []).extend(str(value) for value in values)
    return {name: ", ".join(values) for name, values in found.items()}


def parameters(event: Mapping[str, Any]) -> dict[str, list[str]]:
    """The query's parameters, decoded by API Gateway, each with all of its values."""
    several = event.get("multiValueQueryStringParameters")
    if several:
        return {name: [str(value) for value in values] for name, values in several.items()}
    single = event.get("queryStringParameters") or {}
    return {name: [str(value)] for name, value in single.items()}


def body(event: Mapping[str, Any]) -> bytes:
    """The body's bytes; BadRequest if the event says that they are base64 and they are not."""
    given = event.get("body")
    if given is None:
        return b""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("The body could not be decoded.") from error
    # half a surrogate pair cannot be UTF-8: keep it, and let the body's parser refuse it
    return given if isinstance(given, bytes) else str(given).encode("utf-8", "surrogatepass")


def response(answer: Answer, request_id: str, more: Mapping[str, str]) -> dict[str, Any]:
    """
    An answer with `more` headers; ValueError for one that Lambda could not carry: lists have to end
    before that.
    """
    text = answer.text
    if len(text) > LAMBDA_BYTES // 12 and len(json.dumps(text)) > LAMBDA_BYTES:
        raise ValueError(f"the answer of {len(text)} characters is too large for Lambda")
    sent = {**_ALWAYS, "X-Request-Id": request_id, **answer.headers, **more}
    return {
        "statusCode": answer.status,
        "headers": {name: _NOT_IN_A_HEADER.sub("", str(value)) for name, value in sent.items()},
        "multiValueHeaders": {},
        "body": text,
        "isBase64Encoded": False,
    }
