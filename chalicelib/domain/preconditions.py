"""`ETag` and `If-Match`: a change on condition of the version that its caller has read (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.domain.errors import BadRequest, VersionConflict

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
"""A list of entity tags; a recipient must take empty elements of lists (RFC 9110, 5.6.1.2)."""


def etag(version: int) -> str:
    """The strong entity tag of a job's version."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """
    What an `If-Match` header asks for, as RFC 9110 defines it (13.1.1).

    Tags are compared strongly: a weak one (`W/"3"`) is well-formed and matches nothing. Of a list
    any may match.
    """

    tags: frozenset[str] | None
    """None: `*`, which any version matches."""

    def check(self, version: int) -> None:
        """Raises VersionConflict, with the present version, unless the header names it."""
        if self.tags is not None and etag(version) not in self.tags:
            raise VersionConflict(version)


ANY = IfMatch(None)
"""No condition: what a request without the header asks for."""


def read(header: str | None) -> IfMatch:
    """Raises BadRequest for what is neither `*` nor a list of entity tags."""
    if header is None or header.strip(" \t") == "*":
        return ANY
    if not _TAGS.fullmatch(header):
        raise BadRequest(
            'If-Match must be * or the ETag of the version that you read, such as "3", with its '
            "quotes; several are separated by commas."
        )
    return IfMatch(frozenset(re.findall(_TAG, header)))
