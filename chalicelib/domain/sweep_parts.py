"""The parts of a sweep that functions of their own do, as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32


@dataclass(frozen=True, slots=True)
class ShardPart:
    """What is due in one shard, or a share of that: share `number` of `of`."""

    shard: int
    number: int = 0
    of: int = 1

    def has(self, record_id: str) -> bool:
        """Whether this share has what belongs to a job or a run."""
        return crc32(record_id.encode()) % self.of == self.number

    def as_event(self) -> dict[str, Any]:
        return {"part": "shard", "shard": self.shard, "number": self.number, "of": self.of}


LAUNCHES = {"part": "launches"}
"""The event of the part that launches what waits, of all shards."""


def shard_part(event: Mapping[str, Any]) -> ShardPart | None:
    """The share of a shard that an event stands for; None: it stands for the launches."""
    if event["part"] == LAUNCHES["part"]:
        return None
    return ShardPart(int(event["shard"]), int(event["number"]), int(event["of"]))
