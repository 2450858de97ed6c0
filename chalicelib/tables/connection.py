"""PynamoDB's connection, with clients that heed the caller's deadline and read items fast."""

from __future__ import annotations

import threading
from typing import Any

from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.session import Session
from pynamodb.connection import Connection

from chalicelib.cloud import aws

_lock = threading.Lock()


class GuardedConnection(Connection):
    """One client for all threads, configured as every other client is."""

    @property
    def session(self) -> Session:
        session = super().session
        session.set_default_client_config(aws.config())
        session.register_component("response_parser_factory", _ParserFactory())
        return session

    @property
    def client(self) -> Any:
        with _lock:  # botocore does not create clients thread-safely
            built = self._client is None
            client = super().client
            if built:
                aws.guard(client)
            return client


class _ParserFactory(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        return _ItemParser() if protocol_name == "json" else super().create_parser(protocol_name)


class _ItemParser(JSONParser):
    """
    Takes the values of items as they come.

    botocore looks for each of ten kinds in every value, which is a third of the time that a
    list of runs takes; a string, a number or a boolean is in JSON what it would make of it.
    """

    def _handle_structure(self, shape: Any, value: Any) -> Any:
        if shape.name == "AttributeValue" and ("S" in value or "N" in value or "BOOL" in value):
            return value
        return super()._handle_structure(shape, value)  # type: ignore[misc]  # stubs leave it out
