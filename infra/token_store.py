"""The tokens of a stage, for the commands that make and list them from outside."""

from __future__ import annotations

from chalicelib.clock import Clock
from chalicelib.cloud.aws import Clients
from chalicelib.tables.database import Database
from chalicelib.tables.tokens import TokensTable
from chalicelib.usecases.access import Tokens


def tokens_in(table: str, region: str) -> Tokens:
    """The tokens in a table of that name."""
    clock = Clock()
    database = Database({"tokens": table}, region, Clients(region, clock), clock)
    return Tokens(TokensTable(database))
