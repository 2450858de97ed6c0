"""Every part of `make bench` in a tiny size: it measures what it says, or says why not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import cost_page, peers, plot, prefect_peer, report
from bench.plan import TINY
from bench.report import Table

ROOT = Path(__file__).parent.parent
CODE = """
import importlib, json, os, sys
from dataclasses import asdict
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
from bench.plan import TINY
from bench.record import record
tables = [
    asdict(table)
    for part in sys.argv[1:]
    for table in importlib.import_module(f"bench.{part}").measure(TINY)
]
calls = [(call.name, call.handler) for call in record(TINY.page)] if "warm" in sys.argv else []
json.dump({"tables": tables, "calls": calls}, answers)
"""


def found(*parts: str) -> dict[str, Any]:
    """What the parts find, each run of them in a separate process as in `make bench`."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *parts], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return dict(json.loads(done.stdout))


def measured(part: str) -> list[dict[str, Any]]:
    """The tables of a part."""
    return list(found(part)["tables"])


@pytest.fixture(scope="module")
def played() -> dict[str, Any]:
    """The two parts that play recorded calls, from one recording."""
    return found("cold", "warm")


def column(table: dict[str, Any], name: str) -> dict[str, str]:
    """The cells of a column by the names in the first column."""
    at = table["columns"].index(name)
    return {row[0]: row[at] for row in table["rows"]}


def test_every_route_and_event_is_recorded(played: dict[str, Any]) -> None:
    """The calls are compared with app.py's handlers, so that a new handler is not forgotten."""
    import app

    routes = {endpoint.handler for endpoint in app.app.endpoints.values()}
    handlers = [handler for _, handler in played["calls"]]
    # two jobs are created, jobs are listed with and without their activity, and two runs are read:
    # one finished and one in flight
    assert handlers.count("app") == len(routes) + 3
    assert set(handlers) == {"app", "fire", "sweep", "task_changed"}


def test_the_command_line_s_help_is_compared_with_a_bare_interpreter() -> None:
    """Each process is measured, and the result is compared with the goal."""
    (table,) = found("cli")["tables"]
    assert all(float(ms) > 0 for ms in column(table, "CPU, ms").values())
    assert column(table, "goal")["`jobyard --help`"].startswith("≤ 150: ")


def test_a_warm_request_s_time_is_its_handler_s_alone(played: dict[str, Any]) -> None:
    """Every call is answered from the tape, and the result is CPU time."""
    table = played["tables"][-1]
    assert column(table, "AWS calls")["sweep, nothing due"] == "16"
    assert all(float(ms) > 0 for ms in column(table, "p50, ms").values())


def test_a_cold_start_is_measured_from_the_archive(played: dict[str, Any]) -> None:
    """It is measured with its bytecode and without, and compared with the archive of before."""
    archive, memory, imports, first, _ = played["tables"]
    ratios = {name: float(ms) for name, ms in column(archive, "to no bytecode").items()}
    assert ratios["without bytecode"] == 1
    assert 0 < ratios["as packaged"] < 0.8
    assert column(archive, "goal")["as packaged"].startswith("≤ 0.4: ")
    waits = [float(ms) for ms in column(memory, "cold start, ms").values()]
    assert waits == sorted(waits, reverse=True)
    assert float(column(imports, "to the floor")["`import app`"]) > 0
    assert first["columns"] == ["first request", "import, ms", "request, ms", "MiB"]


def test_the_page_of_costs_says_what_operations_take() -> None:
    """
    Calls and units are measured anew. Where DynamoDB Local is missing only the calls are, and a
    note says so.
    """
    (table,) = measured("costs")
    calls = column(table, "DynamoDB and other calls")
    assert calls["get a finished run"] == "BatchGetItem"
    text = cost_page.PAGE.read_text()
    again = "the page is old: run `make costs`"
    if "left out" in table["notes"][0]:
        for name, words in calls.items():
            assert f"| {name} | {words} | " in text, again
    else:
        # job, name and counts, each counted twice in a transaction
        assert column(table, "WCU")["create a job"] == "8"
        written = text.partition(cost_page.BEGIN)[2].partition(cost_page.END)[0]
        assert written.strip() == cost_page.render(Table(**table)).strip(), again


def test_the_page_of_costs_the_estimate_of_a_run_and_the_example_agree() -> None:
    """To the cent of a month's sum, and to the billionth of a dollar for one run."""
    text = cost_page.PAGE.read_text()
    amounts = re.findall(r"^\| [^|]+ \| 90 \| (\S+)(?: \S (\S+))? \| (\S+) \|$", text, re.M)
    exact = [Decimal(count) * Decimal(price or 1) * 90 / 3600 for count, price, _ in amounts]
    assert exact == [Decimal(written) for _, _, written in amounts]
    (said,) = re.findall(r"\*\*`cost.usd`\*\*, rounded \| \| \| \*\*(\S+)\*\* \|", text)
    usd = sum(exact, Decimal(0)).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    assert Decimal(said) == usd == Decimal(str(cost_page.estimated()))
    runs = 1_000 * Decimal(cost_page.HOURS) / 24
    month = re.findall(r"^\| (?:Fargate|public address): 90 s[^|]* \|[^|]+\| (\S+) \|", text, re.M)
    (sentence,) = re.findall(r"1,000 such runs a day for a month are (\S+) USD", text)
    assert round(sum(exact) * runs, 2) == Decimal(sentence) == sum(map(Decimal, month))


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_no_other_page_copies_a_figure_of_the_page_of_costs(page: Path) -> None:
    """README alone repeats the sum of an idle stage, and repeats it right."""
    text = " ".join(page.read_text().split())
    if page != cost_page.PAGE:
        units = re.findall(r"[\w,]+ (?:write|read)(?: and \w+ read)? units", text)
        assert set(units) <= {"1,000 write units", "million write units", "million read units"}
    if page.name == "README.md":
        page_of_costs = cost_page.PAGE.read_text()
        (quoted,) = re.findall(
            r"idle stage costs (\S+) USD a month within .*? and (\S+) without", text
        )
        assert f"| **together** | **{quoted[1]}** | **{quoted[0]} is left** |" in page_of_costs


def test_nothing_grows_with_the_history() -> None:
    """With 10 times as many records the calls and units are the same."""
    tables = measured("scale")
    if not tables[0]["rows"]:
        pytest.skip(tables[0]["notes"][0])
    for table in tables:
        for name, goal in column(table, "goal").items():
            assert goal == "no growth: met", (table["title"], name)


def test_runs_are_timed_from_trigger_to_success() -> None:
    """The process engine is always measured; a note names each engine that is left out."""
    (table,) = measured("end_to_end")
    engines = {row[0].partition(",")[0] for row in table["rows"]}
    assert "process" in engines
    assert ("docker" in engines) != any("left out" in note for note in table["notes"])


def test_the_api_answers_every_client_without_errors() -> None:
    """One client and several clients read and trigger."""
    (table,) = measured("throughput")
    assert [row[:2] for row in table["rows"]] == [
        ["read a finished run", "1"],
        ["read a finished run", "2"],
        ["trigger a run", "1"],
        ["trigger a run", "2"],
    ]
    assert {row[-1] for row in table["rows"]} == {"0"}


def test_the_start_of_the_stack_is_timed_to_its_first_answer() -> None:
    """With processes, and with the engine that the machine has."""
    (table,) = measured("start")
    assert [row[0] for row in table["rows"]] == ["`ENGINE=process`", "`ENGINE=auto`"]
    assert all(float(seconds.removesuffix(" s")) > 0 for seconds in column(table, "CPU").values())


def test_a_peer_that_cannot_be_installed_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """pip has no index here, as on a machine without a network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(prefect_peer, "PROGRAM", tmp_path / "bin" / "prefect")
    monkeypatch.setattr(prefect_peer, "HOME", tmp_path)
    (table,) = peers.measure(TINY)
    assert table.rows == []
    assert "No matching distribution found for prefect" in table.notes[0]


def test_a_plot_is_svg_with_a_mark_for_each_value() -> None:
    """Bars and lines; a value that is missing has none."""
    series: plot.Series = {"one & all": [1.0, 20.0], "other": [300.0, None]}
    drawn = ElementTree.fromstring(plot.bars("T", ["a", "b"], series, "ms"))
    kinds = [element.tag.rpartition("}")[2] for element in drawn]
    assert kinds.count("rect") == 1 + 2 + 3  # the ground, the legend, the values
    assert "one & all" in [element.text for element in drawn]
    drawn = ElementTree.fromstring(plot.lines("T", [1, 10], series, "s", x_name="runs"))
    circles = [element for element in drawn if element.tag.endswith("circle")]
    assert len(circles) == 3
    # the axis is logarithmic and grows upwards
    assert float(circles[0].get("cy", 0)) > float(circles[1].get("cy", 0))


def test_the_page_has_what_the_last_full_run_wrote() -> None:
    """It has the tables of all parts, with a machine and a date."""
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert re.search(r"^20\d\d-\d\d-\d\d: \d+ cores", text, re.MULTILINE)
    for title in ("imports", "first request", "Warm", "Scale", "End to end", "Throughput"):
        assert re.search(rf"^### .*{title}", text, re.MULTILINE), title


def test_a_table_is_markdown_that_keeps_its_columns() -> None:
    """A bar in a cell would split the cell."""
    text = Table("T", ["a", "b"], [["1 | 2", "3"]], ["A note."]).markdown()
    assert text == "### T\n\n| a | b |\n| --- | --- |\n| 1 \\| 2 | 3 |\n\nA note.\n"
    assert report.percentile([1.0], 99) == 1.0
    assert report.percentile([float(n) for n in range(101)], 50) == 50.0
