"""`make up NOTIFY=…` delivers what people are told of jobs to a webhook of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.local import notifier
from infra.local.notifier import Notifier, matches, webhook
from tests.local.local_yard import wait_for
from tests.local.started import PATIENCE, Client, Started

TOLD = {
    "source": "jobyard",
    "detail-type": "Jobyard Notification",
    "detail": {"stage": "local", "text": "a is failing.", "console_path": "#/local/p/jobs/job_1"},
}
BODY = {"text": "a is failing. http://127.0.0.1:8000/console#/local/p/jobs/job_1"}


class Hook:
    """A webhook that answers with these statuses, and then with 200."""

    def __init__(self, *answers: int) -> None:
        self.bodies: list[Any] = []
        waiting = list(answers)
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.bodies.append(json.loads(body))
                self.send_response(waiting.pop(0) if waiting else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The tests read the bodies."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "PAUSES", (0.01,))


@pytest.fixture
def hooks() -> Iterator[list[Hook]]:
    made: list[Hook] = []
    yield made
    for hook in made:
        hook.close()


def told(hooks: list[Hook], *answers: int) -> Hook:
    """One notification, delivered to a hook with those answers until no more is tried."""
    hooks.append(Hook(*answers))
    sender = Notifier(hooks[-1].address, "http://127.0.0.1:8000", "local")
    sender.take(TOLD)
    wait_for(lambda: sender.is_idle, "the end of the tries", PATIENCE)
    sender.close()
    return hooks[-1]


def test_the_body_is_what_the_deployed_rule_sends(hooks: list[Hook]) -> None:
    """A text with a link to this stack's console, and nothing else."""
    assert told(hooks).bodies == [BODY]


def test_a_webhook_that_fails_is_tried_again(
    hooks: list[Hook], caplog: pytest.LogCaptureFixture
) -> None:
    """Until it answers with a success; the terminal says what was not told yet."""
    assert told(hooks, 500, 429).bodies == [BODY] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "a is failing." in caplog.text


@pytest.mark.parametrize("status", [302, 400, 404])
def test_an_answer_that_no_repetition_changes_is_said_and_given_up(
    hooks: list[Hook], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """As EventBridge does; a redirection is not followed, since it may leave this machine."""
    assert told(hooks, status).bodies == [BODY]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_webhook_that_does_not_listen_is_said_and_tried_again(
    hooks: list[Hook], caplog: pytest.LogCaptureFixture
) -> None:
    """Closing the stack ends the tries, and says what was not told."""
    hook = Hook()
    hook.close()
    sender = Notifier(hook.address, "http://127.0.0.1:8000", "local")
    sender.take(TOLD)
    wait_for(lambda: len(caplog.records) > 2, "some tries", PATIENCE)
    sender.close()
    assert caplog.records[-1].levelname == "ERROR"


@pytest.mark.parametrize(
    ("changes", "is_sent"),
    [
        ({}, True),
        ({"detail-type": "Run State Change"}, False),
        ({"source": "aws.ecs"}, False),
        ({"detail": {"stage": "other"}}, False),
        ({"detail": {}}, False),
    ],
)
def test_the_rule_s_pattern_decides_what_is_sent(changes: dict[str, Any], is_sent: bool) -> None:
    """Only notifications, and only of this stage."""
    pattern = {
        "source": ["jobyard"],
        "detail-type": ["Jobyard Notification"],
        "detail": {"stage": ["local"]},
    }
    assert matches(pattern, {**TOLD, **changes}) == is_sent


@pytest.mark.parametrize("address", ["https://127.0.0.1/", "http://hooks.example.com/", "x", ""])
def test_an_address_elsewhere_is_refused(address: str) -> None:
    """The local stack sends nothing to other machines."""
    with pytest.raises(ValueError, match="on this machine"):
        webhook(address)


def test_a_failing_job_of_a_local_stack_is_told_of(tmp_path: Path, hooks: list[Hook]) -> None:
    """From `make up` with a webhook to its body; the first delivery fails, and is said."""
    hooks.append(Hook(500))
    options = ("--port", "0", "--engine", "process", "--notify", hooks[0].address)
    stack = Started(tmp_path, *options).until_up()
    try:
        client = Client(tmp_path)
        run = client.finish(client.job("sh", "-c", "exit 4", name="broken"))
        wait_for(lambda: len(hooks[0].bodies) > 1, "the second delivery", PATIENCE)
        url = f"{client.env['JOBYARD_URL']}/console#/local/p/jobs/{run['job_id']}/runs/{run['id']}"
        first, second = (body["text"] for body in hooks[0].bodies)
        assert first == second
        assert first.startswith(f"broken (local/p) is failing: {run['id']} failed at ")
        assert "with exit code 4, nonzero_exit" in first and first.endswith(url)
        assert "Not told yet, trying again" in stack.err
    finally:
        stack.end()
