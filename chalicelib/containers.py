"""A job's container as an ECS task definition: what fits into one, and what ECS says of it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from chalicelib.cloud import aws, ecs
from chalicelib.errors import FieldError, InvalidFields
from chalicelib.services import Services
from chalicelib.settings import Settings

_SIZEABLE: dict[str, Any] = {"env": {}, "secrets": {}, "command": None, "entrypoint": None}
"""The fields whose size is the caller's choice, each with the value that takes no room."""
_A_LOT = ecs.MAX_DEFINITION // 10
"""
Bytes from which a field is named. What is too large together has at least one such field: the
other fields of a definition take less than a tenth of it.
"""


def register(job_id: str, spec: dict[str, Any], *, on: Services) -> str:
    """
    Register a job's container: the ARN of its task definition.

    InvalidFields for what is too large for one, and for what ECS finds wrong with it.
    """
    definition = ecs.render(job_id, spec, on.settings)
    size = ecs.size(definition)
    if size > ecs.MAX_DEFINITION:
        raise _too_large(job_id, spec, size, on.settings)
    try:
        return on.ecs.register(definition)
    except ClientError as error:
        if aws.error_code(error) not in ("ClientException", "InvalidParameterException"):
            raise
        why = aws.error_message(error)
        raise InvalidFields([FieldError("image", f"ECS refused the container: {why}")]) from error


def _too_large(job_id: str, spec: dict[str, Any], size: int, settings: Settings) -> InvalidFields:
    """Every field that takes much of the definition, the largest first, with what it takes."""
    takes = {
        name: size - ecs.size(ecs.render(job_id, {**spec, name: least}, settings))
        for name, least in _SIZEABLE.items()
    }
    largest = sorted((name for name in takes if takes[name] >= _A_LOT), key=lambda n: -takes[n])
    return InvalidFields(
        [
            FieldError(
                name,
                f"takes {takes[name]} of the {size} bytes of the job's task definition; at most "
                f"{ecs.MAX_DEFINITION} fit",
            )
            for name in largest
        ]
    )
