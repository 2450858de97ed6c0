"""From pydantic's errors to ours: every invalid field at once, by its path, in plain words."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chalicelib.domain.errors import FieldError, InvalidFields
from chalicelib.domain.fields import Mismatch

M = TypeVar("M", bound=BaseModel)

MAX_ERRORS = 200
"""More than a body has fields, so the list is cut only for a body that consists of mistakes."""

_MESSAGES = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} items",
    "dict_type": "must be an object of names and values",
    "model_type": "must be an object",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def validate(model: type[M], data: Any, context: object = None) -> M:
    """`data` as a `model`, or InvalidFields naming every field that is wrong."""
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        raise InvalidFields(field_errors(error, model)) from error


def field_errors(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """Each of pydantic's errors as the path of the field and what is wrong with it."""
    details = error.errors(include_url=False, include_input=False)
    found = []
    for detail in details[:MAX_ERRORS]:
        found.append(FieldError(_path(detail["loc"]), _message(detail, model)))
        reason = detail.get("ctx", {}).get("error")
        if isinstance(reason, Mismatch):
            found.append(FieldError(reason.other, reason.message_of_other))
    if len(details) > MAX_ERRORS:
        found.append(FieldError("body", f"{len(details) - MAX_ERRORS} more fields are invalid"))
    return found


def _path(loc: tuple[int | str, ...]) -> str:
    # pydantic marks an error on a mapping's key by a last part "[key]"
    return ".".join(_clipped(str(part)) for part in loc if part != "[key]") or "body"


def _clipped(name: str) -> str:
    return name if len(name) <= 128 else name[:128] + "…"


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(str(detail["loc"][-1]), model)
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind in _MESSAGES:
        return _MESSAGES[kind].format(**detail.get("ctx", {}))
    return detail["msg"]


def _unknown(name: str, model: type[BaseModel]) -> str:
    import difflib  # at first use: most requests make no such mistake

    near = difflib.get_close_matches(name[:64], list(model.model_fields), n=1)
    return f"is unknown; did you mean `{near[0]}`?" if near else "is unknown"
