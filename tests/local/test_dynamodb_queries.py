"""Query from sorted keys finds what moto's own Query finds, and reads no more than its range."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.dynamodb.models.table import Table

from infra.local import REGION
from infra.local.fidelity.dynamodb import DynamoDbFidelity

NAMES = ("", "a", "ab", "b", "ba", "c")
WRITES = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "update", "remove", "delete")),
        st.sampled_from("xy"),
        st.sampled_from(NAMES[1:]),
        st.sampled_from(NAMES[1:]),
    ),
    max_size=25,
)
INDEXES = (None, "local", "global")
CONDITIONS = ("", "eq", "lt", "lte", "gt", "gte", "between", "begins_with")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A table with a local and a global index, under the fidelity."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(), DynamoDbFidelity.install():
        yield made()


def made() -> Any:
    keys = {"HASH": "pk", "RANGE": "sk"}

    def schema(**names: str) -> Any:
        return [{"AttributeName": name, "KeyType": kind} for kind, name in names.items()]

    return boto3.resource("dynamodb").create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "at", "shard")
        ],
        KeySchema=schema(**keys),
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": schema(HASH="pk", RANGE="at"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "global",
                "KeySchema": schema(HASH="shard", RANGE="at"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def write(table: Any, kind: str, pk: str, sk: str, at: str) -> None:
    key = {"pk": pk, "sk": sk}
    if kind == "put":
        table.put_item(Item={**key, "at": at, "shard": "s", "note": {"n": [at]}, "more": 1})
    elif kind == "delete":
        table.delete_item(Key=key)
    elif kind == "update":
        table.update_item(
            Key=key,
            UpdateExpression="SET #a = :a, #s = :s",
            ExpressionAttributeNames={"#a": "at", "#s": "shard"},
            ExpressionAttributeValues={":a": at, ":s": "s"},
        )
    else:
        table.update_item(
            Key=key, UpdateExpression="REMOVE #a", ExpressionAttributeNames={"#a": "at"}
        )


def found(table: Any, **request: Any) -> list[dict[str, Any]]:
    """All pages."""
    items: list[dict[str, Any]] = []
    while True:
        page = table.query(**request)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def condition(index: str | None, comparison: str, value: str) -> Any:
    hash_, range_ = {None: ("pk", "sk"), "local": ("pk", "at"), "global": ("shard", "at")}[index]
    key: Any = Key(hash_).eq("s" if index == "global" else "x")
    if comparison:
        values = (value, "bz") if comparison == "between" else (value,)
        key &= getattr(Key(range_), comparison)(*values)
    return key


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    writes=WRITES,
    index=st.sampled_from(INDEXES),
    value=st.sampled_from(NAMES[1:]),
    limit=st.integers(1, 3),
    is_forward=st.booleans(),
)
def test_a_query_finds_what_moto_finds(
    monkeypatch: pytest.MonkeyPatch,
    writes: list[Any],
    index: str | None,
    value: str,
    limit: int,
    is_forward: bool,
) -> None:
    """Whatever was written, changed and deleted before, by every condition, whole and in pages."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    of_index: dict[str, Any] = {"IndexName": index} if index else {}
    ways: list[dict[str, Any]] = [{}, {"Limit": limit}, {"FilterExpression": Attr("sk").gt("a")}]
    with mock_aws():
        moto_query = Table.query
        with DynamoDbFidelity.install():
            table = made()
            for one in writes:
                write(table, *one)
            for comparison, more in product(CONDITIONS, ways):
                request = {
                    "KeyConditionExpression": condition(index, comparison, value),
                    "ScanIndexForward": is_forward,
                    **of_index,
                    **more,
                }
                ours = found(table, **request)
                with monkeypatch.context() as patch:
                    patch.setattr(Table, "query", moto_query)
                    theirs = found(table, **request)
                assert ours == theirs, request


def test_a_projection_is_of_the_named_attributes(table: Any) -> None:
    """Of those that the index has."""
    write(table, "put", "x", "a", "b")
    key = Key("pk").eq("x")
    names = {"ProjectionExpression": "sk, note"}
    assert found(table, KeyConditionExpression=key, **names) == [{"sk": "a", "note": {"n": ["b"]}}]
    nested = {"ProjectionExpression": "note.n[0]"}
    assert found(table, KeyConditionExpression=key, **nested) == [{"note": {"n": ["b"]}}]
    whole = found(table, IndexName="local", KeyConditionExpression=key)
    assert [sorted(item) for item in whole] == [["at", "note", "pk", "sk"]]


def test_a_query_reads_no_more_than_its_range(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each sweep would read all runs that there ever were, 32 times."""
    for number in range(20):
        write(table, "put", "x", f"{number:02}", f"{number:02}")

    def all_items(_: Table) -> list[Any]:
        raise AssertionError("the whole table was read")

    monkeypatch.setattr(Table, "all_items", all_items)
    assert found(table, KeyConditionExpression=Key("pk").eq("x") & Key("sk").lt("02"))
    assert found(table, IndexName="global", KeyConditionExpression=Key("shard").eq("s"))
    assert not found(table, IndexName="global", KeyConditionExpression=Key("shard").eq("other"))


def test_what_was_stored_before_the_fidelity_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is made of what there is when the table is first used."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        table = made()
        write(table, "put", "x", "a", "b")
        with DynamoDbFidelity.install():
            assert len(found(table, KeyConditionExpression=Key("pk").eq("x"))) == 1


def test_a_page_ends_at_a_megabyte(table: Any) -> None:
    """As DynamoDB's do (Query, API reference); what is left comes with the next."""
    for number in range(4):
        table.put_item(Item={"pk": "x", "sk": str(number), "text": "x" * 300_000})
    page = table.query(KeyConditionExpression=Key("pk").eq("x"))
    assert [len(page["Items"]), page["LastEvaluatedKey"]["sk"]] == [3, "2"]
    assert len(found(table, KeyConditionExpression=Key("pk").eq("x"))) == 4


def test_an_item_in_an_answer_does_not_change_with_a_later_write(table: Any) -> None:
    """The answer is JSON before the next request is read."""
    write(table, "put", "x", "a", "b")
    before = found(table, KeyConditionExpression=Key("pk").eq("x"))
    write(table, "update", "x", "a", "c")
    assert before[0]["at"] == "b"
