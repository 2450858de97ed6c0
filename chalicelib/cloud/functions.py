"""Jobyard's own functions, called by another one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.cloud import aws
from chalicelib.settings import Settings


@dataclass(slots=True)
class Functions:
    """The call to Lambda that the sweep needs."""

    settings: Settings
    clients: aws.Clients

    def begin_part(self, event: Mapping[str, Any]) -> None:
        """
        Have the function `sweep-part` handle an event by itself, and do not wait for it.

        Lambda answers as soon as it has queued the event (Lambda API reference, Invoke,
        InvocationType Event). It may hand the event over more than once, or drop it ("How Lambda
        handles errors and retries with asynchronous invocation", Lambda developer guide). Raises
        Unavailable where Lambda throttles or does not answer; then it may have queued it.
        """
        with aws.translated("begin a part of the sweep"):
            self.clients.get("lambda").invoke(
                FunctionName=self.settings.sweep_part_function,
                InvocationType="Event",
                Payload=json.dumps(event),
            )
