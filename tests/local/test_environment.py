"""The local stack cannot reach the real AWS, whatever variables and files the shell has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import EndpointConnectionError

from infra.local import environment

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_PROFILE": "production",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL_ECS": "https://ecs.example.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/real",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
    "AWS_CA_BUNDLE": "/bundle",
    "HTTPS_PROXY": "http://proxy.example.com:3128",
    "http_proxy": "http://proxy.example.com:3128",
    "ALL_PROXY": "socks5://proxy.example.com",
    "NO_PROXY": "example.com",
    "JOBYARD_JOBS_TABLE": "production-jobs",
    "MOTO_ALLOW_NONEXISTENT_REGION": "true",
}
CONFIG = """
[default]
aws_access_key_id = AKIAREAL
aws_secret_access_key = real
region = us-east-1
endpoint_url = https://everything.example.com
[profile production]
credential_process = /bin/false
"""


@pytest.fixture
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a shell with many AWS settings, after `isolate`."""
    home = tmp_path / ".aws"
    home.mkdir()
    for name in ("config", "credentials"):
        (home / name).write_text(CONFIG)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(environment.DROPPED)]:
        monkeypatch.delenv(name)
    environ = {**os.environ, **HOSTILE}
    environment.isolate(environ, "eu-central-1")
    for name in HOSTILE:
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("isolated")
def test_aws_variables_of_the_shell_are_removed() -> None:
    """No value of that shell remains, under any name."""
    kept = {name for name, value in HOSTILE.items() if os.environ.get(name) == value}
    assert kept == set()


@pytest.mark.usefixtures("isolated")
def test_credentials_are_the_local_ones_and_no_profile_is_read() -> None:
    """Neither ~/.aws nor a metadata service is read."""
    session = botocore.session.Session()
    credentials = session.get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.method) == ("local", "env")
    assert session.available_profiles == []
    assert session.get_config_variable("region") == "eu-central-1"


@pytest.mark.usefixtures("isolated")
@pytest.mark.parametrize("service", ["dynamodb", "ecs", "events", "logs", "cloudwatch", "sts"])
def test_every_call_goes_to_the_loopback(service: Any) -> None:
    """Even before the endpoint is known, calls go to a local port where nothing listens."""
    sent: list[AWSPreparedRequest] = []
    client = boto3.session.Session().client(service)
    client.meta.events.register("before-send", lambda request, **_: sent.append(request))
    operation = {"sts": "get_caller_identity", "logs": "describe_log_groups"}
    name = operation.get(service, {"dynamodb": "list_tables", "ecs": "list_clusters"}.get(service))
    name = name or {"events": "list_rules", "cloudwatch": "list_metrics"}[service]
    with pytest.raises(EndpointConnectionError):
        getattr(client, name)()
    assert {request.url.split("/")[2] for request in sent} == {"127.0.0.1:1"}


@pytest.mark.usefixtures("isolated")
def test_no_call_goes_through_a_proxy() -> None:
    """A proxy would carry the calls to another machine."""
    from botocore.utils import get_environ_proxies

    assert get_environ_proxies("http://127.0.0.1:1/") == {}
    assert get_environ_proxies("https://ecs.eu-central-1.amazonaws.com/") == {}
