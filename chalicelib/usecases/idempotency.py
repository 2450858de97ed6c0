"""
Idempotency-Keys: a creating request that is repeated with its key answers with what it made. The
record of a key is written in the transaction that creates, so neither exists without the other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from chalicelib.domain.errors import Conflict
from chalicelib.tables.records import Key

if TYPE_CHECKING:
    from pydantic import BaseModel

K = TypeVar("K", bound=Key)

KEY_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Once:
    """The key that a request came with, and the hash of its body."""

    key: str
    body_hash: str

    @property
    def key_id(self) -> str:
        """Sort key of the key's record: hashed, so that no key can look like another record's."""
        return f"key#{hashlib.sha256(self.key.encode()).hexdigest()}"

    def record(self, model: type[K], owner: str, made: str, now: datetime) -> K:
        """What is stored along with what the request makes; `owner` is the project or the job."""
        return model(
            owner, self.key_id, made=made, body_hash=self.body_hash, expires=now + KEY_LIFE
        )

    def made_by(self, found: Key | None, now: datetime) -> str | None:
        """
        The id of what an earlier request with this key made; None: the key is unused, or expired.

        409 `idempotency_key_reused` where that request had another body.
        """
        if found is None or found.expires <= now:
            return None
        if found.body_hash != self.body_hash:
            raise key_reused("it came with another body before")
        return found.made


def body_hash(body: BaseModel) -> str:
    """
    A hash that is equal for two bodies that ask for the same. The order of names does not count,
    nor does a default that is sent explicitly, nor a default that a later version of Jobyard adds.
    """
    asked = body.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def key_reused(why: str) -> Conflict:
    message = f"This Idempotency-Key was used already: {why}. Use a new one."
    return Conflict(message, code="idempotency_key_reused")
