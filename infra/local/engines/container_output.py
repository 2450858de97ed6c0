"""
A container's output to a file: from the attached stream, and after an outage from the log.

What is attached ends with the engine's process, but the container goes on, and the engine's log
driver keeps what it writes. So both streams are counted, and whatever the log has beyond that
count was missed: nothing is lost and nothing is there twice. The log is read from its beginning
and not followed: with Podman 4.3 `follow` leaves out lines of a container that writes fast.

Both streams go into the one file line by line: the pieces of a stream end anywhere, and those of
the other would come between the halves of a line.

An engine that is told to rotate logs may have dropped lines that were missed.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import requests
from docker.api.client import APIClient
from docker.types.daemon import CancellableStream
from requests.exceptions import ChunkedEncodingError

HEADER = struct.Struct(">BxxxL")
"""Before each piece of output: 1 for stdout or 2 for stderr, and its length (Docker's API)."""
LINE_LIMIT = 1 << 20
"""Bytes of a line that are kept back until its end comes; CloudWatch cuts longer ones anyway."""
READ_SECONDS = 60
"""Until the engine has sent the next piece of its log."""
GONE = 404


class Output:
    """The output of one container. Not thread-safe."""

    def __init__(self, api: APIClient, container_id: str, path: Path) -> None:
        self._api = api
        self._id = container_id
        self._path = path
        self._seen = {1: 0, 2: 0}
        """Bytes of stdout and of stderr that were read."""
        self._rest = {1: b"", 2: b""}
        """Of those, what is not in the file yet: the begun line."""

    def copy(self, stream: CancellableStream) -> None:
        """
        Everything that is attached, as it comes, so that the container never waits for a reader.

        Returns when the container has closed its output, or the connection has ended.
        """
        # The stream's own close leaves the descriptor open; its response's does not.
        with contextlib.closing(stream._response), self._open() as file:
            for pieces in stream:
                for number, piece in enumerate(pieces, start=1):
                    self._append(file, number, piece or b"")

    def catch_up(self) -> None:
        """
        Append what the engine's log has beyond what was read.

        Raises RequestException where the engine does not answer.
        """
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{self._id}/logs"
        response = self._api.get(
            url, params={"stdout": 1, "stderr": 1}, stream=True, timeout=READ_SECONDS
        )
        with contextlib.closing(response), self._open() as file:
            if response.status_code == GONE:
                # Its log went with it.
                return
            response.raise_for_status()
            skip = dict(self._seen)
            for number, piece in _pieces(response):
                known = min(skip[number], len(piece))
                skip[number] -= known
                self._append(file, number, piece[known:])

    def _open(self) -> BinaryIO:
        return cast(BinaryIO, self._path.open("ab", buffering=0))

    def finish(self) -> None:
        """Append last lines that have no end."""
        with self._open() as file:
            file.write(b"\n".join(filter(None, self._rest.values())))

    def _append(self, file: BinaryIO, number: int, piece: bytes) -> None:
        if not piece:
            return
        self._seen[number] += len(piece)
        data = self._rest[number] + piece
        end = data.rfind(b"\n") + 1
        if len(data) - end > LINE_LIMIT:
            end = len(data)
        file.write(data[:end])
        self._rest[number] = data[end:]


def _pieces(response: requests.Response) -> Iterator[tuple[int, bytes]]:
    """Number of the stream and bytes; ChunkedEncodingError where it ends within a piece."""
    data = b""
    for more in response.iter_content(1 << 16):
        data += more
        at = 0
        while len(data) >= at + HEADER.size:
            number, length = HEADER.unpack_from(data, at)
            begin, end = at + HEADER.size, at + HEADER.size + length
            if len(data) < end:
                break
            yield number, data[begin:end]
            at = end
        data = data[at:]
    if data:
        raise ChunkedEncodingError("the log ended within a piece of output")
