"""One resource of one stack, as CloudFormation uses the function behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import app
from tests.stacks.events import stack_event
from tests.stacks.response_server import ResponseServer
from tests.yard import Context, Yard


class Stack:
    """CloudFormation, as far as one resource of one stack is concerned."""

    def __init__(self, yard: Yard, server: ResponseServer) -> None:
        self.yard = yard
        self.server = server
        self.asked = 0
        yard.set_up(replace(yard.system.settings, aws_endpoint=server.url))

    def event(self, kind: str, **more: Any) -> dict[str, Any]:
        self.asked += 1
        return stack_event(kind, request_id=f"r{self.asked}", url=self.server.url, **more)

    def send(self, event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """The answer that came to the response URL."""
        app.job_resource(event, context or Context())
        assert len(self.server.bodies[-1]) <= 4096
        return self.server.last

    def ask(self, kind: str, **more: Any) -> dict[str, Any]:
        return self.send(self.event(kind, **more))

    def create(self, **properties: Any) -> str:
        """The job's id."""
        answer = self.ask("Create", properties=properties)
        assert answer["Status"] == "SUCCESS", answer
        return str(answer["PhysicalResourceId"])

    def jobs(self) -> dict[str, str]:
        """Id to name of all jobs that there are."""
        found = self.yard.call("GET", "/jobs").data["jobs"]
        return {job["id"]: job["name"] for job in found}
