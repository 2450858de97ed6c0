"""JSON bodies read strictly: what two parsers could read differently is refused (RFC 7493)."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from chalicelib.domain.errors import BadRequest

MAX_DEPTH = 32
_INTEGER_DIGITS = 19
"""As many as a 64-bit integer has: more than that, readers begin to differ."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(body: bytes) -> Any:
    """
    The value of the JSON text `body`.

    BadRequest for what is not JSON in UTF-8, and for JSON that is not portable: a name twice in one
    object, a lone surrogate, NaN or Infinity, an integer of over 19 digits, a number out of the
    range of a double, nesting deeper than MAX_DEPTH.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: byte {error.start} is invalid.") from error
    _check_depth(text)  # checked first: a recursive parser must not get it
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    _check_unicode(value, "the body")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")
        elif sign in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadRequest(f"The name {quoted(name)} is there twice in one object; keep one.")
        found[name] = value
    return found


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS + 1:
        raise BadRequest(f"The number {digits[:20]}… is too large.")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadRequest(f"The number {digits[:20]} is too large.")
    return number


def _constant(name: str) -> NoReturn:
    raise BadRequest(f"The body is not JSON: {name} is no JSON number.")


def _check_unicode(value: Any, where: str) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise BadRequest(
                f"{where} holds half of a surrogate pair, which is no Unicode text: "
                "send whole characters."
            )
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_unicode(name, f"A name in {where}")
            _check_unicode(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check_unicode(inner, where)


def quoted(text: str, limit: int = 64) -> str:
    """`text` as an error message may quote it: escaped and cut."""
    return json.dumps(text if len(text) <= limit else text[:limit] + "…", ensure_ascii=False)
