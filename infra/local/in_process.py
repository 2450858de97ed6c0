"""
Answers AWS calls of this process without a socket: moto is in the same process.

A request to moto's server costs several times what moto needs to answer it. botocore asks its
`before-send` handlers for an answer before it opens a connection, and this one gives moto's. The
clients build, sign and parse as ever. Other processes (the AWS CLI, tasks) use the server.

    InProcess("http://127.0.0.1:4566").install()  # before the sessions are made
"""

from __future__ import annotations

import logging
import re
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.handlers import BUILTIN_HANDLERS
from moto.core.botocore_stubber import BotocoreStubber

from infra.local.fidelity.direct import text

SERVICES = frozenset(
    ("dynamodb", "ecs", "events", "logs", "monitoring", "secretsmanager", "ssm"),
)
"""By their signing names. Each has one host name; calls of other services go to the server."""
SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
"""Region and service in the Authorization header of a signed request."""

log = logging.getLogger(__name__)


class InProcess:
    """Answers what is sent to `url`, from `install` until `uninstall`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._moto = BotocoreStubber()

    def install(self) -> None:
        """For every session of botocore and boto3 that is made from now on."""
        BUILTIN_HANDLERS.append(("before-send", self.answer))

    def uninstall(self) -> None:
        """Sessions made before keep the handler, which sends their calls to the server again."""
        BUILTIN_HANDLERS.remove(("before-send", self.answer))
        self._url = ""

    def answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """moto's answer; None for a request that has to go to the server."""
        if not self._url or not request.url.startswith(self._url):
            return None
        scope = SCOPE.search(text(request.headers.get("Authorization", "")))
        if scope is None or scope[2] not in SERVICES:
            return None
        status, headers, body = self._call(request, f"https://{scope[2]}.{scope[1]}.amazonaws.com")
        data = body.encode() if isinstance(body, str) else body
        return AWSResponse(request.url, status, headers, _Raw(data))

    def _call(self, request: AWSPreparedRequest, host: str) -> tuple[int, Any, Any]:
        """moto finds its backend by the host name that AWS gives the service."""
        url = host + (request.url.removeprefix(self._url) or "/")
        sent = AWSPreparedRequest(request.method, url, request.headers, request.body, False)
        try:
            answer = self._moto.process_request(sent)
        except Exception:
            # As the server answers: botocore tries again, and reports an InternalFailure.
            log.exception("moto failed to answer %s", request.headers.get("X-Amz-Target"))
            return 500, {}, b""
        return answer or (404, {}, b"")


class _Raw(BytesIO):
    """A body as urllib3 gives it to botocore."""

    def stream(self, **_: Any) -> Any:
        yield self.read()
