"""
Finds the write units of transactions, of which DynamoDB Local counts one item a table.

Each part of a transaction is written again, alone, into a table with the same keys and indexes that
has only the item as it was before. A transaction takes twice the units of the same single writes,
and a condition check takes those of a write of the item (AWS: "Read and write operations for
DynamoDB", transactional requests).
"""

from __future__ import annotations

from typing import Any

import boto3

KINDS = ("Put", "Update", "Delete", "ConditionCheck")
FACTOR = 2
Item = dict[str, Any]


class Shadow:
    """Tables beside those at `endpoint`, used only for measuring."""

    def __init__(self, endpoint: str) -> None:
        self._client = boto3.client("dynamodb", endpoint_url=endpoint)
        self._keys: dict[str, list[str]] = {}

    def before(self, request: Item) -> list[Item | None]:
        """The items of a TransactWriteItems as they are now, in its order."""
        return [self._read(*part) for part in self._parts(request)]

    def units(self, request: Item, before: list[Item | None]) -> float:
        """The units of that request, called after it was made."""
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
        """The table and key of each part."""
        found = []
        for part in request["TransactItems"]:
            (wanted,) = (part[kind] for kind in KINDS if kind in part)
            table = wanted["TableName"]
            key = wanted.get("Key") or {k: wanted["Item"][k] for k in self._key_names(table)}
            found.append((table, key))
        return found

    def _key_names(self, table: str) -> list[str]:
        """The names of a table's keys; the first call for a table also creates its shadow."""
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
