"""AWS Copilot's Scheduled Jobs become a manifest; a note reports what has no counterpart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from jobyard import copilot, manifest
from jobyard.copilot import Imported
from jobyard.copilot_schedule import seconds_of, to_cron
from jobyard.errors import JobyardError, ManifestError
from jobyard.render import as_yaml
from tests.cli.local_stack import Shell

REPORT = """\
name: report-generator
type: Scheduled Job
on:
  schedule: "@daily"
cpu: 256
memory: 512
retries: 3
timeout: 1h30m
image:
  location: public.ecr.aws/acme/report:${COPILOT_ENVIRONMENT_NAME}
command: python -m report --day 'to day'
platform: linux/arm64
variables:
  LOG_LEVEL: info
  DEBUG: true
  QUEUE:
    from_cfn: ${COPILOT_APPLICATION_NAME}-queue
secrets:
  GITHUB_TOKEN: GITHUB_TOKEN
  DB:
    secretsmanager: 'prod/db'
env_file: log.env
network:
  vpc:
    placement: private
environments:
  prod:
    cpu: 2048
    memory: 4096
    variables:
      LOG_LEVEL: warn
"""


def imported(tmp_path: Path, text: str, environment: str | None = None) -> Imported:
    folder = tmp_path / "copilot/one"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.yml").write_text(text)
    return copilot.load(tmp_path, environment)


def test_a_scheduled_job_becomes_a_job(tmp_path: Path) -> None:
    """Every field that has a counterpart is converted."""
    (job,) = imported(tmp_path, REPORT).jobs
    assert job == {
        "name": "report-generator",
        "image": "public.ecr.aws/acme/report:${COPILOT_ENVIRONMENT_NAME}",
        "command": ["python", "-m", "report", "--day", "to day"],
        "schedule": "@daily",
        "cpu": 0.25,
        "memory_mib": 512,
        "architecture": "arm64",
        "max_retries": 3,
        "timeout_seconds": 5400,
        "env": {"LOG_LEVEL": "info", "DEBUG": "true"},
        "secrets": {
            "GITHUB_TOKEN": "arn:aws:ssm:${AWS_REGION}:${AWS_ACCOUNT_ID}:parameter/GITHUB_TOKEN",
            "DB": "arn:aws:secretsmanager:${AWS_REGION}:${AWS_ACCOUNT_ID}:secret:prod/db",
        },
    }


def test_a_setting_without_a_counterpart_is_reported_with_what_to_do(tmp_path: Path) -> None:
    """There is one sentence for each, with the job's name."""
    notes = imported(tmp_path, REPORT).notes
    for part in ("env_file", "network", "environments", "variables.QUEUE", "secrets"):
        assert any(note.startswith(f"report-generator: {part}") for note in notes), part


def test_values_of_an_environment_override_those_of_the_manifest(tmp_path: Path) -> None:
    """--environment selects the values, and nested fields are merged."""
    (job,) = imported(tmp_path, REPORT, "prod").jobs
    assert (job["cpu"], job["memory_mib"]) == (2.0, 4096)
    assert job["env"] == {"LOG_LEVEL": "warn", "DEBUG": "true"}


def test_the_imported_manifest_is_valid(tmp_path: Path) -> None:
    """It is valid if the variables that it uses are set."""
    found = imported(tmp_path, REPORT)
    text = as_yaml({"version": 1, "project": "p", "jobs": found.jobs})
    here = {"COPILOT_ENVIRONMENT_NAME": "prod", "AWS_REGION": "eu-west-1", "AWS_ACCOUNT_ID": "1"}
    (job,) = manifest.read(text, "jobs.yaml", here).jobs
    assert job.fields["image"].endswith(":prod")


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        ("none", None),
        (None, None),
        ("@weekly", "@weekly"),
        ("0 3 * * 1-5", "0 3 * * 1-5"),
        ("rate(5 minutes)", "*/5 * * * *"),
        ("rate(1 hour)", "0 * * * *"),
        ("rate(6 hours)", "0 */6 * * *"),
        ("rate(1 day)", "0 0 * * *"),
        ("rate(7 days)", "0 0 * * 0"),
        ("@every 15m", "*/15 * * * *"),
        ("@every 1h30m", None),
        ("@every 90s", None),
        ("rate(7 minutes)", None),
        ("cron(0 3 ? * MON-FRI *)", "0 3 * * MON-FRI"),
        ("cron(0 3 ? * 2-6 *)", "0 3 * * 1-5"),
        ("cron(0 3 ? * 1,7 *)", "0 3 * * 0,6"),
        ("cron(0/15 8-17 * * ? *)", "0-59/15 8-17 * * *"),
        ("cron(0 12 1 1/3 ? *)", "0 12 1 1-12/3 *"),
        ("cron(0 12 L * ? *)", None),
        ("cron(0 12 ? * 6L *)", None),
        ("cron(0 12 ? * 2#1 *)", None),
        ("cron(0 12 1 1 ? 2030)", None),
        ("nonsense", None),
    ],
)
def test_copilot_schedules_become_cron_expressions(given: str | None, cron: str | None) -> None:
    """A schedule without a cron expression becomes on demand, with a note."""
    notes: list[str] = []
    assert to_cron(given, notes.append) == cron
    if cron is None and given not in (None, "none"):
        assert any("choose one" in note for note in notes)
    if given is not None and given.startswith(("rate", "@every")) and cron is not None:
        assert any("by the clock" in note for note in notes)


def test_durations_in_gos_notation_become_seconds() -> None:
    """The units are `h`, `m` and `s`."""
    assert [seconds_of(text) for text in ("1h", "1h30m", "90s", "1.5h", "x", "5")] == [
        3600, 5400, 90, 5400, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("image: {build: ./Dockerfile}", "builds no images"),
        ("image: {location: a, credentials: arn}", "image.credentials has no counterpart"),
        ("image: a\nplatform: windows/amd64", "Linux containers"),
        ("image: a\ncommand: echo $HOME", "needs a shell"),
        ("image: a\ncpu: 300", "no size of Fargate's"),
        ("image: a\ncpu: 256\nmemory: 9000", "memory must be one of"),
        ("image: a\nretries: 99", "at most 10"),
        ("image: a\ntimeout: soon", "is no duration"),
        ("image: a\nsidecars: {}", "sidecars has no counterpart"),
        ("image: a\nvariables: {AWS_REGION: x}", "are taken"),
    ],
)
def test_what_a_person_must_do_by_hand_is_a_note(tmp_path: Path, part: str, said: str) -> None:
    """Each note says what has no counterpart or would be refused."""
    text = f"name: a\ntype: Scheduled Job\non: {{schedule: none}}\n{part}\n"
    assert any(said in note for note in imported(tmp_path, text).notes)


def test_services_and_other_manifests_are_not_imported(tmp_path: Path) -> None:
    """A note names the type of each manifest that is left out."""
    found = imported(tmp_path, "name: web\ntype: Load Balanced Web Service\n")
    assert found.jobs == []
    assert "Load Balanced Web Service" in found.notes[0]


def test_a_folder_without_manifests_and_a_manifest_that_is_no_yaml(tmp_path: Path) -> None:
    """Both are errors that say where the mistake is."""
    with pytest.raises(JobyardError, match=r"no manifest\.yml"):
        copilot.load(tmp_path, None)
    with pytest.raises(ManifestError, match=r"manifest\.yml:1"):
        imported(tmp_path, "a: [")


def test_the_command_writes_the_manifest_and_prints_notes_on_stderr(tmp_path: Path) -> None:
    """The command needs no settings and no network."""
    imported(tmp_path, REPORT)
    done = Shell(tmp_path, {})("import", "copilot", str(tmp_path))
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    assert [job["name"] for job in found["jobs"]] == ["report-generator"]
    assert "- report-generator: network has no counterpart" in done.stderr
