"""
The console's files, as GET /console and GET /console/{file} answer them.

Links are relative to `/console`, so that they work behind a stage's prefix and behind a base path.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chalicelib.domain.errors import NotFound
from chalicelib.http.answer import Answer

FOLDER = Path(__file__).parents[2] / "console"
PAGE = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Kinds of files that there are, all of them text: API Gateway carries them as they are."""

HEADERS = {
    "Cache-Control": "public, max-age=60, must-revalidate",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "Referrer-Policy": "no-referrer",
}
"""
Beside those of every answer. Nothing inline and nothing of others is run, and no text becomes
markup. The files of two versions may be mixed for as long as they are cached: a minute.
"""


@dataclass(frozen=True)
class File(Answer):
    """A file, without the envelope."""

    content: str = ""

    @property
    def text(self) -> str:
        return self.content


def files() -> dict[str, Path]:
    """The console's files by their names, as they are served and packaged."""
    return {one.name: one for one in FOLDER.iterdir() if one.suffix in TYPES and one.is_file()}


def answer(file: str | None, address: str, if_none_match: str | None) -> Answer:
    """
    The page, or one of its files; NotFound for any other name, and for the page's own.

    `address` is the request's path, with whatever prefix the API has there: from `/console/` the
    page's relative links would lead one level too deep, so that is moved.
    """
    if file is not None:
        return _file("" if file == PAGE else file, if_none_match)
    if address.endswith("/"):
        return File(301, "", headers={**HEADERS, "Location": "../console"})
    return _file(PAGE, if_none_match)


def _file(name: str, if_none_match: str | None) -> Answer:
    # compared with the names that there are: nothing of a request ever becomes a path
    found = files().get(name)
    if found is None:
        raise NotFound("The console has no such file.")
    content = found.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "Content-Type": TYPES[found.suffix], "ETag": etag}
    if _matches(etag, if_none_match):
        return File(304, "", headers=headers)
    return File(200, "", headers=headers, content=content.decode())


def _matches(etag: str, if_none_match: str | None) -> bool:
    """Whether the client has this version (RFC 9110, 13.1.2; weak comparison)."""
    wanted = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return etag in wanted or "*" in wanted
