"""Who asks for something: the holder of a token, or someone who acts without one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who triggers a run or changes a job or a token."""

    token_id: str | None
    """None: a stack, or the stage's operator, which have no token."""
    name: str
    """The token's name; else what the actor is called."""

    def as_trigger(self) -> dict[str, str | None]:
        """A run's `triggered_by`."""
        return {"kind": "token", "id": self.token_id, "name": self.name}


SCHEDULE = {"kind": "schedule"}
"""`triggered_by` of a slot's run."""
