"""The operator's event bus, on which terminal runs are announced and people are told of jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.cloud import aws
from chalicelib.domain.errors import Unavailable
from chalicelib.settings import Settings

SOURCE = "jobyard"
RUN_STATE_CHANGE = "Run State Change"
NOTIFICATION = "Jobyard Notification"


@dataclass(slots=True)
class Bus:
    """PutEvents on the bus that the stage names."""

    settings: Settings
    clients: aws.Clients

    @property
    def _client(self) -> Any:
        return self.clients.get("events")

    def put(
        self, details: Mapping[str, Mapping[str, Any]], task_arn: str | None, now: datetime
    ) -> None:
        """
        Put events of a run on the bus, each detail under its type; Unavailable if the bus did not
        accept them all. PutEvents takes ten at once.

        Only the operator can repair a bus that was deleted or that Jobyard may not write to: the
        log and an alarm say so, and the event waits.
        """
        entries = [
            {
                "EventBusName": self.settings.event_bus,
                "Source": SOURCE,
                "DetailType": detail_type,
                "Time": now,
                "Resources": [task_arn] if task_arn else [],
                "Detail": json.dumps(detail),
            }
            for detail_type, detail in details.items()
        ]
        try:
            with aws.translated("announce the run"):
                answer = self._client.put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                failed = next(one for one in answer["Entries"] if "ErrorCode" in one)
                code, message = failed.get("ErrorCode", ""), failed.get("ErrorMessage", "")
                raise ClientError({"Error": {"Code": code, "Message": message}}, "PutEvents")
        except ClientError as error:
            raise Unavailable(f"The event bus refused: {aws.error_code(error)}.") from error
