"""A task definition's `secrets`, resolved as the ECS agent does before the container starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.engines import StartError

SECRET_PARTS = 7
"""`arn:aws:secretsmanager:region:account:secret:name`; more are json-key, stage and version."""


def resolve(secrets: Mapping[str, str], client: Callable[[str], Any]) -> dict[str, str]:
    """
    Name → value. `client("ssm")` makes a boto3 client.

    Raises StartError with ECS's ResourceInitializationError for one that cannot be read.
    """
    values = {}
    for name, value_from in secrets.items():
        try:
            if ":secretsmanager:" in value_from:
                values[name] = _secret(value_from, client("secretsmanager"))
            else:
                parameter = client("ssm").get_parameter(Name=value_from, WithDecryption=True)
                values[name] = parameter["Parameter"]["Value"]
        except (BotoCoreError, ClientError, KeyError, ValueError) as error:
            raise StartError(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution "
                f"resource retrieval failed: failed to fetch secret {value_from}: {error}"
            ) from error
    return values


def _secret(value_from: str, client: Any) -> str:
    parts = value_from.split(":")
    arn = ":".join(parts[:SECRET_PARTS])
    key, stage, version = [*parts[SECRET_PARTS:], "", "", ""][:3]
    wanted = {"VersionStage": stage, "VersionId": version}
    answer = client.get_secret_value(
        SecretId=arn, **{name: value for name, value in wanted.items() if value}
    )
    text = str(answer["SecretString"])
    if not key:
        return text
    value = json.loads(text)[key]
    return value if isinstance(value, str) else json.dumps(value)
