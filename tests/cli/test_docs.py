"""The pages about the command line are up to date, and their examples work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from infra import cli_docs
from jobyard import manifest
from jobyard.cli import SECTIONS, command
from tests.cli.local_stack import ROOT, Shell
from tests.cli.test_copilot import REPORT


def test_docs_cli_md_is_generated_from_the_help() -> None:
    """`python -m infra.cli_docs` writes the page."""
    assert cli_docs.PAGE.read_text(encoding="utf-8") == cli_docs.page()


def every_command() -> Iterator[tuple[str, str, click.Command]]:
    with command.make_context("jobyard", [], resilient_parsing=True) as root:
        for section in SECTIONS.values():
            for name, (_, text) in section.items():
                found = command.get_command(root, name)
                assert found is not None
                yield name, text, found


def test_every_command_has_its_own_sentence_in_the_help() -> None:
    """The sentences are stored separately, so that the help need not import the commands."""
    for name, text, found in every_command():
        assert found.get_short_help_str(200) == text, name


def test_the_help_fits_80_columns_with_a_sentence_a_line(shell: Shell) -> None:
    """No sentence is cut or wrapped."""
    lines = shell("--help").stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    for name, text, _ in every_command():
        assert any(line.split() == [name, *text.split()] for line in lines), name


def examples() -> list[str]:
    """Every example line of the help; continued lines count as one."""
    found: list[str] = []
    for _, _, one in every_command():
        children = list(one.commands.values()) if isinstance(one, click.Group) else []
        for each in [one, *children]:
            assert each.epilog, each.name
            text = each.epilog.partition("Examples:\n")[2].replace("\\\n", " ")
            found += [line.strip() for line in text.splitlines()]
    return list(dict.fromkeys(found))


NOT_RUN = ("jobyard login", "jobyard --url", "jobyard mcp", "jobyard completion")
"""They ask, do not end, or write into the home directory; other tests run them."""
STATUS = {
    "jobyard delete hello": 2,  # nobody can be asked
    "jobyard apply": 2,
    "jobyard plan -f jobs.yaml --prune --detailed-exitcode": 2,  # the plan has something to do
}


@pytest.mark.parametrize("line", [one for one in examples() if not one.startswith(NOT_RUN)])
def test_an_example_of_the_help_works(shell: Shell, line: str) -> None:
    """The project has what the examples use."""
    run_id = prepare(shell, line)
    line = re.sub(r"run_01K9Z0000000000000000000AB|\bRUN\b", run_id, line)
    script = f'jobyard() {{ {shlex.quote(sys.executable)} -m jobyard "$@"; }}; {line}'
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=shell.directory,
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == STATUS.get(line, 0), done


def prepare(shell: Shell, line: str) -> str:
    """Make the jobs, files and the run that an example needs, and return the run's id."""
    jobs = [{"name": "new", "image": "any"}]
    (shell.directory / "jobs.yaml").write_text(yaml.safe_dump({"version": 1, "jobs": jobs}))
    folder = shell.directory / "copilot/report"
    folder.mkdir(parents=True)
    (folder / "manifest.yml").write_text(REPORT)
    with shell.client() as client:
        spec = {"image": "any", "command": ["sleep", "2"]}
        if "create" not in line:
            client.create_job({"name": "hello", **spec})
        job = client.create_job({"name": "nightly", **spec, "schedule": "0 3 * * *"})
        return str(
            client.trigger(job["id"], command=["sleep", "60" if "cancel" in line else "3"])["id"]
        )


def test_readmes_first_lines_work(shell: Shell) -> None:
    """Each `$ jobyard` line of the quickstart is run as it is written."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ (jobyard (?!login).*)$", text, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        done = shell(*shlex.split(line, comments=True)[1:])
        assert "Traceback" not in done.stderr
    assert "nightly" in done.stdout


def test_the_manifest_on_the_page_is_valid() -> None:
    """The variable that it uses is set."""
    text = (ROOT / "docs/jobs-as-code.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    found = manifest.read(blocks[0], "jobs.yaml", {"TAG": "1"})
    assert [job.name for job in found.jobs] == ["nightly", "backfill"]
    for block in blocks[1:]:
        assert yaml.compose(block, Loader=yaml.SafeLoader)


def test_every_page_that_a_page_links_to_exists() -> None:
    """The links of three pages about the command line are checked."""
    for page in ("README.md", "docs/cli.md", "docs/jobs-as-code.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            assert (Path(ROOT / page).parent / link).exists(), (page, link)
