"""
The API's description of itself: OpenAPI 3.1 from the route table and the models that validate.

A route's path, role and query model come from its registration; its body and answers come from
operations.py, under the name of its handler.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import chalicelib
from chalicelib.http import queries
from chalicelib.http.api import PATH_FORMS, Api, Endpoint
from chalicelib.http.examples import EXAMPLES
from chalicelib.http.operations import OPERATIONS, Operation

_SCHEMAS = "#/components/schemas/"
_RESPONSES = "#/components/responses/"


_ERRORS = {
    400: ("bad_request", "Not JSON, or a bad or unknown query parameter"),
    401: (
        "unauthenticated",
        "No valid token. API Gateway sends `WWW-Authenticate` as "
        "`x-amzn-Remapped-WWW-Authenticate`.",
    ),
    403: ("forbidden", "The token may not do that there, whether or not the thing exists"),
    404: ("not_found", "No such job or run"),
    409: ("conflict", ""),
    412: (
        "version_conflict",
        "The job is not at a version that If-Match names; `data` has its own",
    ),
    413: ("body_too_large", "The body is over 256 KiB, or DynamoDB cannot hold what it makes"),
    415: ("unsupported_media_type", "The body is not sent as application/json"),
    422: ("invalid_fields", "Every invalid field, in `data.errors`"),
    429: ("too_many_requests", "Too many requests: try again after a while"),
    500: ("internal", "A defect"),
    503: ("unavailable", "AWS throttles or is down: try again after `Retry-After` seconds"),
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "For 24 h the same key answers with what the first call made.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "Only if the job is still at this version: the ETag of an earlier answer.",
    "schema": {"type": "string", "pattern": r"""^(\*|"[1-9][0-9]*")$"""},
}
_ETAG = {
    "required": True,
    "schema": {"type": "string", "pattern": '^"[1-9][0-9]*"$'},
    "description": "The job's version, quoted: what If-Match takes.",
}
_ERROR_DATA = {
    412: {"version": 4},
    422: {"errors": [{"field": "image", "message": "is required"}]},
}
_ERROR_SCHEMAS = {412: "VersionConflict", 422: "InvalidFields"}


@cache
def of(api: Api) -> dict[str, Any]:
    """The OpenAPI document of all routes of `api`, built once."""
    return build(api.endpoints)


def build(endpoints: Mapping[tuple[str, str], Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of these routes; KeyError for a handler that operations.py lacks."""
    endpoints = {route: one for route, one in endpoints.items() if one.is_described}
    ids = _operation_ids(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), endpoint in endpoints.items():
        described = _operation(OPERATIONS[endpoint.handler.__name__], endpoint, path)
        operation = {"operationId": ids[method, path], **described}
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jobyard",
            "version": chalicelib.__version__,
            "summary": "Runs containers to completion, on demand or on a schedule.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ".", "description": "The stage that this document came from"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {
                str(status): _error(status, text) for status, (_, text) in _ERRORS.items() if text
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "jyd_…"}
            },
        },
    }


def _operation_ids(endpoints: Mapping[tuple[str, str], Endpoint]) -> dict[tuple[str, str], str]:
    """A handler's name; of two routes to one handler the upper decorator's route has it."""
    ids: dict[tuple[str, str], str] = {}
    for (method, path), endpoint in reversed(list(endpoints.items())):
        name = endpoint.handler.__name__
        ids[method, path] = f"{name}_by_{method.lower()}" if name in ids.values() else name
    return ids


def _operation(operation: Operation, endpoint: Endpoint, path: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "security": [] if endpoint.role is None else [{"token": []}],
        "parameters": _path_parameters(path) + _query_parameters(queries.named(endpoint.query)),
        "responses": _responses(operation, endpoint),
    }
    if endpoint.role is not None:
        described["description"] = f"Needs a token with the role `{endpoint.role}`."
    if operation.idempotent_by_key:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    if operation.is_conditional:
        described["parameters"].append(_IF_MATCH)
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_is_optional,
            "content": _json(_ref(operation.body), EXAMPLES[operation.body.__name__]),
        }
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{form.pattern}$"},
        }
        for name, (form, _) in PATH_FORMS.items()
        if f"{{{name}}}" in path
    ]


def _query_parameters(query: type[queries.Query]) -> list[dict[str, Any]]:
    schema = query.model_json_schema()
    needed = schema.get("required", ())
    return [
        {**_query_parameter(name, part), "required": name in needed}
        for name, part in schema.get("properties", {}).items()
    ]


def _query_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    # null is our default for an absent parameter; a client cannot send it
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    found = dict(kinds[0] if kinds else schema)
    description = found.pop("description", "")
    found.pop("title", None)
    return {"name": name, "in": "query", "description": description, "schema": found}


def _responses(operation: Operation, endpoint: Endpoint) -> dict[str, Any]:
    responses = {
        str(status): _success(operation, status, description)
        for status, description in operation.success.items()
    }
    statuses = [400, 429, 500]
    if endpoint.role is not None:
        statuses += [401, 403, 404, 503]
    if operation.body is not None:
        statuses += [413, 415, 422]
    if operation.judges_query:
        statuses.append(422)
    if operation.is_conditional:
        statuses.append(412)
    responses |= {str(status): {"$ref": f"{_RESPONSES}{status}"} for status in sorted(statuses)}
    if operation.conflict:
        responses["409"] = _error(409, operation.conflict)
    return responses


def _success(operation: Operation, status: int, description: str) -> dict[str, Any]:
    if operation in (OPERATIONS["get_openapi"], OPERATIONS["get_jobs_schema"]):
        return {"description": description, "content": _json({"type": "object"}, None)}
    data = {"type": "null"} if operation.data is None else _ref(operation.data)
    envelope = {
        "type": "object",
        "required": ["status", "message", "data"],
        "properties": {
            "status": {"const": "success"},
            "message": {"type": "string"},
            "data": data,
        },
    }
    example = EXAMPLES[operation.data.__name__] if operation.data else None
    shown = {"status": "success", "message": f"{description}.", "data": example}
    response: dict[str, Any] = {"description": description, "content": _json(envelope, shown)}
    headers: dict[str, Any] = {"ETag": _ETAG} if operation.shows_version else {}
    if status == 201:
        headers["Location"] = {
            "required": True,
            "schema": {"type": "string"},
            "description": "Relative",
        }
        response["links"] = {name: _link(name, operation) for name in operation.links}
    elif operation.idempotent_by_key:
        headers["Idempotent-Replayed"] = {"required": True, "schema": {"const": "true"}}
    if headers:
        response["headers"] = headers
    return response


def _link(name: str, maker: Operation) -> dict[str, Any]:
    passed_on = ["workspace_id", "project_id"]
    made = "job_id"
    if maker is OPERATIONS["trigger_run"]:
        passed_on.append("job_id")
        made = "run_id"
    parameters = {part: f"$request.path.{part}" for part in passed_on}
    return {"operationId": name, "parameters": {**parameters, made: "$response.body#/data/id"}}


def _error(status: int, text: str) -> dict[str, Any]:
    code = _ERRORS[status][0]
    schema = _SCHEMAS + _ERROR_SCHEMAS.get(status, "Error")
    shown = {"status": "error", "message": text, "code": code, "data": _ERROR_DATA.get(status)}
    response: dict[str, Any] = {"description": text, "content": _json({"$ref": schema}, shown)}
    if status == 412:
        response["headers"] = {"ETag": _ETAG}
    if status == 503:
        response["headers"] = {"Retry-After": {"required": True, "schema": {"type": "string"}}}
    return response


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"application/json": content}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _SCHEMAS + model.__name__}


def _schemas() -> dict[str, Any]:
    bodies: set[type[BaseModel]] = {one.body for one in OPERATIONS.values() if one.body}
    data: set[type[BaseModel]] = {one.data for one in OPERATIONS.values() if one.data}
    models = sorted(bodies | data, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_SCHEMAS + "{model}"
    )
    error: dict[str, Any] = {
        "type": "object",
        "required": ["status", "message", "code", "data"],
        "properties": {
            "status": {"const": "error"},
            "message": {"type": "string", "description": "What is wrong, and what to do"},
            "code": {"type": "string", "pattern": "^[a-z_]+$"},
            "data": {"type": "null"},
        },
    }
    field_error = {
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    }
    invalid = deepcopy(error)
    invalid["properties"]["data"] = {
        "type": "object",
        "required": ["errors"],
        "properties": {"errors": {"type": "array", "minItems": 1, "items": field_error}},
    }
    stale = deepcopy(error)
    stale["properties"]["data"] = {
        "type": "object",
        "required": ["version"],
        "properties": {"version": {"type": "integer", "minimum": 1}},
    }
    errors = {"Error": error, "InvalidFields": invalid, "VersionConflict": stale}
    return {**definitions["$defs"], **errors}
