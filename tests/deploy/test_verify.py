"""`make verify` without a stage: how it ends, what it prints and which requests it repeats."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from moto import mock_aws

from chalicelib.domain import prices
from infra.api_client import TRIES, Api, NotOk
from infra.package import ROOT
from infra.verify import cost, report, runner
from infra.verify.results import Result, Verified
from infra.verify.trial import Skipped, Step, Trial, Wrong


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """A trial of a stage that does not exist."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield Trial(
            stage="none",
            image="busybox",
            insights="enhanced",
            api=Api("http://127.0.0.1:1", "jyd_none", workspace="w", project="p"),
            workspace="w",
            project="p",
            suffix="s",
            until=0,
        )


def _step(error: Exception | None) -> Step:
    def act(trial: Trial) -> str:
        if error is not None:
            raise error
        return "did it"

    return Step("a step", "something", act)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (Wrong("no"), "wrong"),
        (NotOk("500"), "wrong"),
        (KeyError("data"), "wrong"),
        (Skipped("not here"), "skipped"),
    ],
)
def test_a_steps_error_decides_its_outcome(
    trial: Trial, error: Exception | None, outcome: str
) -> None:
    """If the stage answers wrongly, the outcome is "wrong", whatever error the step raises."""
    assert runner._try(_step(error), trial).outcome == outcome


def test_a_step_that_waits_past_the_deadline_is_cut_off(trial: Trial) -> None:
    """The result says what the step was waiting for."""
    step = Step("a step", "the end", lambda trial: str(trial.wait(lambda: False, "no", 5)))
    result = runner._try(step, trial)
    assert (result.outcome, result.said) == ("cut off", "was still waiting for the end")


@pytest.mark.parametrize(
    ("outcomes", "left", "is_right"),
    [
        (["ok", "skipped"], [], True),
        (["ok", "wrong"], [], False),
        (["ok", "cut off"], [], False),
        (["ok"], ["task 1"], False),
    ],
)
def test_the_exit_status_is_0_only_if_every_step_succeeded(
    outcomes: list[str], left: list[str], is_right: bool
) -> None:
    """Something left behind counts as a failure."""
    results = [Result("a step", outcome, 1, "") for outcome in outcomes]
    assert Verified(results, left=left).is_right is is_right


def test_what_is_printed_fits_80_columns(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    """This holds for the plan, for a result with a long text, and for the end."""
    report.begin(runner.STEPS, {}, trial)
    report.result(Result("time zone", "cut off", 539.6, "long " * 60), 600)
    report.waiting([step.name for step in runner.STEPS], 60)
    results = [Result(step.name, "wrong", 1, "long " * 60) for step in runner.STEPS]
    cents = cost.Spent().sentence("enhanced")
    report.end(Verified(results, ["found " * 60], ["left " * 60], cents))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_prices_are_those_of_the_documentation() -> None:
    """The section "What it costs" of docs/operating.md has the prices."""
    page = (ROOT / "docs" / "operating.md").read_text()
    section = page[page.index("## What it costs") :]
    size = prices.FARGATE["x86_64"]["us-east-1"]
    assert f"{size.vcpu} a vCPU-hour, {size.gb} a GB-hour" in section
    assert f"public IPv4 address ° | {prices.ADDRESS_HOUR} an hour" in section
    assert f"Container Insights, enhanced | {prices.TASK_METRIC_MONTH} a metric-month" in section
    assert f"a month of {prices.HOURS} hours" in section
    assert f"({prices.TASK_METRICS} a task is an estimate" in section
    assert f"Fargate's prices were compared on {prices.PRICE_DATE}" in section
    known = {arch: set(regions) for arch, regions in prices.FARGATE.items()}
    for region in sorted(known["x86_64"]):
        assert f"`{region}`" in section, region
    arm = ", ".join(f"`{region}`" for region in sorted(known["arm64"]))
    assert f"for arm64 {arm}" in " ".join(section.split())


def test_a_task_is_billed_for_a_minute_at_least() -> None:
    """Two attempts are two tasks; a skipped slot has none."""
    spent = cost.Spent()
    times = {"created_at": "2026-11-24T10:00:00.000Z", "finished_at": "2026-11-24T10:00:05.000Z"}
    retried = {"id": "run_1", "attempts": [{}, {}], "task_arn": "arn", **times}
    skipped: dict[str, Any] = {"id": "run_2", "attempts": [], "task_arn": None, **times}
    spent.add("job_1", [retried, skipped])
    spent.add("job_1", [retried])  # a run counts once, however often it is added
    assert spent.seconds_by_run == {"job_1/run_1": 120.0}
    dollars = 120 * cost.rates("disabled").hour / 3600 / prices.NANO
    assert spent.sentence("disabled").startswith(
        f"It cost at most {dollars * 100:.1f} US cents: 2 "
    )


class _Refusing(BaseHTTPRequestHandler):
    """Answers with the status at the end of the path, and records the Idempotency-Key."""

    seen: list[str | None]

    def _answer(self) -> None:
        self.seen.append(self.headers["Idempotency-Key"])
        self.send_response(int(self.path.rsplit("/", 1)[1]))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing to standard error."""


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Start a server with this handler and return its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("method", "path", "tries"),
    [
        ("GET", "/503", TRIES),
        ("GET", "/500", 1),
        ("POST", "/cancel/503", 1),
        ("POST", "/cancel/429", TRIES),
        ("POST", "/jobs/503", TRIES),
    ],
)
def test_only_requests_that_are_safe_to_repeat_are_repeated(
    method: str, path: str, tries: int
) -> None:
    """A POST that creates something has an Idempotency-Key, the same each time."""
    seen: list[str | None] = []
    handler = type("Handler", (_Refusing,), {"seen": seen})
    with served(handler) as url:
        api = Api(url, "jyd_none", workspace="w", project="p")
        with pytest.raises(NotOk, match=path[-3:]):
            api.ask(method, path, creates="/jobs/" in path)
    assert len(seen) == tries and len(set(seen)) == 1
    assert (seen[0] is not None) == ("/jobs/" in path)


def test_every_step_has_a_name_and_says_what_it_waits_for() -> None:
    """The names are unique, short enough for the table, and those of the documentation."""
    names = [step.name for step in runner.STEPS]
    assert len(set(names)) == len(names)
    assert all(len(step.name) < 12 and step.waits_for for step in runner.STEPS)
    page = (ROOT / "docs" / "operating.md").read_text()
    section = page[page.index("## Verify") : page.index("## Upgrade")]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert re.findall(r"`([^`]+)`", " ".join(rows)) == names


def test_no_more_requests_are_under_way_than_allowed() -> None:
    """A new account has 10 concurrent function calls, and the stage itself needs some of them."""
    under_way, most = [0], [0]

    class Slow(_Refusing):
        seen: list[str | None] = []  # noqa: RUF012 - BaseHTTPRequestHandler is made for each request

        def do_GET(self) -> None:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            time.sleep(0.02)
            under_way[0] -= 1
            self._answer()

    with served(Slow) as url:
        api = Api(url, "jyd_none", workspace="w", project="p", at_once=1)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: api.call("GET", "/200"), range(20)))
    assert most == [1]
