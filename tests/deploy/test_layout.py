"""A stage whose tables this version cannot take over is refused before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra import layout
from infra.account import Refused
from infra.local import provision, template

STAGE = "old"


@pytest.fixture
def packaged(tmp_path: Path) -> Iterator[Path]:
    """The stack as it is packaged, in an account without a stage."""
    path = tmp_path / "packaged.json"
    path.write_text(json.dumps({"Resources": template.read()["Resources"]}))
    with mock_aws():
        yield path


def make_runs(local: list[str], more: list[str]) -> None:
    """The runs table with these local and global indexes."""
    names = ["pk", "sk", *local, *more]

    def index(name: str, key: str) -> dict[str, Any]:
        schema = [(key, "HASH"), (name, "RANGE")]
        return {
            "IndexName": name,
            "KeySchema": [{"AttributeName": part, "KeyType": kind} for part, kind in schema],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }

    found: dict[str, Any] = {
        "LocalSecondaryIndexes": [index(name, "pk") for name in local],
        "GlobalSecondaryIndexes": [index(name, "sk") for name in more],
    }
    boto3.client("dynamodb", region_name="us-east-1").create_table(
        TableName=f"jobyard-{STAGE}-runs",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
        **{kind: indexes for kind, indexes in found.items() if indexes},
    )


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_a_new_stage_and_one_of_this_version_are_deployed(packaged: Path) -> None:
    """Nothing is there, or just what the template has."""
    layout.check(STAGE, packaged)
    provision.create(STAGE, "us-east-1")
    layout.check(STAGE, packaged)


def test_a_runs_table_with_local_indexes_is_refused(packaged: Path) -> None:
    """As every stage had it before; the refusal says where to read on."""
    make_runs(["claimed", "live"], [])
    with pytest.raises(Refused) as refused:
        layout.check(STAGE, packaged)
    assert "jobyard-old-runs has the local indexes: claimed, live" in str(refused.value)
    assert "Move to another stage" in str(refused.value)
    layout.check("another", packaged)


def test_a_table_that_lacks_two_indexes_is_refused(packaged: Path) -> None:
    """CloudFormation makes one in each update."""
    make_runs([], ["in_flight"])
    with pytest.raises(Refused, match=r"more than one index at once: .*listed, unsuccessful"):
        layout.check(STAGE, packaged)


def test_one_index_more_and_another_key_are_told_apart() -> None:
    """The first CloudFormation can do, the second it cannot."""
    key = [{"AttributeName": "pk", "KeyType": "HASH"}]
    index = {"IndexName": "work", "KeySchema": key}
    plain: dict[str, Any] = {"KeySchema": key}
    assert list(layout.hindrances(plain, plain | {"GlobalSecondaryIndexes": [index]})) == []
    other = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    assert len(list(layout.hindrances(plain, other))) == 1


def test_the_page_that_the_refusal_names_is_there() -> None:
    """With a section of that title."""
    page = Path(__file__).parents[2] / "docs" / "operating.md"
    assert "\n## Move to another stage\n" in page.read_text()
