"""The URL that CloudFormation waits at for the answer of a custom resource."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from chalicelib.clock import Clock
from chalicelib.domain.errors import BadRequest, Unavailable
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

SECONDS = 25.0
"""For an answer to get out, repetitions included."""
_TIMEOUT = 5.0
_HOST = re.compile(
    r"cloudformation-custom-resource-response-[a-z0-9]+\.s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?"
)
"""
CloudFormation's own buckets, one in each region ("Setting up VPC endpoints for CloudFormation",
CloudFormation user guide).
"""


@dataclass(slots=True)
class ResponseUrl:
    """Sends answers to CloudFormation, and to nobody else."""

    settings: Settings
    clock: Clock

    def check(self, url: str) -> None:
        """
        Raises BadRequest for a URL that is not CloudFormation's.

        Whoever may invoke the function chooses the URL. Without this check the function would send
        a request to any address that it can reach, and its neighbours in Lambda are among them.
        Where the SDKs' own setting AWS_ENDPOINT_URL says that AWS is elsewhere, CloudFormation is
        there too.
        """
        parts = urlsplit(url)
        elsewhere = self.settings.aws_endpoint
        if elsewhere is not None and _origin(parts) == _origin(urlsplit(elsewhere)):
            return
        if parts.scheme != "https" or not _HOST.fullmatch(parts.netloc):
            raise BadRequest("The ResponseURL is not one of CloudFormation's: nothing is sent.")

    def put(self, url: str, body: bytes) -> None:
        """
        Send an answer, again and again until it is taken or SECONDS have passed.

        Raises BadRequest where it is refused: the URL has expired, and nobody waits any more.
        Raises Unavailable where it got no answer.
        """
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request

        self.check(url)
        # a presigned URL is signed for an empty Content-Type; urllib would add one of its own
        headers = {"Content-Type": ""}
        request = Request(url, data=body, method="PUT", headers=headers)
        with self.clock.deadline(SECONDS):
            for _ in self.clock.tries(None, first=0.5, longest=4.0, spare=_TIMEOUT):
                try:
                    with _opener().open(request, timeout=_TIMEOUT):
                        return
                except HTTPError as error:
                    if error.code < 500:
                        raise BadRequest(
                            f"CloudFormation refused the answer with {error.code}."
                        ) from error
                except (OSError, HTTPException):
                    continue  # refused, reset, timed out or cut off: it may pass
        raise Unavailable("CloudFormation did not take the answer.")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _opener() -> OpenerDirector:
    """Without a proxy of the environment, and without redirects: each could lead elsewhere."""
    from urllib import request

    opener = request.OpenerDirector()
    opener.add_handler(request.HTTPHandler())
    opener.add_handler(request.HTTPSHandler())
    opener.add_handler(request.HTTPDefaultErrorHandler())
    opener.add_handler(request.HTTPErrorProcessor())
    return opener
