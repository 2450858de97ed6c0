"""Each command against a local stack: what it prints, and its exit status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.cli.local_stack import ROOT, Shell, wait_for
from tests.cli.test_run import own


def test_jobs_lists_failing_ones_first(shell: Shell) -> None:
    """The table has the schedule, the last run and the next fire."""
    shell.create("a-good", "true", "--schedule", "0 3 * * *")
    shell.create("z-bad", "exit 1")
    shell("run", "a-good", "--wait")
    shell("run", "z-bad", "--wait", status=1)
    head, first, second = shell("jobs").stdout.splitlines()
    assert head.split() == ["NAME", "SCHEDULE", "LAST", "RUN", "AGE", "TOOK", "NEXT"]
    assert re.match(r"z-bad +on demand +failed ", first)
    assert re.match(r"a-good +0 3 \* \* \* +succeeded .* in \d", second)
    assert "job_" in shell("jobs", "--wide").stdout
    assert shell("jobs", "--tag", "team=none").stdout == ""


def test_a_list_is_printed_in_every_format(shell: Shell) -> None:
    """JSON and YAML have the API's data; `name` has one name a line, for loops in scripts."""
    shell.create("one", "true")
    shell.create("two", "true")
    data = shell.json("jobs")
    assert {job["name"] for job in data["jobs"]} == {"one", "two"}
    assert yaml.safe_load(shell("jobs", "-o", "yaml").stdout) == data
    assert shell("jobs", "-o", "name").stdout.split() == ["two", "one"]


@pytest.mark.parametrize(
    "arguments",
    [("get", "one"), ("status",), ("status", "one"), ("runs",), ("runs", "one"), ("upcoming",),
     ("logs", "one"), ("metrics", "one"), ("pause", "one"), ("resume", "one"),
     ("update", "one", "--memory", "1024")],
)  # fmt: skip
def test_every_command_that_shows_something_prints_it_as_json(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    """Nothing but JSON or YAML is on standard output then."""
    shell.create("one", "echo x", "--schedule", "*/5 * * * *")
    shell("run", "one", "--wait")
    assert isinstance(shell.json(*arguments), dict)
    assert isinstance(yaml.safe_load(shell(*arguments, "-o", "yaml").stdout), dict)


def test_a_job_can_be_created_changed_paused_and_deleted(shell: Shell) -> None:
    """The job is named by name or id, and each option sets its field."""
    shell("create", "nightly", "--image", "python:3.13", "-s", "0 3 * * *", "--tz",
          "Europe/Berlin", "-e", "A=1", "-e", "B=x=y", "--tag", "team=data", "--cpu", "0.5",
          "--memory", "1024", "--timeout", "2h", "--retries", "2", "--concurrency", "forbid",
          "--deadline", "10m", "--jitter", "15m", "--arch", "arm64", "--capacity",
          "spot", "--", "python", "-m", "etl")  # fmt: skip
    job = shell.json("get", "nightly")
    assert {name: job[name] for name in ("schedule", "timezone", "env", "tags", "cpu")} == {
        "schedule": "0 3 * * *",
        "timezone": "Europe/Berlin",
        "env": {"A": "1", "B": "x=y"},
        "tags": ["team=data"],
        "cpu": 0.5,
    }
    assert (job["memory_mib"], job["timeout_seconds"], job["max_retries"]) == (1024, 7200, 2)
    assert (job["concurrency_policy"], job["starting_deadline_seconds"]) == ("forbid", 600)
    assert (job["jitter_seconds"], job["capacity"]) == (900, "spot")
    assert (job["architecture"], job["command"]) == ("arm64", ["python", "-m", "etl"])
    shell("update", job["id"], "-e", "C=3", "--unset-env", "A", "--unset", "schedule",
          "--rename", "daily")  # fmt: skip
    changed = shell.json("get", "daily")
    assert (changed["env"], changed["schedule"]) == ({"B": "x=y", "C": "3"}, None)
    shell("pause", "daily")
    assert shell.json("get", "daily")["paused"] is True
    shell("resume", "daily")
    assert shell.json("get", "daily")["paused"] is False
    shell("delete", "daily", "--yes")
    assert shell.json("jobs")["jobs"] == []


def test_notify_is_set_emptied_and_reset(shell: Shell) -> None:
    """The option is repeated for each event; `none` is no event at all."""
    shell("create", "told", "--image", "x", "--notify", "missed", "--notify", "every_failure")
    assert shell.json("get", "told")["notify"] == ["missed", "every_failure"]
    assert "missed" in shell("get", "told").stdout
    shell("update", "told", "--notify", "none")
    assert shell.json("get", "told")["notify"] == []
    shell("update", "told", "--unset", "notify")
    assert shell.json("get", "told")["notify"] == ["failing", "recovered", "missed"]


def test_delete_asks_before_it_deletes(shell: Shell) -> None:
    """Without a terminal nobody can be asked, so --yes is required."""
    shell.create("kept", "true")
    done = shell("delete", "kept", status=2)
    assert "--yes" in done.stderr
    assert shell("jobs", "-o", "name").stdout.split() == ["kept"]


def test_every_invalid_field_is_on_a_line_of_its_own(shell: Shell) -> None:
    """The status is 1, because the API refused the job."""
    done = shell("create", "x", "--image", "A B", "--cpu", "3", "-s", "61 * * * *", status=1)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    for field in ("image", "cpu", "schedule"):
        assert sum(line.startswith(f"  {field}: ") for line in lines) == 1, done.stderr


def test_an_unknown_name_exits_with_1(shell: Shell) -> None:
    """The message names what was not found, and where."""
    done = shell("get", "nothing", status=1)
    assert "no job named 'nothing' in local/" in done.stderr
    done = shell("show", "run_01K9Z0000000000000000000AB", status=1)
    assert "no run run_01K9Z0000000000000000000AB" in done.stderr


@pytest.mark.parametrize("arguments", [("nope",), ("jobs", "--nope"), ("run",), ("-o", "json")])
def test_wrong_usage_exits_with_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    """The message says how to get help."""
    assert "--help" in shell(*arguments, status=2).stderr


def test_runs_of_a_job_and_of_the_project(shell: Shell) -> None:
    """The newest run comes first; runs can be selected by status and age."""
    shell.create("good", "true")
    shell.create("bad", "exit 1")
    for name in ("good", "bad", "good"):
        shell("run", name, "--wait", status=None)
    every = shell.json("runs")["runs"]
    assert [run["job_name"] for run in every] == ["good", "bad", "good"]
    assert len(shell.json("runs", "good")["runs"]) == 2
    assert [run["job_name"] for run in shell.json("runs", "--status", "failed")["runs"]] == ["bad"]
    assert len(shell.json("runs", "--limit", "2")["runs"]) == 2
    assert len(shell.json("runs", "--since", "1h")["runs"]) == 3
    assert "exit code 1" in shell("runs").stdout


def test_show_prints_every_field_of_a_run(shell: Shell) -> None:
    """A failed run has its error with a hint."""
    shell.create("bad", "exit 9")
    shell("run", "bad", "--wait", status=9)
    run_id = shell("runs", "-o", "name").stdout.strip()
    shown = shell("show", run_id).stdout
    assert "manual by " + shell.json("show", run_id)["triggered_by"]["name"] in shown
    for text in (run_id, "exit code", "9", "nonzero_exit", "hint", "vCPU, 512 MiB", "on_demand"):
        assert text in shown


def test_cancel_stops_a_run_once(shell: Shell) -> None:
    """A second cancel is an error that tells the run's status."""
    shell.create("long", "sleep 600")
    run_id = shell("run", "long").stdout.strip()
    shell("cancel", run_id)
    assert shell.json("show", run_id)["status"] == "cancelled"
    assert "cancelled" in shell("cancel", run_id, status=1).stderr


def test_logs_of_a_job_have_the_short_id_of_their_run(shell: Shell) -> None:
    """Lines of a single run have no prefix."""
    shell.create("says", "echo hello")
    run_id = shell("run", "says").stdout.strip()
    wait_for(lambda: shell.json("show", run_id)["status"] == "succeeded", "it ends")
    assert f"{run_id[-6:]} | hello" in shell("logs", "says").stdout
    assert own(shell("logs", run_id).stdout) == ["hello"]
    stamped = shell("logs", run_id, "--timestamps", "--filter", "hello").stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z hello\n", stamped)
    data = shell.json("logs", run_id)
    assert data["logs"][-1]["message"] == "hello"


def test_metrics_prints_sparklines_with_the_limits(shell: Shell) -> None:
    """The local stack measures every second."""
    shell.create("busy", "timeout 3 sh -c 'while :; do :; done'; true")
    shell("run", "busy", "--wait")
    run_id = shell("runs", "busy", "-o", "name").stdout.strip()
    for named in (run_id, "busy"):
        shown = shell("metrics", named).stdout
        assert re.search(r"cpu_usage +[▁▂▃▄▅▆▇█]+ .* 0\.25$", shown, re.MULTILINE), shown
        assert re.search(r"memory_usage .* 512 MiB$", shown, re.MULTILINE), shown


def test_status_of_the_project_names_the_failing_jobs(shell: Shell) -> None:
    """It also names the next run."""
    shell.create("good", "true", "-s", "0 3 * * *")
    shell.create("bad", "exit 1")
    for _ in range(2):
        shell("run", "bad", "--wait", status=1)
    shown = shell("status").stdout
    assert re.search(r"failing +1$", shown, re.MULTILINE)
    assert re.search(r"next run +good in ", shown)
    assert re.search(r"^bad +2 +nonzero_exit +never$", shown, re.MULTILINE)
    assert "2 in a row" in shell("status", "bad").stdout


def test_audit_lists_who_changed_what(shell: Shell) -> None:
    """With the names of fields, newest first, within a span of time."""
    shell.create("nightly", "true")
    shell("update", "nightly", "--cpu", "0.5", "--memory", "1024")
    entries = shell.json("audit")["entries"]
    about = [entry for entry in entries if entry["target_name"] == "nightly"]
    assert [entry["action"] for entry in about] == ["update_job", "create_job"]
    assert about[0]["fields"] == ["cpu", "memory_mib"]
    shown = shell("audit", "--limit", "1").stdout
    for text in (about[0]["token_name"], "update_job", about[0]["target"], "cpu, memory_mib"):
        assert text in shown
    assert shell.json("audit", "--until", "1h")["entries"] == []
    assert len(shell.json("audit", "--since", "1h", "--limit", "2")["entries"]) == 2


def test_upcoming_lists_slots_in_ascending_order(shell: Shell) -> None:
    """It lists the slots up to --until."""
    shell.create("soon", "true", "-s", "* * * * *")
    in_half_an_hour = (datetime.now(UTC) + timedelta(minutes=30)).minute
    shell.create("later", "true", "-s", f"{in_half_an_hour} * * * *")
    slots = shell.json("upcoming", "--until", "1h", "--limit", "100")["slots"]
    times = [slot["scheduled_for"] for slot in slots]
    assert times == sorted(times)
    assert slots[0]["job_name"] == "soon"
    assert {slot["job_name"] for slot in slots} == {"soon", "later"}


def test_open_prints_the_address_of_the_console(shell: Shell) -> None:
    """The address is that of the project, a job or a run, and has no token in it."""
    shell.create("one", "true")
    job = shell.json("get", "one")
    base = f"{shell.settings['JOBYARD_URL']}/console#/local/{shell.settings['JOBYARD_PROJECT']}"
    assert shell("open").stdout == f"{base}\n"
    assert shell("open", "one", "--print").stdout == f"{base}/jobs/{job['id']}\n"
    run = shell.client().trigger(job["id"])["id"]
    assert shell("open", run).stdout == f"{base}/jobs/{job['id']}/runs/{run}\n"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: Shell, name: str) -> None:
    """The completion knows the names of commands and jobs."""
    assert "_JOBYARD_COMPLETE" in shell("completion", name).stdout
    shell.create("nightly", "true")
    complete = {
        "_JOBYARD_COMPLETE": "zsh_complete",
        "COMP_WORDS": "jobyard run ni",
        "COMP_CWORD": "2",
    }
    asked = Shell(shell.directory, shell.settings, complete)
    assert "nightly" in asked(status=0).stdout


def test_without_a_network_the_error_is_one_line(shell: Shell) -> None:
    """The status is 1 and there is no traceback."""
    away = Shell(shell.directory, {**shell.settings, "JOBYARD_URL": "http://127.0.0.1:9"})
    done = away("jobs", status=1)
    assert done.stderr.splitlines()[-1].startswith("jobyard: http://127.0.0.1:9 does not answer")
    assert "Traceback" not in done.stderr
    nowhere = Shell(shell.directory, {**shell.settings, "JOBYARD_URL": "http://no.invalid"})
    assert "http://no.invalid does not answer" in nowhere("jobs", status=1).stderr


def test_a_wrong_token_says_how_to_store_another(shell: Shell) -> None:
    """The API's message is followed by what to do."""
    wrong = Shell(shell.directory, {**shell.settings, "JOBYARD_TOKEN": f"jyd_{'0' * 72}"})
    done = wrong("jobs", status=1)
    assert "token" in done.stderr
    assert "jobyard login" in done.stderr


def test_an_expired_token_is_refused_like_a_wrong_one(shell: Shell, stack_directory: Path) -> None:
    """The token is valid for one second."""
    made = subprocess.run(
        [sys.executable, "-m", "infra.tokens", "--stage", "local", "create", "--workspace",
         "local", "--role", "write", "--expires", "1s"],
        env={**os.environ, **every_variable(stack_directory), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    short = Shell(shell.directory, {**shell.settings, "JOBYARD_TOKEN": made.stdout.strip()})

    def is_refused() -> bool:
        done = short("jobs", status=None)
        return done.returncode == 1 and "expired" in done.stderr

    wait_for(is_refused, "the token expires")


def every_variable(directory: Path) -> dict[str, str]:
    lines = (directory / ".local/env").read_text().splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines)
    return {name: value.strip("'") for name, _, value in pairs}
