"""
Lambda's asynchronous invocation, which moto lacks: it would need the archive, and Docker.

An event is taken with 202 and handed to whoever runs the function here. What happens to it then,
once, twice or never, is that one's to say: Lambda promises no more (Lambda developer guide, "How
Lambda handles errors and retries with asynchronous invocation").
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.awslambda.models import LambdaBackend

from infra.local.fidelity.overlay import Overlay

Handler = Callable[[dict[str, Any]], object]


class FunctionsFidelity(Overlay):
    """Installed over moto's Lambda; `handlers` by the function's name."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: dict[str, Handler] = {}

    @classmethod
    def install(cls) -> FunctionsFidelity:
        """Take events for `handlers` from now on; replaces an earlier one."""
        cls._take_off()
        fidelity = cls()
        original = LambdaBackend.invoke

        def invoke(backend: Any, name: str, *rest: Any) -> Any:
            return fidelity._invoke(original, backend, name, *rest)

        fidelity._replace(LambdaBackend, "invoke", invoke)
        return fidelity

    def _invoke(
        self, original: Callable[..., Any], backend: Any, name: str, *rest: Any
    ) -> str | bytes | None:
        _, body, headers, _ = rest
        handler = self.handlers.get(name.rpartition(":")[2])
        if handler is None or headers.get("X-Amz-Invocation-Type") != "Event":
            answer: str | bytes | None = original(backend, name, *rest)
            return answer
        handler(json.loads(body))
        return ""
