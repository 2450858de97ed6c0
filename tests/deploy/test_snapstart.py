"""The API's function starts from a snapshot where the stage's operator has chosen so."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra import package, snapstart
from tests.deploy.linting import lint

ALIAS = {"Ref": "ApiAlias"}


def test_without_the_parameter_nothing_is_published(
    packaged: package.Package, tmp_path: Path
) -> None:
    """The template is the one that was packaged."""
    before = packaged.template.read_text()
    copy = tmp_path / "packaged.json"
    copy.write_text(before)
    snapstart.add_if_on(copy, {"Stage": "dev"})
    assert copy.read_text() == before
    snapstart.add_if_on(copy, {"Stage": "dev", "SnapStart": "on"})
    assert "AWS::Lambda::Version" in copy.read_text()


def test_api_gateway_calls_the_alias_of_the_published_version(template: dict[str, Any]) -> None:
    """Every route does, and the permission is the alias's, since the function's own does not do."""
    changed = snapstart.add(template, {"SnapStart": "on"})
    resources = changed["Resources"]
    body = json.dumps(resources["RestAPI"])
    assert body.count("functions/${ApiAlias}/invocations") > 40
    assert "APIHandler" not in body
    assert resources["APIHandlerInvokePermission"]["Properties"]["FunctionName"] == ALIAS
    alias = resources["ApiAlias"]["Properties"]
    assert alias["FunctionVersion"] == {"Fn::GetAtt": ["ApiVersion", "Version"]}
    function = resources["APIHandler"]["Properties"]
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_cfn_lint_finds_nothing_in_it(template: dict[str, Any], tmp_path: Path) -> None:
    """
    As with the template without it, but that SAM's AutoPublishAlias is not used (W2530).

    SAM keeps the old versions ("DeletionPolicy: Retain"), and each is paid for.
    """
    file = tmp_path / "template.json"
    file.write_text(json.dumps(snapstart.add(template, {"SnapStart": "on"})))
    assert lint(file, "eu-central-1", ignored="W2530") == ("", 0)


def published(template: dict[str, Any], **parameters: str) -> dict[str, Any]:
    version = snapstart.add(template, parameters)["Resources"]["ApiVersion"]
    properties: dict[str, Any] = version["Properties"]
    return properties


def test_a_version_is_published_when_code_or_parameters_change_and_only_then(
    template: dict[str, Any],
) -> None:
    """A version keeps its environment, so without another one the old subnets would be used."""
    first = published(template, SnapStart="on", Subnets="subnet-1")
    assert published(template, Subnets="subnet-1", SnapStart="on") == first
    assert published(template, SnapStart="on", Subnets="subnet-2") != first
    other = json.loads(json.dumps(template))
    other["Resources"]["APIHandler"]["Properties"]["CodeUri"] = "s3://bucket/another"
    assert published(other, SnapStart="on", Subnets="subnet-1") != first
    assert len(first["Description"]) <= 256  # AWS::Lambda::Version, Description


CREDENTIALS = {
    "AccessKeyId": "AKIDFROMENDPOINT",
    "SecretAccessKey": "secret",
    "Token": "token",
    "Expiration": "2099-01-01T00:00:00Z",
}
READ = """
from chalicelib.clock import Clock
from chalicelib.cloud.aws import Clients
client = Clients("eu-west-1", Clock()).get("ecs")
print(client._request_signer._credentials.get_frozen_credentials().access_key)
"""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An address that answers credentials to who shows the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers["Authorization"] == "let me in"
            self.send_response(200 if is_known else 403)
            self.end_headers()
            self.wfile.write(json.dumps(CREDENTIALS).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/credentials"
    server.shutdown()
    server.server_close()


def test_a_restored_function_gets_its_credentials_from_the_endpoint(endpoint: str) -> None:
    """
    Functions with SnapStart have no access key in their environment but an endpoint's address.

    "Defined runtime environment variables" in the Lambda developer guide.
    """
    environment = {
        "PATH": "/usr/bin:/bin",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=package.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "AKIDFROMENDPOINT"
