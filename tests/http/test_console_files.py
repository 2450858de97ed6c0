"""GET /console serves the console's own files with their security headers, and no other file."""

from __future__ import annotations

import gzip
import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

import app
from chalicelib.http import console
from infra.local import gateway as local_gateway
from infra.local import template
from infra.local.gateway import Gateway
from tests.yard import Context, Yard

FILES = sorted(path.name for path in console.FOLDER.iterdir())
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "require-trusted-types-for": "'script'",
}


def get(path: str, *, method: str = "GET", stage: str = "", **headers: str) -> dict[str, Any]:
    """Answer the event that API Gateway sends; `stage` is a base path of a custom domain."""
    sent = {name.replace("_", "-"): [value] for name, value in headers.items()}
    event = {
        "resource": "/{proxy+}",
        "path": stage + path,
        "httpMethod": method,
        "multiValueHeaders": sent,
        "pathParameters": {"proxy": path.lstrip("/")},
        "requestContext": {"resourcePath": "/{proxy+}", "httpMethod": method},
        "body": None,
        "isBase64Encoded": False,
    }
    return dict(app.app(event, Context()))


@pytest.fixture
def paths() -> list[str]:
    names = [name for name in FILES if name != console.PAGE]
    return ["/console", *(f"/console/{name}" for name in names)]


def content(name: str) -> str:
    return (console.FOLDER / name).read_text(encoding="utf-8")


def test_the_page_is_served_without_a_token(yard: Yard) -> None:
    """The page asks the user for a token."""
    found = get("/console")
    assert (found["statusCode"], found["isBase64Encoded"]) == (200, False)
    assert found["body"] == content(console.PAGE)
    assert found["headers"]["Content-Type"] == "text/html; charset=utf-8"


def test_every_file_of_the_console_is_served_with_its_content_type(
    yard: Yard, paths: list[str]
) -> None:
    """Browsers do not run a module that is served with another type than JavaScript's."""
    for path in paths[1:]:
        name = path.removeprefix("/console/")
        found = get(path)
        kind = console.TYPES[name[name.rindex(".") :]]
        assert (found["statusCode"], found["body"]) == (200, content(name)), path
        assert found["headers"]["Content-Type"] == kind


def test_every_file_that_the_page_refers_to_exists() -> None:
    """Its links are relative to /console, which has no slash at its end."""
    linked = re.findall(r"""(?:href|src)="([^"#]*)\"""", content(console.PAGE))
    assert {link.removeprefix("console/") for link in linked} <= set(FILES)
    assert all(link.startswith("console/") for link in linked)


def test_every_answer_has_the_security_headers(yard: Yard, paths: list[str]) -> None:
    """
    The console allows only its own scripts, styles and connections, no frames and no referrer.
    """
    for path in [*paths, "/console/"]:
        headers = get(path)["headers"]
        parts = (
            part.strip().partition(" ") for part in headers["Content-Security-Policy"].split(";")
        )
        assert {name: value for name, _, value in parts} == POLICY, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "public, max-age=60, must-revalidate"
        assert "Set-Cookie" not in headers


def test_answers_of_the_api_have_nosniff_and_no_store(yard: Yard) -> None:
    """They come from the same origin as the console."""
    for path in ("/jobs", "/nothing"):
        headers = yard.call("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_a_matching_etag_is_answered_with_304(yard: Yard, paths: list[str]) -> None:
    """
    If-None-Match may hold the ETag alone, in a list, as weak, or `*`; any other ETag gets the file.
    """
    for path in paths:
        etag = get(path)["headers"]["ETag"]
        assert re.fullmatch('"[0-9a-f]{32}"', etag)
        for known in (etag, f'"x", {etag}', f"W/{etag}", "*"):
            found = get(path, If_None_Match=known)
            assert (found["statusCode"], found["body"]) == (304, "")
            assert found["headers"]["ETag"] == etag
            assert found["headers"]["Cache-Control"].startswith("public")
        assert get(path, If_None_Match='"x"')["statusCode"] == 200


def test_an_etag_changes_with_the_file(
    yard: Yard, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm function serves the new content too."""
    monkeypatch.setattr(console, "FOLDER", tmp_path)
    file = tmp_path / "a.js"
    file.write_text("1")
    first = get("/console/a.js")
    file.write_text("2")
    second = get("/console/a.js", If_None_Match=first["headers"]["ETag"])
    assert (second["statusCode"], second["body"]) == (200, "2")
    assert first["headers"]["ETag"] != second["headers"]["ETag"]


@pytest.mark.parametrize("stage", ["", "/api", "/base/path"])
def test_an_address_with_a_trailing_slash_is_redirected(yard: Yard, stage: str) -> None:
    """The redirect leads to the page and is relative to the requested address."""
    found = get("/console/", stage=stage)
    assert (found["statusCode"], found["headers"]["Location"]) == (301, "../console")


OTHERS = [
    "/console/../app.py",
    "/console/..",
    "/console/.",
    "/console/..%2Fapp.py",
    "/console/%2e%2e%2fapp.py",
    "/console/..%5Capp.py",
    "/console/%2Fetc%2Fpasswd",
    "/console//etc/passwd",
    "/console/app.py",
    "/console/chalicelib",
    "/console/index.html",
    "/console/index.html%00.js",
    "/console/%00",
    "/console/index",
    "/console/INDEX.HTML",
    "/console/index.html/",
    "/console/nothing.js",
    "/console/.hidden.js",
    "/console/a/b.js",
    "/console/secret.txt",
    "/console/folder.js",
    "/consolex",
    "/Console",
]


@pytest.mark.parametrize("path", OTHERS)
def test_no_path_serves_a_file_outside_the_console(
    yard: Yard, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Encoded, absolute, dotted and unknown paths get the same answer as any other unknown path."""
    folder = tmp_path / "console"
    folder.mkdir()
    (tmp_path / "app.py").write_text("secret")
    (folder / "index.html").write_text("page")
    (folder / "secret.txt").write_text("secret")
    (folder / ".hidden.js").write_text("secret")
    (folder / "folder.js").mkdir()
    monkeypatch.setattr(console, "FOLDER", folder)
    found = get(path)
    assert found["statusCode"] == 404
    assert json.loads(found["body"])["code"] == "not_found"


def test_only_get_is_allowed(yard: Yard) -> None:
    """The console's files cannot be written through the API."""
    for path in ("/console", f"/console/{console.PAGE}"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            found = get(path, method=method)
            assert (found["statusCode"], found["headers"]["Allow"]) == (405, "GET")


# Tests through the local gateway


@pytest.fixture
def url(yard: Yard) -> Iterator[str]:
    gateway = Gateway(app.app, app.app.routes, 0)
    yield gateway.url
    gateway.close()


def fetch(url: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.request("GET", path, headers={n.replace("_", "-"): v for n, v in headers.items()})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


def test_the_local_stack_serves_the_console_as_api_gateway_does(url: str) -> None:
    """The page, its 304 and its redirect are the same through the local gateway."""
    response, data = fetch(url, "/console")
    assert data.decode() == content(console.PAGE)
    again, nothing = fetch(url, "/console", If_None_Match=response.headers["ETag"])
    assert (again.status, nothing) == (304, b"")
    assert fetch(url, "/console/")[0].headers["Location"] == "../console"


def test_answers_are_compressed_for_clients_that_accept_it(
    url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compression begins at the size that the template gives to API Gateway."""
    declared = template.read()["Resources"]["RestAPI"]["Properties"]["MinimumCompressionSize"]
    assert declared == local_gateway.MINIMUM_COMPRESSION_SIZE
    monkeypatch.setattr(console, "FOLDER", tmp_path)
    (tmp_path / "long.js").write_text("é" * (declared // 2))
    (tmp_path / "short.js").write_text("e" * (declared - 1))
    response, data = fetch(url, "/console/long.js", Accept_Encoding="gzip, br")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(data).decode() == "é" * (declared // 2)
    for path, accepted in (("long.js", "identity"), ("short.js", "gzip")):
        response, data = fetch(url, f"/console/{path}", Accept_Encoding=accepted)
        assert response.headers["Content-Encoding"] is None
        assert data.decode() == (tmp_path / path).read_text()
