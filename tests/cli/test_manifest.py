"""A manifest lists the jobs of a project; all its mistakes are reported at once."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobyard import manifest
from jobyard.errors import ManifestError
from jobyard.manifest import Manifest, WantedJob
from jobyard.render import as_yaml

HEAD = "version: 1\nproject: etl\n"


def read(text: str, **environment: str) -> Manifest:
    return manifest.read(text, "jobs.yaml", environment)


def one_job(fields: str, **environment: str) -> WantedJob:
    """The only job of a manifest, with these lines added to it."""
    lines = "".join(f"    {line}\n" for line in fields.splitlines())
    return read(f"{HEAD}jobs:\n  - name: a\n    image: b\n{lines}", **environment).jobs[0]


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read(text, **environment)
    return [str(problem) for problem in caught.value.problems]


def test_the_documented_example_is_read() -> None:
    """The documentation has such a manifest."""
    text = """\
version: 1
project: etl
defaults: {cpu: 0.5, memory_mib: 1024, timezone: Europe/Berlin, tags: [team=data]}
jobs:
  - name: nightly
    image: public.ecr.aws/acme/etl:${TAG}
    command: [python, -m, etl]
    schedule: "0 3 * * 1-5"
"""
    found = read(text, TAG="1.2")
    assert (found.project, found.managed_by("etl")) == ("etl", "etl")
    assert found.jobs[0].fields == {
        "cpu": 0.5,
        "memory_mib": 1024,
        "timezone": "Europe/Berlin",
        "tags": ["team=data"],
        "name": "nightly",
        "image": "public.ecr.aws/acme/etl:1.2",
        "command": ["python", "-m", "etl"],
        "schedule": "0 3 * * 1-5",
    }


def test_every_mistake_has_its_line_field_and_what_would_be_right() -> None:
    """All mistakes are reported at once, in the order of the file."""
    text = """\
version: 1
projekt: etl
jobs:
  - name: a
    image: b
    cpu: 0.3
    shedule: "@daily"
  - name: a
    image: c
    memory_mib: 3000
    env:
      PORT: 8080
      1X: y
  - image: d
    schedule: rate(1 day)
    timeout_seconds: 0
    paused: "yes"
    command: echo $HOME
    tags: [1]
"""
    found = problems(text)
    expected = [2, 6, 7, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19]
    assert [int(line.split(":")[1]) for line in found] == expected
    said = "\n".join(found)
    for part in (
        "projekt is unknown; did you mean project?",
        "jobs[0].cpu must be one of 0.25, 0.5, 1, 2, 4, 8, 16",
        "jobs[0].shedule is unknown; did you mean schedule?",
        "jobs[1].name is taken by the job in line 4",
        "jobs[1].memory_mib must be one of 512, 1024, 2048 with cpu 0.25, not 3000",
        "jobs[1].env.PORT must be text: put 8080 in quotes",
        "jobs[1].env.1X is no variable name",
        "jobs[2].name is required",
        "jobs[2].schedule must be five fields of cron",
        "jobs[2].timeout_seconds must be a whole number from 1 to 1,209,600, not 0",
        "jobs[2].paused must be true or false, not 'yes'",
        'jobs[2].command needs a shell, and none is run: write a list, such as ["sh", "-c", "…"]',
        "jobs[2].tags[0] must be text: put 1 in quotes",
    ):
        assert part in said, said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be one document"),
        ("- a\n", "must be one document"),
        ("a: [1\n", "is not YAML"),
        ("version: 1\njobs: []\n---\nversion: 1\n", "must be one document"),
        ("project: x\njobs: []\n", "version is required"),
        ("version: 2\njobs: []\n", "version must be 1"),
        ("version: 1\n", "jobs is required"),
        ("version: 1\njobs: {}\n", "jobs is required"),
        ("version: 1\njobs: [1]\n", "jobs[0] must be names and values"),
        ("version: 1\njobs: []\nversion: 1\n", "version is there twice"),
        ("version: 1\nproject: 7\njobs: []\n", "project must be text"),
        ("version: 1\ndefaults: {name: x}\njobs: []\n", "defaults.name belongs to a single job"),
        ("version: 1\njobs: [{name: a, image: !Sub b}]\n", "has the tag !Sub"),
        ("version: 1\njobs: [{name: a, image: b, managed_by: c}]\n", "is set by apply"),
        ("version: 1\njobs: [{name: a, image: b, env: {A: x}, secrets: {A: y}}]\n", "in env too"),
        ("version: 1\njobs: [{name: a, image: b:${TAG}}]\n", "put ${NAME} in quotes"),
        ("version: 1\njobs: [{name: a, image: b, command: &a [*a]}]\n", "nests too deeply"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_manifest_is_reported_as_such(text: str, said: str) -> None:
    """The mistake is reported in one sentence with its line, without a traceback."""
    assert any(said in line for line in problems(text)), problems(text)


def test_a_small_file_that_becomes_enormous_is_refused() -> None:
    """The file has aliases of aliases of aliases."""
    text = "a0: &a0 [x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert any(
        "nests too deeply" in line
        for line in problems(f"{HEAD}{text}jobs: [{{name: a, image: b, command: *a8}}]\n")
    )


def test_variables_are_replaced_from_the_environment() -> None:
    """
    A variable may have a default, `$${` is a literal `${`, and unquoted values may be numbers.
    """
    job = one_job(
        """\
cpu: ${CPU}
memory_mib: ${MEMORY:-1024}
env:
  A: "${CPU}"
  B: ${EMPTY:-some}
  C: $${HOME} and $HOME
  D: "${EMPTY}"
""",
        CPU="0.5",
        EMPTY="",
    )
    assert (job.fields["cpu"], job.fields["memory_mib"]) == (0.5, 1024)
    assert job.fields["env"] == {"A": "0.5", "B": "some", "C": "${HOME} and $HOME", "D": ""}


def test_a_value_from_the_environment_cannot_change_the_structure_of_the_file() -> None:
    """Variables are replaced after the YAML was parsed."""
    evil = 'x"\n    paused: true\n  - name: other'
    job = one_job('env:\n  A: "${EVIL}"', EVIL=evil)
    assert job.fields["env"] == {"A": evil}


def test_a_missing_environment_variable_is_an_error() -> None:
    """It never becomes an empty text: `image: x:` would run another image."""
    found = problems(f"{HEAD}jobs:\n  - name: a\n    image: b:${{TAG}}\n")
    assert found == ["jobs.yaml:5: jobs[0].image ${TAG} is not set in the environment"]
    assert "must be ${NAME}" in problems(f"{HEAD}jobs:\n  - name: a\n    image: b:${{1}}\n")[0]


def test_a_field_of_a_job_overrides_the_default() -> None:
    """Variables are merged, null means the API's default, and a list is replaced."""
    text = """\
version: 1
defaults:
  env: {A: "1", B: "2"}
  tags: [x]
  timezone: Europe/Berlin
jobs:
  - name: a
    image: b
    env: {B: "3"}
    tags: [y]
    timezone: null
"""
    fields = read(text).jobs[0].fields
    assert fields == {"name": "a", "image": "b", "env": {"A": "1", "B": "3"}, "tags": ["y"]}


def test_merge_keys_work_and_names_that_yaml_1_1_misreads_are_strings() -> None:
    """`<<` merges, and the names `on` and `no` are not read as booleans."""
    job = one_job('env: {<<: {on: "a", B: "b"}, B: "c"}')
    assert job.fields["env"] == {"on": "a", "B": "c"}


def test_a_command_in_one_line_is_split_as_the_api_does() -> None:
    """The words may be quoted."""
    job = one_job("command: python -m etl --name 'a b'")
    assert job.fields["command"] == ["python", "-m", "etl", "--name", "a b"]


values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z]{1,4}", fullmatch=True), values, max_size=4), values)
def test_reading_a_dump_gives_the_jobs_that_were_dumped(env: dict[str, str], tail: str) -> None:
    """This holds for texts with quotes, dollars, and words that YAML reads as other types."""
    job = {"name": f"n{tail}", "image": "b", "command": ["echo", tail], "env": env, "paused": False}
    data = manifest.dump([job], workspace="w", project="p", name=None)
    found = read(as_yaml(data))
    assert found.jobs[0].fields.get("env", {}) == env
    assert found.jobs[0].fields["command"] == ["echo", tail]
    assert found.jobs[0].fields["name"] == f"n{tail}"


def test_a_dump_has_only_fields_that_differ_from_the_defaults() -> None:
    """Fields that the API sets itself are left out too."""
    job = {"id": "job_1", "name": "a", "image": "b", "cpu": 0.25, "max_retries": 2, "version": 7}
    data = manifest.dump([job], workspace=None, project="p", name="mine")
    assert data == {
        "version": 1,
        "name": "mine",
        "project": "p",
        "jobs": [{"name": "a", "image": "b", "max_retries": 2}],
    }
    assert yaml.safe_load(as_yaml(data)) == data
