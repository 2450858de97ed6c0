"""What the client does if it gets no answer, or one that is not the API's."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from jobyard.client import Client
from jobyard.errors import Refused, Unreachable
from tests.cli.local_stack import Shell
from tests.cli.relay import Relay, Reply, lost, unavailable

SPEC = {"name": "one", "image": "any", "command": ["true"]}


class Told:
    """A client that records its messages, and records pauses instead of waiting."""

    def __init__(self, shell: Shell) -> None:
        self.messages: list[str] = []
        self.pauses: list[float] = []
        self.client = shell.client()
        transport = self.client.transport
        transport.notify = self.messages.append
        transport._sleep = self.pauses.append


@pytest.fixture
def told(relayed: Shell) -> Iterator[Told]:
    made = Told(relayed)
    yield made
    made.client.close()


@pytest.mark.parametrize("fault", [lost, unavailable()])
def test_a_creation_without_an_answer_is_repeated_and_makes_one_job(
    told: Told, relay: Relay, fault: object
) -> None:
    """Every try has the same Idempotency-Key."""
    relay.faults += [fault, fault]  # type: ignore[list-item]  # a parameter's type is not known
    job = told.client.create_job(SPEC)
    assert [one["id"] for one in told.client.jobs()] == [job["id"]]
    keys = {seen.headers["idempotency-key"] for seen in relay.seen if seen.method == "POST"}
    assert len(keys) == 1
    assert len(told.messages) == 2


def test_a_trigger_whose_answer_is_lost_makes_one_run(told: Told, relay: Relay) -> None:
    """A trigger has an Idempotency-Key like a creation."""
    job = told.client.create_job(SPEC)
    relay.faults.append(lost)
    run = told.client.trigger(job["id"])
    assert [one["id"] for one in told.client.job_runs(job["id"])] == [run["id"]]


def test_a_delete_or_cancel_whose_answer_was_lost_counts_as_done(told: Told, relay: Relay) -> None:
    """The second try finds it done, which is not an error."""
    job = told.client.create_job({**SPEC, "command": ["sleep", "600"]})
    run = told.client.trigger(job["id"])
    relay.faults.append(lost)
    told.client.cancel_run(job["id"], run["id"])
    assert told.client.get_run(job["id"], run["id"])["status"] == "cancelled"
    with pytest.raises(Refused, match="already"):
        told.client.cancel_run(job["id"], run["id"])
    relay.faults.append(lost)
    told.client.delete_job(job["id"])
    assert list(told.client.jobs()) == []
    with pytest.raises(Refused):
        told.client.delete_job(job["id"])


def test_retry_after_is_waited_for_and_bounded(told: Told, relay: Relay) -> None:
    """The client waits as long as the server asks, but at most 30 s."""
    relay.faults += [unavailable("7"), unavailable("9000")]
    list(told.client.jobs())
    assert told.pauses == [7, 30]
    assert told.messages[0].endswith("trying again in 7 s")


def test_the_client_gives_up_on_an_api_that_stays_unavailable(told: Told, relay: Relay) -> None:
    """The error is the API's last answer."""
    told.client.transport.patience = 40
    relay.faults += [unavailable("15")] * 9
    clock = iter(range(0, 900, 15))
    told.client.transport._clock = lambda: float(next(clock))
    with pytest.raises(Refused, match="AWS throttles") as caught:
        list(told.client.jobs())
    assert caught.value.status == 503
    assert len(told.pauses) == 1


def test_a_500_of_the_api_is_not_repeated(told: Told, relay: Relay) -> None:
    """Repeating a request does not help against a defect."""
    body = b'{"status":"error","message":"A defect.","code":"internal","data":null}'
    relay.faults.append(lambda seen, pass_on: Reply(500, body))
    with pytest.raises(Refused, match=r"A defect\."):
        list(told.client.jobs())
    assert told.pauses == []


def test_every_invalid_field_is_in_the_error(told: Told) -> None:
    """Each error has the field's name and what is wrong."""
    with pytest.raises(Refused) as caught:
        told.client.create_job({"name": "x", "image": "A B", "cpu": 3, "shedule": "@daily"})
    assert {error.field for error in caught.value.errors} == {"image", "cpu", "shedule"}
    assert caught.value.code == "invalid_fields"


def test_a_list_is_read_to_its_end_and_no_further_than_asked(told: Told, relay: Relay) -> None:
    """One iterator reads all pages."""
    for number in range(5):
        told.client.create_job({**SPEC, "name": f"job {number}"})
    relay.seen.clear()
    assert len(list(told.client.jobs(limit=3))) == 3
    assert [seen.path.partition("?")[2] for seen in relay.seen] == ["limit=3"]
    page = told.client._data("GET", "/jobs", query=[("limit", "2")])
    assert page["next_cursor"] is not None
    assert len(list(told.client._pages("/jobs", "jobs", [], None))) == 5


class Other(http.server.BaseHTTPRequestHandler):
    """A server that is not a Jobyard API."""

    def do_GET(self) -> None:
        status, body = {
            "/html": (200, b"<html>hello</html>"),
            "/gateway": (403, json.dumps({"message": "Missing Authentication Token"}).encode()),
            "/moved": (301, b""),
        }["/" + self.path.split("/")[1]]
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "https://elsewhere.example.com/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing to standard error."""


@pytest.fixture
def other() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/html", "no Jobyard API"),
        ("/gateway", "403 .Missing Authentication Token."),
        ("/moved", "https://elsewhere.example.com/"),
    ],
)
def test_a_server_that_is_not_jobyard_is_reported_as_such(other: str, path: str, said: str) -> None:
    """The client does not send the token to the address of a redirect."""
    client = Client(other + path, "jyd_x", workspace="w", project="p")
    with pytest.raises((Refused, Unreachable), match=said):
        list(client.jobs())


def test_a_url_without_a_listener_fails_soon() -> None:
    """The URL is probably wrong, so the client gives up after some seconds."""
    pauses: list[float] = []
    client = Client("http://127.0.0.1:9", "jyd_x", workspace="w", project="p")
    client.transport._sleep = pauses.append
    clock = iter(range(900))
    client.transport._clock = lambda: float(next(clock))
    with pytest.raises(Unreachable, match="Connection refused"):
        list(client.jobs())
    assert sum(pauses) < 4
