"""
Tokens and roles: who is calling, and what they may do.

A token is `jyd_`, 256 random bits and a CRC-32, in hex: secret scanners can find it, and a typing
error or garbage is refused without a read of the table. The CRC protects nothing. Each well-formed
unknown token costs one read, a fraction of the function call that carries it; the gateway's
throttling limits both.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib import log
from chalicelib.domain.actor import Actor
from chalicelib.domain.change import Change
from chalicelib.domain.errors import Unauthenticated, Unavailable
from chalicelib.tables.records import Token
from chalicelib.tables.tokens import TokensTable

OPERATOR = Actor(None, "operator")
"""Whoever has AWS credentials for the stage's tables: no token makes or revokes another."""
ROLES = ("read", "run", "write")
"""Each may do what those before it may."""
CACHE_LIFE = timedelta(seconds=30)
"""How long a revoked token may go on working in a warm function."""
_LISTED_AFTER_EXPIRY = timedelta(days=30)
_SCHEME = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_FORM = re.compile(r"(jyd_[0-9a-f]{64})([0-9a-f]{8})", re.ASCII)


@dataclass(slots=True)
class Tokens:
    """Finds out who is calling, and makes tokens for the operator."""

    tokens_table: TokensTable
    cache_size: int = 1_000
    _cache: dict[str, tuple[datetime, Token]] = field(default_factory=dict, init=False)

    def authenticate(self, header: str | None, now: datetime) -> Caller:
        """
        Who sent this Authorization header; Unauthenticated if it has no valid token.

        1. Refuse what does not have a token's form, without a call.
        2. Look it up by its hash, at most every 30 s in a warm function.
        3. On the first use of a day, note the day; failing to is no reason to refuse.
        """
        digest = _digest(header)
        token = self._lookup(digest, now)
        if token is None or token.is_expired(now):
            raise Unauthenticated("The token is unknown, expired or revoked: ask for a new one.")
        projects = None if token.projects is None else frozenset(token.projects)
        return Caller(token.token_id, token.workspace_id, projects, token.role, token.name)

    def _lookup(self, digest: str, now: datetime) -> Token | None:
        read_at, token = self._cache.get(digest, (None, None))
        if read_at is not None and timedelta(0) <= now - read_at < CACHE_LIFE:
            return token
        token = self.tokens_table.find(digest)
        if token is None:
            self._cache.pop(digest, None)
            return None
        if len(self._cache) >= self.cache_size:
            self._cache.clear()
        self._cache[digest] = (now, token)
        self._note_use(token, now)
        return token

    def _note_use(self, token: Token, now: datetime) -> None:
        today = now.date().isoformat()
        if token.is_expired(now) or (token.last_used or "") >= today:
            return
        try:
            self.tokens_table.touch(token, today)
        except Unavailable as error:
            log.warning("could not note a token's use", token=token.token_id, reason=error.message)

    def forget(self) -> None:
        """Drop what is cached, as a cold function starts."""
        self._cache.clear()

    def create(
        self,
        workspace_id: str,
        role: str,
        *,
        projects: Sequence[str] | None,
        name: str,
        life: timedelta | None,
        now: datetime,
        by: Actor = OPERATOR,
    ) -> tuple[str, Token]:
        """
        A new token: its text, which cannot be read again later, and its stored record. `projects`
        None: all of the workspace; `life` None: until it is revoked. A token is only valid once its
        record is stored, so a crash leaves nothing to clear up.
        """
        text = _new_text()
        expires_at = now + life if life is not None else None
        token = Token(
            digest_of(text),
            workspace_id=workspace_id,
            role=role,
            projects=None if projects is None else sorted(projects),
            name=name,
            created_at=now,
            expires_at=expires_at,
            expires=expires_at and expires_at + _LISTED_AFTER_EXPIRY,
        )
        limits = {"projects": projects, "expires_at": expires_at}
        given = ["name", "role", *(field for field, value in limits.items() if value is not None)]
        self.tokens_table.put(
            token, Change(by, "create_token", token.token_id, name, now, fields=given)
        )
        return text, token

    def every(self) -> Iterator[Token]:
        """All tokens of the stage, in no order."""
        return self.tokens_table.every()

    def revoke(self, token: Token, now: datetime, by: Actor = OPERATOR) -> None:
        """Take a token back; it may go on working for CACHE_LIFE in a warm function."""
        self.tokens_table.delete(token, Change(by, "revoke_token", token.token_id, token.name, now))


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is and what it allows."""

    token_id: str
    workspace_id: str
    projects: frozenset[str] | None
    """None: every project of the workspace."""
    role: str
    token_name: str

    @property
    def actor(self) -> Actor:
        return Actor(self.token_id, self.token_name)

    def may(self, workspace_id: str, project_id: str, role: str) -> bool:
        """Whether this token allows what `role` may do, in that project."""
        return (
            workspace_id == self.workspace_id
            and (self.projects is None or project_id in self.projects)
            and ROLES.index(self.role) >= ROLES.index(role)
        )


def _digest(header: str | None) -> str:
    sent = _SCHEME.fullmatch(header.strip()) if header else None
    if sent is None:
        raise Unauthenticated("A token is required: send Authorization: Bearer jyd_….")
    form = _FORM.fullmatch(sent[1])
    if form is None or _checksum(form[1]) != form[2]:
        raise Unauthenticated("The token is malformed: send all of it, from jyd_ to its end.")
    return digest_of(sent[1])


def _new_text() -> str:
    body = f"jyd_{secrets.token_hex(32)}"
    return body + _checksum(body)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def digest_of(text: str) -> str:
    """The SHA-256 that is stored instead of a token. Its 256 random bits need no slow hash and no
    salt."""
    return hashlib.sha256(text.encode()).hexdigest()
