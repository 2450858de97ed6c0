"""The operator's event bus, on which terminal runs are announced."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib import views
from chalicelib.cloud import aws
from chalicelib.errors import Unavailable
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from chalicelib.tables.records import Run

SOURCE = "jobyard"
DETAIL_TYPE = "Run State Change"


class Bus:
    """PutEvents on the bus that the stage names."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def _client(self) -> Any:
        return aws.client("events")

    def put(self, run: Run, now: datetime) -> None:
        """
        Put a run's terminal state on the bus; Unavailable where the bus did not take it.

        A bus that is gone, or may not be written, is the operator's to mend: it is told by the
        log and by the alarm on it, and the event waits.
        """
        workspace_id, project_id = run.project.split("#", 1)
        detail = {"workspace_id": workspace_id, "project_id": project_id, **views.run(run)}
        entry = {
            "EventBusName": self._settings.event_bus,
            "Source": SOURCE,
            "DetailType": DETAIL_TYPE,
            "Time": now,
            "Resources": [run.task_arn] if run.task_arn else [],
            "Detail": json.dumps(detail),
        }
        try:
            with aws.translated("announce the run"):
                answer = self._client.put_events(Entries=[entry])
        except ClientError as error:
            raise Unavailable(f"The event bus refused: {aws.error_code(error)}.") from error
        if answer["FailedEntryCount"]:
            raise Unavailable(f"The event bus refused: {answer['Entries'][0].get('ErrorCode')}.")
