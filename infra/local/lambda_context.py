"""The context object that Lambda hands to a function."""

from __future__ import annotations

import time
import uuid


class Context:
    """One invocation's: its request id, and how long it may still take."""

    function_name = "jobyard-local"
    function_version = "$LATEST"
    memory_limit_in_mb = "512"

    def __init__(self, seconds: float) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._deadline = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))
