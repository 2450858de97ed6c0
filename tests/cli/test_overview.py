"""The client asks a stage for a whole project at once, where the stage answers that."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobyard import overview
from jobyard.client import Client
from jobyard.errors import Refused

RUN = "run_01M8G2Y54SDSDM3GA0ZGCPK5N7"
COUNTS = {"run_counts": {"pending": 0, "running": 0}, "consecutive_failures": 0}
RECENT = [
    {"id": "run_3", "status": "cancelled", "error_code": "skipped_overlap"},
    {"id": "run_2", "status": "cancelled", "error_code": "missed_deadline"},
    {"id": "run_1", "status": "succeeded", "error_code": None},
]
ACTIVITY = {**COUNTS, "last_succeeded_at": None, "in_flight": 0, "recent_runs": RECENT}
JOB = {"id": "job_1", "name": "nightly", "next_run_at": None, "activity": ACTIVITY}


class Stage(http.server.ThreadingHTTPServer):
    """A stage that answers lists of a whole project, and nothing about a single job."""

    asked: list[tuple[str, dict[str, list[str]]]]
    runs: list[dict[str, Any]]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Stage

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        what = place.path.rpartition("/")[2]
        self.server.asked.append((what, parse_qs(place.query)))
        known = {"runs": self.server.runs, "jobs": [JOB]}
        is_known = what in known and "/jobs/" not in place.path
        data = {what: known.get(what), "next_cursor": None} if is_known else None
        head = {"status": "success"} if is_known else {"status": "error", "code": "not_found"}
        body = json.dumps({**head, "message": "m", "data": data}).encode()
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing to standard error."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    server = Stage(("127.0.0.1", 0), Handler)
    server.asked, server.runs = [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client(stage: Stage) -> Client:
    url = f"http://127.0.0.1:{stage.server_port}"
    return Client(url, "jyd_x", workspace="w", project="p")


def test_the_state_of_all_jobs_is_one_request(stage: Stage) -> None:
    """A slot that was skipped or missed is not the latest run of its job."""
    (found,) = overview.activity(client(stage))
    assert found.latest_run == RECENT[-1]
    assert [(what, query.get("include")) for what, query in stage.asked] == [("jobs", ["activity"])]


def test_a_run_is_found_by_its_id_in_one_request(stage: Stage) -> None:
    """The runs of the millisecond that its id begins with are asked for."""
    other = {"id": RUN[:-1] + "8", "job_id": "job_2"}
    stage.runs = [other, {"id": RUN, "job_id": "job_1"}]
    assert overview.find_run(client(stage), RUN)["job_id"] == "job_1"
    ((what, query),) = stage.asked
    assert (what, query["since"], query["until"]) == (
        "runs",
        ["2026-11-28T03:24:46.105Z"],
        ["2026-11-28T03:24:46.106Z"],
    )


@pytest.mark.parametrize("run_id", ["nightly", "run_1", "job_01M8GVYDR6N2S53NBBHTPJP0T2"])
def test_what_is_no_id_of_a_run_is_refused_without_a_request(stage: Stage, run_id: str) -> None:
    """Such as the name of a job."""
    with pytest.raises(Refused, match=f"{run_id} is not the id of a run"):
        overview.find_run(client(stage), run_id)
    assert stage.asked == []


@pytest.mark.parametrize("run_id", [RUN, "run_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"])
def test_a_run_that_is_not_listed_is_looked_for_in_each_job(stage: Stage, run_id: str) -> None:
    """The list may lack a run of this moment; an id of no time that there is has no run."""
    with pytest.raises(Refused) as refused:
        overview.find_run(client(stage), run_id)
    assert refused.value.status == 404
    assert run_id in [what for what, _ in stage.asked]
