"""
A job that fails on the deployed stage is told of by a topic and by a webhook.

The stack's own rule, topic and policies, with its input transformers, in a stack of their own: the
stage's other tests need neither. The emulator's CloudFormation makes no connection and no API
destination, so EventBridge's API does; it has no e-mail, so a queue listens to the topic; it takes
an address without TLS; and it does not retry: that is left to AWS. What `make verify` does
meanwhile is told of too.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from infra import deploy
from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.usage import finished, job, wait_for

NAME = "notify-e2e"
EMAIL = "team@example.com"


class Hook:
    """A webhook on this machine."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.headers: list[str | None] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.bodies.append(json.loads(body))
                hook.headers.append(self.headers["X-Jobyard-Stage"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The test reads the bodies."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Told:
    """Where the stack tells people: its topic, the operator's, and the webhook."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.hook = Hook()
        self.sns: Any = boto3.client("sns")
        self.sqs: Any = boto3.client("sqs")
        self.events: Any = boto3.client("events")
        self.own = self.sns.create_topic(Name=f"{NAME}-own")["TopicArn"]
        self.queues = {name: self._queue(name) for name in ("own", "email")}
        self.lines: dict[str, list[str]] = {name: [] for name in self.queues}
        self._make_stack(self._make_destination())
        (self.topic,) = (
            topic["TopicArn"]
            for topic in self.sns.list_topics()["Topics"]
            if topic["TopicArn"].endswith(f":jobyard-{stage.name}-notify")
        )
        for name, topic in (("own", self.own), ("email", self.topic)):
            self._listen(name, topic)

    def _listen(self, name: str, topic: str) -> None:
        """Subscribe a queue to a topic, and let the topic send to it."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self._arn(name),
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.queues[name], Attributes={"Policy": policy})
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self._arn(name))

    def _queue(self, name: str) -> str:
        return str(self.sqs.create_queue(QueueName=f"{NAME}-{name}")["QueueUrl"])

    def _arn(self, name: str) -> str:
        asked = {"QueueUrl": self.queues[name], "AttributeNames": ["QueueArn"]}
        return str(self.sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"])

    def _resources(self) -> dict[str, Any]:
        template = json.loads(self.stage.made.template.read_text())
        return {
            name: resource
            for name, resource in template["Resources"].items()
            if name.startswith("Notify")
        }

    def _make_destination(self) -> str:
        """The stack's connection and destination, made through EventBridge's API."""
        made = self._resources()
        connection = made["NotifyConnection"]["Properties"]
        key = connection["AuthParameters"]["ApiKeyAuthParameters"]
        arn = self.events.create_connection(
            Name=NAME,
            AuthorizationType=connection["AuthorizationType"],
            AuthParameters={
                "ApiKeyAuthParameters": {
                    "ApiKeyName": key["ApiKeyName"],
                    "ApiKeyValue": self.stage.name,
                }
            },
        )["ConnectionArn"]
        destination = made["NotifyDestination"]["Properties"]
        return str(
            self.events.create_api_destination(
                Name=NAME,
                ConnectionArn=arn,
                InvocationEndpoint=f"http://127.0.0.1:{self.hook.server.server_port}/hook",
                HttpMethod=destination["HttpMethod"],
                InvocationRateLimitPerSecond=destination["InvocationRateLimitPerSecond"],
            )["ApiDestinationArn"]
        )

    def _make_stack(self, destination: str) -> None:
        template = json.loads(self.stage.made.template.read_text())
        resources = self._resources()
        del resources["NotifyConnection"], resources["NotifyDestination"]
        text = json.dumps(resources)
        for name, value in (
            ('{"Fn::GetAtt": ["NotifyDestination", "Arn"]}', json.dumps(destination)),
            ('{"Fn::GetAtt": ["UndeliveredEvents", "Arn"]}', json.dumps(self._arn("own"))),
            ("${RestAPI}", deploy.outputs(self.stage.name)["RestAPIId"]),
        ):
            assert name in text
            text = text.replace(name, value)
        given = {
            "Stage": self.stage.name,
            "EventBus": "default",
            "NotifyEmail": EMAIL,
            "NotifyTopicArn": self.own,
            "NotifyWebhook": "https://hooks.example.com/x",
        }
        wanted = ("HasEventBus", "HasNotify", "Notifies")
        body = {
            "Parameters": {name: template["Parameters"][name] for name in given},
            "Conditions": {
                name: condition
                for name, condition in template["Conditions"].items()
                if name.startswith(wanted)
            },
            "Resources": json.loads(text),
        }
        stacks: Any = boto3.client("cloudformation")
        stacks.create_stack(
            StackName=NAME,
            TemplateBody=json.dumps(body),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
            ],
        )
        waiter = stacks.get_waiter("stack_create_complete")
        waiter.wait(StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def remove(self) -> None:
        stacks: Any = boto3.client("cloudformation")
        stacks.delete_stack(StackName=NAME)
        waiter = stacks.get_waiter("stack_delete_complete")
        waiter.wait(StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.events.delete_api_destination(Name=NAME)
        self.events.delete_connection(Name=NAME)
        self.sns.delete_topic(TopicArn=self.own)
        for url in self.queues.values():
            self.sqs.delete_queue(QueueUrl=url)
        self.hook.server.shutdown()
        self.hook.server.server_close()

    def line(self, name: str, beginning: str) -> str:
        """The line that a topic has sent with that beginning; other jobs are told of too."""

        def look() -> str | None:
            answer = self.sqs.receive_message(QueueUrl=self.queues[name], MaxNumberOfMessages=10)
            self.lines[name] += [
                str(json.loads(json.loads(message["Body"])["Message"]))
                for message in answer.get("Messages", [])
            ]
            return next((line for line in self.lines[name] if line.startswith(beginning)), None)

        return str(wait_for(look, f"{beginning} of the topic {name}"))

    def wait_for_webhook(self, line: str) -> None:
        wait_for(lambda: {"text": line} in self.hook.bodies, f"the webhook's request: {line}")


@pytest.fixture(scope="module")
def told(stage: Stage) -> Iterator[Told]:
    made = Told(stage)
    yield made
    made.remove()


def test_a_job_that_fails_and_recovers_is_told_of_everywhere(stage: Stage, told: Told) -> None:
    """From the end of its container to the topics and the webhook, with a link to the console."""
    broken = job(stage, "broken", "exit 3")
    api = deploy.outputs(stage.name)["RestAPIId"]
    for override, words in ((None, "is failing"), (["true"], "has recovered")):
        body = {"command": override} if override else None
        run = stage.ok("POST", f"jobs/{broken}/runs", body)
        finished(stage, f"jobs/{broken}/runs/{run['id']}")
        beginning = f"broken (acme/etl) {words}: {run['id']} "
        own, email = (told.line(name, beginning) for name in ("own", "email"))
        assert own == email
        assert own.endswith(
            f" https://{api}.execute-api.eu-central-1.amazonaws.com/api/console"
            f"#/acme/etl/jobs/{broken}/runs/{run['id']}"
        )
        told.wait_for_webhook(own)
    assert set(told.hook.headers) == {stage.name}
    stage.ok("DELETE", f"jobs/{broken}")


def test_the_address_is_asked_to_confirm(told: Told) -> None:
    """SNS sends nothing to an address that has not confirmed its subscription."""
    found = told.sns.list_subscriptions_by_topic(TopicArn=told.topic)["Subscriptions"]
    assert ("email", EMAIL) in [(one["Protocol"], one["Endpoint"]) for one in found]


def test_another_stage_s_notifications_are_not_told(told: Told) -> None:
    """Two stages may use one bus."""
    details = [
        {"stage": name, "text": f"of {name}", "console_path": "#/"}
        for name in ("other", told.stage.name)
    ]
    told.events.put_events(
        Entries=[
            {
                "Source": "jobyard",
                "DetailType": "Jobyard Notification",
                "Detail": json.dumps(detail),
            }
            for detail in details
        ]
    )
    told.wait_for_webhook(told.line("own", f"of {told.stage.name} "))
    assert not any(body["text"].startswith("of other") for body in told.hook.bodies)
