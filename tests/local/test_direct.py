"""Requests to DynamoDB that are handed to moto's handler directly are answered as by moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from infra.local.fidelity.direct import DirectDynamoDb

KEY = {"id": {"S": "one"}}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("put_item", {"Item": {**KEY, "n": {"N": "1"}, "on": {"BOOL": True}, "no": {"NULL": True}}}),
    ("put_item", {"Item": {**KEY, "packed": {"B": b"\x00\xff"}, "all": {"BS": [b"\xfe", b"a"]}}}),
    ("put_item", {"Item": {"other": {"S": "no key"}}}),
    ("get_item", {"Key": KEY}),
    ("get_item", {"Key": {"id": {"S": "two"}}}),
    (
        "update_item",
        {
            "Key": KEY,
            "UpdateExpression": "SET #l = :l ADD n :n",
            "ExpressionAttributeNames": {"#l": "list"},
            "ExpressionAttributeValues": {":l": {"L": [{"S": "é"}]}, ":n": {"N": "2"}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    ("delete_item", {"Key": KEY, "ConditionExpression": "attribute_not_exists(id)"}),
    (
        "query",
        {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": KEY["id"]}},
    ),
    ("query", {"KeyConditionExpression": "id ==", "ExpressionAttributeValues": {}}),
    ("scan", {"Limit": 1}),
    ("describe_table", {}),
]
"""One after the other, on a table with the key `id`."""


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def answers(region: str) -> list[Any]:
    """Make a table and all calls; what each was answered, or its error."""
    client = boto3.client("dynamodb", region_name=region)
    made = client.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    found: list[Any] = [made["TableDescription"]["TableArn"]]
    writes = [{"Delete": {"TableName": "none", "Key": KEY}}]
    calls = [(name, {"TableName": "t", **more}) for name, more in CALLS]
    for name, arguments in [*calls, ("transact_write_items", {"TransactItems": writes})]:
        try:
            answer = getattr(client, name)(**arguments)
        except ClientError as error:
            answer = error.response
        status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
        for changing in ("CreationDateTime", "TableId"):
            answer.get("Table", {}).pop(changing, None)
        found.append((name, status, answer))
    client.delete_table(TableName="t")
    return found


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-2"])
def test_calls_are_answered_as_without_it(region: str) -> None:
    """Values of all kinds, conditions that fail, invalid requests, and each in its own region."""
    alone = answers(region)
    with DirectDynamoDb.install():
        assert answers(region) == alone
    assert region in alone[0]


def test_a_compressed_request_to_another_service_takes_motos_way() -> None:
    """botocore compresses PutMetricData from 10 KiB on."""
    data: list[Any] = [{"MetricName": "m" * 200, "Value": float(n)} for n in range(200)]
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    with DirectDynamoDb.install():
        client.put_metric_data(Namespace="n", MetricData=data)
    assert client.list_metrics(Namespace="n")["Metrics"]


def test_moto_does_not_look_up_the_address_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a request with a binary value, or to another service, takes moto's own way."""
    asked: list[str] = []
    original = BotocoreStubber.process_request

    def noting(stubber: BotocoreStubber, request: Any) -> Any:
        asked.append(str(request.headers["X-Amz-Target"]))
        return original(stubber, request)

    monkeypatch.setattr(BotocoreStubber, "process_request", noting)
    with DirectDynamoDb.install():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        assert client.list_tables()["TableNames"] == []
        assert asked == []
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.put_item(TableName="none", Item={**KEY, "packed": {"B": b"1"}})
        boto3.client("events", region_name="eu-west-1").list_rules()
        assert len(asked) == 2
