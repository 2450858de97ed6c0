"""The fidelity layer over moto's DynamoDB changes only what DynamoDB does differently."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from infra.local.fidelity import updates
from infra.local.fidelity.dynamodb import DynamoDbFidelity

F = TypeVar("F", bound=Callable[..., None])

TABLE = "things"
NAMES = ["pk", "ix", "a", "a", "b", "b"]
VALUES = st.sampled_from(
    [
        {"S": "x"},
        {"S": ""},
        {"N": "1"},
        {"N": "12"},
        {"N": "-2.5"},
        {"BOOL": True},
        {"NULL": True},
        {"L": [{"S": "x"}, {"M": {"n": {"N": "1"}}}]},
        {"M": {"n": {"N": "1"}, "s": {"SS": ["x"]}}},
        {"SS": ["x", "y"]},
        {"NS": ["1", "2"]},
    ]
)
ITEMS = st.fixed_dictionaries({}, optional={"ix": st.just({"S": "x"}), "a": VALUES, "b": VALUES})
CLAUSES = st.lists(
    st.tuples(
        st.sampled_from(["SET", "REMOVE", "ADD", "DELETE"]),
        st.lists(st.tuples(st.sampled_from(NAMES), VALUES), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda clause: clause[0],
)


@pytest.fixture(scope="module")
def things() -> Iterator[Any]:
    """A client of moto, with a table that has an index."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "ix")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_ix",
                    "KeySchema": [{"AttributeName": "ix", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def key(sk: str = "s") -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": sk}}


def outcome(client: Any, item: dict[str, Any] | None, update: dict[str, Any]) -> Any:
    """Update an item, and return the answer or error and the item afterwards."""
    client.delete_item(TableName=TABLE, Key=key())
    if item is not None:
        client.put_item(TableName=TABLE, Item=key() | item)
    try:
        answer = client.update_item(TableName=TABLE, Key=key(), **update)
    except ClientError as error:
        said: Any = (error.response["Error"], error.response.get("Item"))
    else:
        said = answer.get("Attributes")
    return said, client.get_item(TableName=TABLE, Key=key()).get("Item")


def refused(verb: str, name: str, value: dict[str, Any]) -> Callable[[F], F]:
    """An update of one attribute that DynamoDB refuses, as an example for hypothesis."""
    item = {"a": {"S": "x"}}
    return example(item=item, clauses=[(verb, [(name, value)])], returned="NONE", condition=None)


@refused("ADD", "a", {"N": "1"})
@refused("ADD", "b", {"S": "x"})
@refused("ADD", "a", {"SS": ["x"]})
@refused("SET", "pk", {"S": "q"})
@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    item=st.none() | ITEMS,
    clauses=CLAUSES,
    returned=st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"]),
    condition=st.sampled_from([None, "attribute_exists(#c)", "attribute_not_exists(#c)"]),
)
def test_an_update_does_what_moto_alone_would_do(
    things: Any,
    item: dict[str, Any] | None,
    clauses: list[tuple[str, list[tuple[str, dict[str, Any]]]]],
    returned: str,
    condition: str | None,
) -> None:
    """Item, answer and error are the same as moto's, with or without the layer's fast path."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    parts = []
    for verb, actions in clauses:
        said = []
        for name, value in actions:
            number = len(names)
            names[f"#{number}"] = name
            if verb != "REMOVE":
                values[f":{number}"] = value
            said.append(
                {"SET": f"#{number} = :{number}", "REMOVE": f"#{number}"}.get(
                    verb, f"#{number} :{number}"
                )
            )
        parts.append(f"{verb} {', '.join(said)}")
    update: dict[str, Any] = {
        "UpdateExpression": " ".join(parts),
        "ReturnValues": returned,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if condition is not None:
        update["ConditionExpression"] = condition
        names["#c"] = "a"
    update["ExpressionAttributeNames"] = names
    if values:
        update["ExpressionAttributeValues"] = values
    alone = outcome(things, item, update)
    fidelity = DynamoDbFidelity.install()
    try:
        assert outcome(things, item, update) == alone
    finally:
        fidelity.uninstall()


@pytest.mark.parametrize(
    ("expression", "is_plain"),
    [
        ("SET #0 = :0", True),
        ("SET #0 = :0, #1 = :1 REMOVE #2, #3 ADD #4 :4", True),
        ("SET #0=:0,#1=:1", True),
        ("SET #0 = #1", False),
        ("SET #0 = #0 + :0", False),
        ("SET #0 = if_not_exists(#0, :0)", False),
        ("SET #0.#1 = :0", False),
        ("SET #0[1] = :0", False),
        ("SET name = :0", False),
        ("REMOVE #0[0]", False),
        ("DELETE #0 :0", False),
        ("SET #0 = :0 SET #1 = :1", False),
        ("SET #0 = :0, #0 = :1", False),
        ("SET #0 = :0REMOVE #1", False),
        ("", False),
    ],
)
def test_only_updates_of_whole_attributes_take_the_fast_path(
    expression: str, is_plain: bool
) -> None:
    assert (updates._plan(expression) is not None) == is_plain


@pytest.fixture
def faithful(things: Any) -> Iterator[Any]:
    fidelity = DynamoDbFidelity.install()
    try:
        yield things
    finally:
        fidelity.uninstall()


def test_an_update_that_makes_an_item_larger_than_400_kb_is_refused_and_changes_nothing(
    faithful: Any,
) -> None:
    """moto alone refuses it too."""
    faithful.put_item(TableName=TABLE, Item=key() | {"a": {"S": "x"}})
    with pytest.raises(ClientError, match="Item size"):
        faithful.update_item(
            TableName=TABLE,
            Key=key(),
            UpdateExpression="SET #0 = :0",
            ExpressionAttributeNames={"#0": "a"},
            ExpressionAttributeValues={":0": {"S": "x" * 410_000}},
        )
    assert faithful.get_item(TableName=TABLE, Key=key())["Item"]["a"] == {"S": "x"}


def test_a_transaction_that_fails_undoes_nothing_that_others_wrote(faithful: Any) -> None:
    """moto alone restores whole tables after a failure."""
    faithful.put_item(TableName=TABLE, Item=key() | {"n": {"N": "0"}})
    failing = {
        "Update": {
            "TableName": TABLE,
            "Key": key("other"),
            "UpdateExpression": "SET #0 = :0",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#0": "a"},
            "ExpressionAttributeValues": {":0": {"S": "x"}},
        }
    }

    def fail() -> None:
        for _ in range(20):
            with pytest.raises(ClientError, match="ConditionalCheckFailed"):
                faithful.transact_write_items(TransactItems=[failing])

    others = [threading.Thread(target=fail) for _ in range(2)]
    for other in others:
        other.start()
    for _ in range(40):
        faithful.update_item(
            TableName=TABLE,
            Key=key(),
            UpdateExpression="ADD #0 :0",
            ExpressionAttributeNames={"#0": "n"},
            ExpressionAttributeValues={":0": {"N": "1"}},
        )
    for other in others:
        other.join()
    assert faithful.get_item(TableName=TABLE, Key=key())["Item"]["n"] == {"N": "40"}
    assert "Item" not in faithful.get_item(TableName=TABLE, Key=key("other"))


def test_a_transaction_with_one_failed_condition_writes_nothing(faithful: Any) -> None:
    """
    Writes before and after the failed condition are dropped; the reasons have the items' order.
    """
    faithful.delete_item(TableName=TABLE, Key=key())
    put = {"Put": {"TableName": TABLE, "Item": key("one")}}
    check = {
        "ConditionCheck": {
            "TableName": TABLE,
            "Key": key(),
            "ConditionExpression": "attribute_exists(pk)",
        }
    }
    later = {"Put": {"TableName": TABLE, "Item": key("two")}}
    with pytest.raises(ClientError) as failed:
        faithful.transact_write_items(TransactItems=[put, check, later])
    reasons = failed.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "None"]
    for sk in ("one", "two"):
        assert "Item" not in faithful.get_item(TableName=TABLE, Key=key(sk))
