"""
A task's output to CloudWatch Logs, as the awslogs driver does it, but without its limits.

The output goes into a file first, so that a task never waits for CloudWatch and nothing is
dropped, however much it writes; from there whole lines are shipped as they come.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.local.engines import StartError
from infra.local.task_spec import LogTarget

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

BATCH_EVENTS = 10_000
BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
EVENT_BYTES = BATCH_BYTES - EVENT_OVERHEAD
"""PutLogEvents: 10,000 events and 1 MiB a batch, where each event counts 26 bytes more."""
READ_BYTES = 4 * 1024 * 1024

log = logging.getLogger(__name__)


class Shipper:
    """One task's lines, from its output file to its log stream. Not thread-safe."""

    def __init__(self, client: CloudWatchLogsClient, target: LogTarget, output: Path) -> None:
        self._client = client
        self._target = target
        self._file = output.open("rb")
        self._rest = b""
        self._last_timestamp = 0
        self._is_open = True

    def create_stream(self) -> None:
        """As the driver does before the container starts; StartError if there is no group."""
        names = {"logGroupName": self._target.group, "logStreamName": self._target.stream}
        if self._target.create_group:
            try:
                self._client.create_log_group(logGroupName=self._target.group)
            except self._client.exceptions.ResourceAlreadyExistsException:
                log.debug("%s is there already", self._target.group)
        try:
            self._client.create_log_stream(**names)
        except ClientError as error:
            raise StartError(
                "ResourceInitializationError: failed to validate logger args: create stream "
                f"has been retried 1 times: failed to create Cloudwatch log stream: {error}"
            ) from error

    def pump(self) -> bool:
        """Ship whole lines, up to 4 MiB of them; whether there may be more."""
        data = self._file.read(READ_BYTES)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        while len(self._rest) > EVENT_BYTES:
            piece, self._rest = _cut(self._rest)
            lines.append(piece)
        self._ship(lines)
        return len(data) == READ_BYTES

    def close(self) -> None:
        """Close the file; what is not shipped goes with it."""
        self._file.close()

    def finish(self) -> None:
        """Ship the rest, a last line without its end too."""
        while self.pump():
            continue
        self._ship([self._rest])
        self._rest = b""

    def _ship(self, lines: list[bytes]) -> None:
        # The clock may be set back; a stream's lines must not go back in time.
        self._last_timestamp = max(self._last_timestamp, time.time_ns() // 1_000_000)
        for batch in batches(lines, self._last_timestamp):
            if not self._is_open:
                return
            try:
                self._client.put_log_events(
                    logGroupName=self._target.group,
                    logStreamName=self._target.stream,
                    logEvents=batch,
                )
            except self._client.exceptions.ResourceNotFoundException:
                # The job was deleted under its task: nobody can ask for these lines any more.
                log.info("%s is gone, its output with it", self._target.group)
                self._is_open = False


def batches(lines: list[bytes], timestamp: int) -> Iterator[list[InputLogEventTypeDef]]:
    """
    `lines` as batches that PutLogEvents takes, all with that time (ms since the epoch).

    Lines over the event limit become several events; invalid UTF-8 is replaced; empty lines
    are left out, because an event cannot be empty (so does the awslogs driver).
    """
    batch: list[InputLogEventTypeDef] = []
    size = 0
    for line in lines:
        for message in messages(line):
            cost = len(message.encode()) + EVENT_OVERHEAD
            if batch and (size + cost > BATCH_BYTES or len(batch) == BATCH_EVENTS):
                yield batch
                batch, size = [], 0
            batch.append({"timestamp": timestamp, "message": message})
            size += cost
    if batch:
        yield batch


def messages(line: bytes) -> Iterator[str]:
    """The line as text, in pieces of at most EVENT_BYTES bytes of UTF-8."""
    # Replacing an invalid byte makes three of it, so the pieces are measured afterwards.
    data = line.decode("utf-8", "replace").encode()
    while data:
        piece, data = _cut(data)
        yield piece.decode()


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """At most EVENT_BYTES bytes, not cut within a character of valid UTF-8, and the rest."""
    if len(data) <= EVENT_BYTES:
        return data, b""
    at = EVENT_BYTES
    while at > EVENT_BYTES - 4 and data[at] & 0xC0 == 0x80:
        at -= 1
    return data[:at], data[at:]
