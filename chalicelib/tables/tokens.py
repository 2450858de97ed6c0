"""The tokens table: who may do what, under the SHA-256 of each token, never the token itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.change import Change
from chalicelib.tables.database import Database
from chalicelib.tables.records import AuditEntry, Token
from chalicelib.tables.trail import entry_about_token
from chalicelib.tables.transaction import Transaction


@dataclass(slots=True)
class TokensTable:
    """Tokens by their hash."""

    database: Database

    def find(self, digest: str) -> Token | None:
        """The token with that SHA-256, read consistently, so that a revoked token is not found."""
        return self.database.get(Token, digest)

    def touch(self, token: Token, day: str) -> bool:
        """
        Record that `token` was used on `day`. False: that was recorded already, or the token was
        revoked meanwhile; nothing was changed.
        """
        unused = Token.last_used.does_not_exist() | (Token.last_used < day)
        return self.database.update(token, [Token.last_used.set(day)], Token.pk.exists() & unused)

    def put(self, token: Token, change: Change) -> None:
        """Store a new token, with an entry in the audit trail."""
        transaction = Transaction(self.database)
        transaction.put("token", token, Token.pk.does_not_exist())
        transaction.put("entry", _entry(token, change), None)
        failed = transaction.commit()
        assert not failed, "two tokens of 256 random bits have the same hash"

    def every(self) -> Iterator[Token]:
        """All tokens of the stage, in no order; for its operator."""
        return self.database.scan(Token)

    def delete(self, token: Token, change: Change) -> None:
        """
        Revoke a token, with an entry in the audit trail; does nothing for one that is gone already.
        """
        transaction = Transaction(self.database)
        transaction.delete("token", token, Token.pk.exists())
        transaction.put("entry", _entry(token, change), None)
        transaction.commit()


def _entry(token: Token, change: Change) -> AuditEntry:
    return entry_about_token(token.workspace_id, token.projects, change)
