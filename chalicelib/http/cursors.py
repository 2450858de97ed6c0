"""Cursors: opaque places in lists."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from chalicelib.domain.errors import BadRequest
from chalicelib.http import strict_json
from chalicelib.http.answer import render


def encode_cursor(kind: str, scope: str, payload: dict[str, Any]) -> str:
    """
    An opaque place in the list `kind` of `scope` (a project, a job, a run), safe in a URL.

    It is not signed, because it protects nothing. A forged cursor only moves within the list that
    its caller may read, since the use-case queries its own partition key whatever the cursor says.
    Its content is checked before use, as any input is.
    """
    text = render([kind, _scope_hash(scope), payload])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, scope: str, text: str, **forms: re.Pattern[str]) -> dict[str, Any]:
    """
    The payload of a cursor of this list; BadRequest for any other text.

    Each of `forms` names a part of the payload, which must be a string of that form.
    """
    wrong = BadRequest("cursor is not one that this list gave: start again without it.")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = strict_json.decode(raw)
    except (binascii.Error, ValueError, BadRequest) as error:
        raise wrong from error
    if not isinstance(found, list) or len(found) != 3 or found[:2] != [kind, _scope_hash(scope)]:
        raise wrong
    payload = found[2]
    if not isinstance(payload, dict):
        raise wrong
    for name, form in forms.items():
        if not isinstance(payload.get(name), str) or not form.fullmatch(payload[name]):
            raise wrong
    return payload


def _scope_hash(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:16]
