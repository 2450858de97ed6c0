"""The tokens table: who may do what, under the SHA-256 of each token, never the token itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import (
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.connection import Connection
from pynamodb.models import Model

from chalicelib.settings import settings
from chalicelib.tables import db


class Token(Model):
    """`pk` = SHA-256 of the token, in hex: knowing the table opens nothing."""

    class Meta:
        table_name = ""  # set by bind() at first use

    pk = UnicodeAttribute(hash_key=True)
    workspace_id = UnicodeAttribute()
    projects = JSONAttribute(null=True)
    """A list of project ids; absent: all of the workspace's."""
    role = UnicodeAttribute()
    name = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    expires_at = UTCDateTimeAttribute(null=True)
    last_used = UnicodeAttribute(null=True)
    """The UTC date of its last use, in ISO 8601."""
    expires = NumberAttribute(null=True)
    """When TTL may remove it, in epoch seconds: a while after its expiry, so that it is listed."""

    @property
    def token_id(self) -> str:
        """Names the token to its operator and in logs; nothing can be made of it."""
        return self.pk[:12]

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def bind(table: str, connection: Connection) -> None:
    """Use this table; a request binds the one in the settings by itself."""
    db.bind(Token, table, connection)


def connect() -> str:
    """The name of the settings' table, bound at first use."""
    table = settings().tokens_table
    if Token.Meta.table_name != table:
        bind(table, db.connect())
    return table


def find(digest: str) -> Token | None:
    """The token of that SHA-256, read consistently: a revoked one is gone at once."""
    request = {"TableName": connect(), "Key": {"pk": {"S": digest}}, "ConsistentRead": True}
    item: dict[str, Any] | None = db.call("GetItem", request).get("Item")
    return Token.from_raw_data(item) if item else None


def touch(token: Token, day: str) -> bool:
    """
    Remember that `token` was used on `day`.

    False: somebody else did, or it was revoked meanwhile, and nothing was changed.
    """
    connect()
    unused = Token.last_used.does_not_exist() | (Token.last_used < day)
    return db.update(token, [Token.last_used.set(day)], Token.pk.exists() & unused)


def put(token: Token) -> None:
    """Store a new token."""
    stored = db.create(token)
    assert stored, "two tokens of 256 random bits have the same hash"


def every() -> Iterator[Token]:
    """All tokens of the stage, in no order; for its operator."""
    return db.scan(Token)


def delete(token: Token) -> None:
    """Take a token back; one that is gone already is fine."""
    db.delete(token)
