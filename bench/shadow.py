"""
The write units of transactions, which DynamoDB Local counts for one item a table.

Each part of a transaction is written once more, alone, into a table of the same keys and
indexes that holds nothing but the item as it was before. A transaction takes twice what the same
writes take alone, and a condition check what a write of the item takes (AWS: "Read and write
operations for DynamoDB", transactional requests).
"""

from __future__ import annotations

from typing import Any

import boto3

KINDS = ("Put", "Update", "Delete", "ConditionCheck")
FACTOR = 2
Item = dict[str, Any]


class Shadow:
    """Tables beside those at `endpoint`, for measuring alone."""

    def __init__(self, endpoint: str) -> None:
        self._client = boto3.client("dynamodb", endpoint_url=endpoint)
        self._keys: dict[str, list[str]] = {}

    def before(self, request: Item) -> list[Item | None]:
        """The items of a TransactWriteItems, in its order, as they are now."""
        return [self._read(*part) for part in self._parts(request)]

    def units(self, request: Item, before: list[Item | None]) -> float:
        """What that request took, now that it is done."""
        alone = 0.0
        for (table, key), old in zip(self._parts(request), before, strict=True):
            alone += self._alone(table, key, old, self._read(table, key))
        return FACTOR * alone

    def _alone(self, table: str, key: Item, old: Item | None, new: Item | None) -> float:
        shadow = f"shadow-{table}"
        self._client.delete_item(TableName=shadow, Key=key)
        if old is not None:
            self._client.put_item(TableName=shadow, Item=old)
        if new is not None:
            answer: Any = self._client.put_item(
                TableName=shadow, Item=new, ReturnConsumedCapacity="TOTAL"
            )
        else:
            answer = self._client.delete_item(
                TableName=shadow, Key=key, ReturnConsumedCapacity="TOTAL"
            )
        return float(answer["ConsumedCapacity"]["CapacityUnits"])

    def _parts(self, request: Item) -> list[tuple[str, Item]]:
        """(table, key) of each."""
        found = []
        for part in request["TransactItems"]:
            (wanted,) = (part[kind] for kind in KINDS if kind in part)
            table = wanted["TableName"]
            key = wanted.get("Key") or {k: wanted["Item"][k] for k in self._key_names(table)}
            found.append((table, key))
        return found

    def _key_names(self, table: str) -> list[str]:
        """Of a table, whose shadow is made when it is first asked about."""
        if table not in self._keys:
            made: Any = self._client.describe_table(TableName=table)["Table"]
            indexes: Any = {
                kind: [
                    {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
                    for index in made[kind]
                ]
                for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
                if made.get(kind)
            }
            self._client.create_table(
                TableName=f"shadow-{table}",
                KeySchema=made["KeySchema"],
                AttributeDefinitions=made["AttributeDefinitions"],
                BillingMode="PAY_PER_REQUEST",
                **indexes,
            )
            self._keys[table] = [key["AttributeName"] for key in made["KeySchema"]]
        return self._keys[table]

    def _read(self, table: str, key: Item) -> Item | None:
        self._key_names(table)
        answer = self._client.get_item(TableName=table, Key=key, ConsistentRead=True)
        return answer.get("Item")
