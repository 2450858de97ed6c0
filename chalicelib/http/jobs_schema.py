"""
GET /jobs.schema.json: the JSON Schema of jobs.yaml, for editors, from the model that validates.

It is in draft 7, which editors know. What it cannot say (which memory goes with which cpu, that a
schedule ever fires, that a variable is set) `jobyard plan` says.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from chalicelib.domain import fields
from chalicelib.domain.cron import MACROS
from chalicelib.domain.job_spec import JobSpec

VERSION = 1
_INTERPOLATED = {"type": "string", "pattern": r"\$\{"}
"""`${NAME}` comes from the environment; not in quotes, it may become a number or a boolean."""
_FIVE_FIELDS = r"^\s*[^\s(]+(\s+[^\s(]+){4}\s*$"
_KEPT = ("description", "default")


@cache
def build() -> dict[str, Any]:
    """The schema; it is the same for every workspace and project."""
    properties = _properties()
    for_all = {name: part for name, part in properties.items() if name != "name"}
    job = {"type": "object", "additionalProperties": False, "properties": properties}
    has_image = {"properties": {"image": {"type": "string"}}, "required": ["image"]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "jobs.yaml",
        "description": "Which jobs a project has: jobyard plan, jobyard apply.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "jobs"],
        "properties": {
            "version": {"const": VERSION},
            "name": _name("Whose jobs these are (`managed_by`); else the project's."),
            "workspace": _name("Else the profile's, JOBYARD_WORKSPACE or --workspace."),
            "project": _name("Else the profile's, JOBYARD_PROJECT or --project."),
            "defaults": {
                "type": "object",
                "description": "For each job that does not have the field itself.",
                "additionalProperties": False,
                "properties": for_all,
            },
            "jobs": {"type": "array", "items": {**job, "required": ["name"]}},
        },
        # an image in `defaults` is every job's
        "if": {"required": ["defaults"], "properties": {"defaults": has_image}},
        "else": {"properties": {"jobs": {"items": has_image}}},
    }


def _name(description: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "minLength": 1, "description": description}


def _properties() -> dict[str, Any]:
    """A job's fields but `managed_by`, which apply sets, as a manifest may have them."""
    schema = JobSpec.model_json_schema()
    assert "$defs" not in schema, "a field refers to a model of its own: bring its schema along"
    properties = schema["properties"]
    del properties["managed_by"]
    _value_of(properties["cpu"])["enum"] = list(fields.MEMORY_MIB)
    _value_of(properties["schedule"])["anyOf"] = [
        {"pattern": _FIVE_FIELDS},
        {"pattern": "^(?:{})$".format("|".join(_any_case(name) for name in MACROS))},
    ]
    made = {}
    for name, part in properties.items():
        part.pop("title", None)
        shown = {key: part.pop(key) for key in _KEPT if key in part}
        if name not in schema["required"]:
            shown["default"] = JobSpec.model_fields[name].get_default()
        made[name] = {**shown, **_interpolated(part)}
    return made


def _value_of(part: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field's value where it is not null."""
    kinds: list[dict[str, Any]] = part.get("anyOf", [part])
    return next(kind for kind in kinds if kind.get("type") != "null")


def _any_case(macro: str) -> str:
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in macro)


def _interpolated(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, where each value that is no list and no object may be interpolated instead."""
    if "anyOf" in schema and "type" not in schema:
        return {**schema, "anyOf": [_interpolated(kind) for kind in schema["anyOf"]]}
    if schema.get("type") == "array":
        return {**schema, "items": _interpolated(schema["items"])}
    if schema.get("type") == "object":
        return {**schema, "additionalProperties": _interpolated(schema["additionalProperties"])}
    if schema.get("type") == "null":
        return schema
    return {"anyOf": [schema, _INTERPOLATED]}
