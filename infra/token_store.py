"""The tokens of a stage, for the commands that make and list them from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pynamodb.exceptions import PynamoDBException

from chalicelib.clock import Clock
from chalicelib.cloud.aws import Clients
from chalicelib.domain.errors import Unavailable
from chalicelib.tables.database import Database
from chalicelib.tables.tokens import TokensTable
from chalicelib.usecases.access import Tokens


def tokens_in(stage: str, region: str) -> Tokens:
    """The tokens of a stage, whose jobs table holds the audit trail."""
    clock = Clock()
    names = {table: f"jobyard-{stage}-{table}" for table in ("jobs", "tokens")}
    database = Database(names, region, Clients(region, clock), clock)
    return Tokens(TokensTable(database))


@contextmanager
def temporary_token(
    stage: str, region: str, workspace: str, *, projects: list[str] | None, name: str
) -> Iterator[str]:
    """A token that may write; it is removed at the end, and expires within the hour in any case."""
    tokens = tokens_in(stage, region)
    text, token = tokens.create(
        workspace,
        "write",
        projects=projects,
        name=name,
        life=timedelta(hours=1),
        now=Clock().now(),
    )
    try:
        yield text
    finally:
        try:
            tokens.revoke(token, Clock().now())
        except (PynamoDBException, Unavailable) as error:
            print(f"The token {token.token_id} could not be removed ({error}); it expires in 1 h.")
