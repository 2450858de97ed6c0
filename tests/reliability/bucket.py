"""How AWS throttles: a token bucket."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Bucket:
    """So many calls at once, then so many a second."""

    rate: float
    burst: float
    at: float = 0.0
    """In the seconds that `takes` is told: when it was asked last."""
    tokens: float = field(init=False)
    refused: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def takes(self, now: float) -> bool:
        """Whether a call at that time passes."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        return True
