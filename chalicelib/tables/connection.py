"""
PynamoDB's connection over a client of ours. The only module that overrides private parts of
PynamoDB and botocore.
- The client is the system's own, since PynamoDB's ignores our deadline and is not created under a
  lock (botocore does not create clients thread-safely).
- `_get_schema` describes a model's keys and indexes. PynamoDB derives it from a model only if the
  model connects by itself; ours do not, so that two systems can use them in one process.
- `_ItemParser` leaves out botocore's check of each value against all ten types. That took a third
  of the time of a page of twenty runs (docs/benchmarks.md).
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

from botocore.parsers import JSONParser, ResponseParserFactory
from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable
from pynamodb.models import Model

from chalicelib.cloud import aws


class OwnConnection(Connection):
    """PynamoDB's requests, sent by the system's DynamoDB client."""

    def __init__(self, region: str, clients: aws.Clients) -> None:
        super().__init__(region=region)
        self._clients = clients

    @property
    def client(self) -> Any:
        return self._clients.made_once("dynamodb", self._make_client)

    def _make_client(self, service: str) -> Any:
        session = self._clients.session()
        session.register_component("response_parser_factory", _ParserFactory())
        return session.create_client(
            service, self.region, config=aws.config(self._clients.attempts, validates=False)
        )

    def add_table(self, name: str, model: type[Model]) -> None:
        """Tell the connection about the table `name`, with the keys and indexes of `model`."""
        schema = model._get_schema()
        described: dict[str, Any] = {
            "TableName": name,
            "KeySchema": schema["key_schema"],
            "AttributeDefinitions": schema["attribute_definitions"],
        }
        for kind in ("Global", "Local"):
            described[f"{kind}SecondaryIndexes"] = [
                {"IndexName": index["index_name"], "KeySchema": index["key_schema"]}
                for index in schema[f"{kind.lower()}_secondary_indexes"]  # type: ignore[literal-required]  # one of two
            ]
        self.add_meta_table(MetaTable(described))


class _ParserFactory(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        return _ItemParser() if protocol_name == "json" else super().create_parser(protocol_name)


class _ItemParser(JSONParser):
    """Reads items as botocore does, without asking each value for all kinds."""

    def _handle_structure(self, shape: Any, value: Any) -> Any:
        if shape.name == "AttributeValue" and (read := _read(value)) is not None:
            return read
        return super()._handle_structure(shape, value)  # type: ignore[misc]  # stubs leave it out

    def _handle_map(self, shape: Any, value: Any) -> Any:
        if shape.value.name == "AttributeValue":
            read = {name: _read(one) for name, one in value.items()}
            if None not in read.values():
                return read
        return super()._handle_map(shape, value)  # type: ignore[misc]  # stubs leave it out


def _read(value: dict[str, Any]) -> dict[str, Any] | None:
    """A value as botocore reads it; None: of a kind that is left to botocore."""
    if "S" in value or "N" in value or "BOOL" in value:
        return value
    if "B" in value:
        return {"B": a2b_base64(value["B"])}
    if "L" in value:
        read = [_read(one) for one in value["L"]]
        return None if None in read else {"L": read}
    return None
