"""One resource of one stack, which uses the function behind it as CloudFormation does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import app
from tests.stacks.events import stack_event
from tests.stacks.response_server import ResponseServer
from tests.yard import Context, Yard


class Stack:
    """CloudFormation, as far as it handles one resource of one stack."""

    def __init__(self, yard: Yard, server: ResponseServer) -> None:
        self.yard = yard
        self.server = server
        self.asked = 0
        yard.set_up(replace(yard.system.settings, aws_endpoint=server.url))

    def event(self, kind: str, **more: Any) -> dict[str, Any]:
        self.asked += 1
        return stack_event(kind, request_id=f"r{self.asked}", url=self.server.url, **more)

    def send(self, event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """Send the event to the function, and return the answer at the response URL."""
        app.job_resource(event, context or Context())
        assert len(self.server.bodies[-1]) <= 4096
        return self.server.last

    def ask(self, kind: str, **more: Any) -> dict[str, Any]:
        return self.send(self.event(kind, **more))

    def create(self, **properties: Any) -> str:
        """Create the job and return its id."""
        answer = self.ask("Create", properties=properties)
        assert answer["Status"] == "SUCCESS", answer
        return str(answer["PhysicalResourceId"])

    def jobs(self) -> dict[str, str]:
        """The name of every job, by its id."""
        found = self.yard.call("GET", "/jobs").data["jobs"]
        return {job["id"]: job["name"] for job in found}
