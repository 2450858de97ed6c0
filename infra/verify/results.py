"""How a verification went, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """How a step went: `ok`, `wrong`, `skipped` or `cut off`."""

    step: str
    outcome: str
    seconds: float
    said: str


@dataclass
class Verified:
    """How a verification went."""

    results: list[Result] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    cost: str = ""

    @property
    def is_right(self) -> bool:
        """Whether each step is ok or was skipped on purpose, and nothing is left."""
        return not self.left and all(one.outcome in ("ok", "skipped") for one in self.results)
