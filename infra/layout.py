"""
Whether the tables of a stage that is there can become those of this version.

CloudFormation cannot: change a table's key or its local indexes without replacing it, which it
refuses for a table with a name of its own ("Update behaviors of stack resources"); or make and
remove more than one global index in one update (AWS::DynamoDB::Table). It would find out in the
middle of a deployment, and roll back. So a deployment asks here first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from infra.account import Refused

TABLE = "AWS::DynamoDB::Table"


def check(stage: str, template: Path) -> None:
    """Raises Refused where a table of the stage, or one that a destroy kept, stands in the way."""
    found = [
        f"the table {name} {what}"
        for name, wanted in _tables(stage, template)
        if (there := _described(name)) is not None
        for what in hindrances(there, wanted)
    ]
    if found:
        raise Refused(
            "\n  ".join(
                [
                    f"stage {stage} was made by a version whose tables this one cannot take over:",
                    *found,
                    "Nothing was changed. Deploy this version as another stage and move the jobs "
                    'there: docs/operating.md, "Move to another stage".',
                ]
            )
        )


def hindrances(there: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """What of a table, as DynamoDB describes it, cannot become as the template wants it."""
    if _keys(there) != _keys(wanted):
        yield f"has the key {_keys(there)}; it should be {_keys(wanted)}"
    local = _indexes(there, "Local")
    if local != _indexes(wanted, "Local"):
        names = ", ".join(sorted(local)) or "none"
        yield f"has the local indexes: {names}; they cannot be changed"
    before, after = _indexes(there, "Global"), _indexes(wanted, "Global")
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    if len(changed) > 1:
        yield f"would have to change more than one index at once: {', '.join(sorted(changed))}"


def _tables(stage: str, template: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in json.loads(template.read_text())["Resources"].values():
        if resource.get("Type") == TABLE:
            properties = resource["Properties"]
            yield properties["TableName"]["Fn::Sub"].replace("${Stage}", stage), properties


def _described(name: str) -> dict[str, Any] | None:
    dynamodb = boto3.client("dynamodb")
    try:
        return dict(dynamodb.describe_table(TableName=name)["Table"])
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def _indexes(table: dict[str, Any], kind: str) -> dict[str, dict[str, str]]:
    found = table.get(f"{kind}SecondaryIndexes") or []
    return {index["IndexName"]: _keys(index) for index in found}


def _keys(table: dict[str, Any]) -> dict[str, str]:
    return {part["KeyType"]: part["AttributeName"] for part in table["KeySchema"]}
