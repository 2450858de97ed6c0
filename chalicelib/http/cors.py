"""
CORS: pages of other origins that the operator has named may call the API from a browser.

Without such origins no answer has a CORS header, and OPTIONS is a method like any other. No cookie
is involved: a page has to send its token itself, so the answers do not allow credentials.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from chalicelib.http.answer import Answer

ANY = "*"
EXPOSED = ("ETag", "Location", "Retry-After", "Allow", "Idempotent-Replayed", "X-Request-Id")
"""Headers of answers that a page may read, beside those that browsers show anyway."""
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_SENT = "Authorization, Content-Type, Idempotency-Key, If-Match"
_MAX_AGE = 600
"""Seconds for which a browser remembers the answer to a preflight."""


def headers(sent: Mapping[str, str], origins: Collection[str]) -> dict[str, str]:
    """The CORS headers of the answer to a request with the headers `sent` (in lower case)."""
    if not origins:
        return {}
    varies = {} if ANY in origins else {"Vary": "Origin"}
    allowed = _allowed(sent, origins)
    if allowed is None:
        return varies
    return {
        **varies,
        "Access-Control-Allow-Origin": allowed,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED),
    }


def preflight(method: str, sent: Mapping[str, str], origins: Collection[str]) -> Answer | None:
    """
    The answer to a browser that asks whether a page may send a request; None: it asks no such
    thing, or its origin may not.

    Whatever the path is: the request that follows is answered as any other, also with 404.
    """
    is_asked = method == "OPTIONS" and "access-control-request-method" in sent
    if not is_asked or _allowed(sent, origins) is None:
        return None
    allowed = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _SENT,
        "Access-Control-Max-Age": str(_MAX_AGE),
    }
    return Answer(200, "This origin may send requests.", headers=allowed)


def _allowed(sent: Mapping[str, str], origins: Collection[str]) -> str | None:
    """What Access-Control-Allow-Origin says; None: nothing."""
    origin = sent.get("origin")
    if origin is None:
        return None
    if ANY in origins:
        return ANY
    return origin if origin in origins else None
