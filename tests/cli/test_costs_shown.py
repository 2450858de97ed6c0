"""What runs, jobs and months cost, as the command line shows it: always as an estimate."""

from __future__ import annotations

import re

from tests.cli.local_stack import Shell


def test_costs_are_shown_of_a_run_of_a_job_and_of_a_month(shell: Shell) -> None:
    """The three agree; `run --wait` ends with the run's."""
    shell.create("cheap", "true")
    done = shell("run", "cheap", "--wait")
    (run,) = shell.json("runs", "cheap")["runs"]
    usd = run["cost"]["usd"]
    assert usd > 0
    text = f"about ${usd:.4f}"
    assert text in done.stderr
    assert re.search(
        rf"cost +{re.escape(text)} \(.* vCPU-s, .* GiB-s, prices of 20",
        shell("show", run["id"]).stdout,
    )
    assert re.search(rf"this month +{re.escape(text)}$", shell("status", "cheap").stdout, re.M)
    assert re.search(rf"this month +{re.escape(text)}$", shell("status").stdout, re.M)
    assert f"${usd:.4f}" in shell("jobs", "--wide").stdout
    data = shell.json("cost")
    assert [(job["job_name"], job["runs"], job["usd"]) for job in data["jobs"]] == [
        ("cheap", 1, usd)
    ]
    month = shell("cost", "--month", data["month"])
    assert re.search(rf"^cheap +1 +\${usd:.4f}$", month.stdout, re.M)
    assert f"{data['month']}: {text}, an estimate" in month.stderr
    assert shell("cost", "-o", "name").stdout.split() == ["cheap"]
    assert shell.json("cost", "--month", "1999-01") == {"month": "1999-01", "jobs": [], "usd": 0}


def test_a_month_is_written_as_four_digits_and_two(shell: Shell) -> None:
    """What is none is wrong usage, and is not sent."""
    assert "2026-11" in shell("cost", "--month", "november", status=2).stderr
