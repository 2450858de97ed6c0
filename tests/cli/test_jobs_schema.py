"""The JSON Schema of jobs.yaml accepts what `jobyard plan` accepts, and refuses what it refuses."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.http import jobs_schema
from infra.package import ROOT
from jobyard import manifest
from jobyard.errors import ManifestError
from jobyard.job_fields import FIELDS
from tests.yard import Yard

SCHEMA = jsonschema_rs.Draft7Validator(jobs_schema.build())
ENVIRONMENT = {"TAG": "1.2", "CPU": "0.25", "N": "3", "ON": "true", "WORD": "x"}
ARN = "arn:aws:iam::123456789012:role/jobyard/dev/acme/etl"
VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "image": (["python:3.13", "acme/etl:${TAG}", "${WORD}"], [3, [], "", "Not An Image"]),
    "entrypoint": ([["sh", "-c"], ["${WORD}"], None], [[], "sh", [3], {}]),
    "command": (["echo 1", ["a", "${WORD}"], "echo ${WORD}", ["$${x"], None], [[], 3, [1], ""]),
    "env": ([{"A": "1", "B": "${WORD}"}, {}, None], [{"A": 1}, {"1A": "x"}, {"A-B": "x"}, []]),
    "secrets": ([{"db": "arn:aws:ssm:r:1:p"}, {"db": "${WORD}"}, {}], [{"db": 1}, []]),
    "tags": ([["team=data"], ["${WORD}=1"], [], None], ["a", [1], [f"t{n}" for n in range(21)]]),
    "timezone": (["Europe/Berlin", "${WORD}", None], [3, []]),
    "schedule": (
        ["0 3 * * 1-5", "@daily", "@Daily", " 0 3 * * * ", "0 ${N} * * *", None],
        ["0 3 * *", "@sometimes", 3, "", "cron(0 3 * * ? *)", "0 3 * * * *"],
    ),
    "paused": ([True, False, "${ON}", None], ["yes", 1, "true"]),
    "concurrency_policy": (["allow", "forbid", "queue", None], ["never", "", True]),
    "max_concurrent_runs": ([1, 1_000, "${N}", None], [0, 1_001, "1", 1.5, True]),
    "jitter_seconds": ([0, 3_600, "${N}", None], [-1, 3_601, "1", 1.5, True]),
    "starting_deadline_seconds": ([300, 86_400, None], [299, 86_401, "300", 300.5, True]),
    "cpu": ([0.25, "${CPU}", None], [0.3, 32, "0.25", True]),
    "memory_mib": ([512, 1024, None], [511, 122_881, "512", 512.5]),
    "architecture": (["arm64", None], ["amd64", 64]),
    "capacity": (["spot", "spot_then_on_demand", None], ["cheap", "", True, 1]),
    "task_role_arn": ([ARN, "${WORD}", None], [3, "x" * 701]),
    "timeout_seconds": ([1, 1_209_600, None], [0, 1_209_601, "1"]),
    "max_retries": ([0, 10, "${N}", None], [-1, 11, "1", True]),
    "notify": ([["missed", "failing"], [], None], ["failing", ["never"], [1], ["missed"] * 2]),
}
"""By field, values that are right and values that are wrong, whatever the other fields are."""


def is_read(data: Any) -> bool:
    """Whether `jobyard plan` takes the file with this data, as YAML writes it."""
    try:
        manifest.read(yaml.safe_dump(data), "jobs.yaml", ENVIRONMENT)
    except ManifestError:
        return False
    return True


def both(data: Any) -> bool:
    """What both say of the file; AssertionError where they disagree."""
    taken = is_read(data)
    assert SCHEMA.is_valid(data) == taken, (taken, data)
    return taken


def job(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "jobs": [{"name": "a", "image": "b", **fields}]}


def test_the_schema_is_served_without_a_token_and_is_valid(yard: Yard) -> None:
    """An editor reads it; it has a default and a description of each field."""
    answer = yard.call("GET", "/jobs.schema.json", headers={"Authorization": ""}, base="")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert jsonschema_rs.meta.is_valid(answer.envelope)
    shown = answer.envelope["properties"]["jobs"]["items"]["properties"]
    assert shown["timezone"]["default"] == "UTC" and shown["tags"]["default"] == []
    assert shown["schedule"]["description"].startswith("Five-field cron")
    assert "managed_by" not in shown
    assert shown.keys() <= FIELDS.keys() and shown.keys() == VALUES.keys() | {"name"}


@pytest.mark.parametrize("name", VALUES)
def test_each_value_of_a_field_is_taken_by_both_or_by_neither(name: str) -> None:
    """In a job, and in `defaults`."""
    right, wrong = VALUES[name]
    for value in right:
        if name != "image" or value is not None:
            assert both(job(**{name: value})), value
        assert both({**job(), "defaults": {name: value}}), value
    for value in wrong:
        assert not SCHEMA.is_valid(job(**{name: value})), value
        if not (name == "image" and value == "Not An Image"):  # the API says that, to plan too
            assert not is_read(job(**{name: value})), value


@settings(deadline=None)
@given(st.data())
def test_a_file_is_right_for_the_schema_exactly_if_all_its_values_are_right(data: Any) -> None:
    """Whatever their combination, in defaults and jobs."""

    def some(names: list[str]) -> dict[str, Any]:
        chosen = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
        return {n: data.draw(st.sampled_from(VALUES[n][0] + VALUES[n][1][:1])) for n in chosen}

    names = [name for name in VALUES if name not in ("env", "secrets", "image")]
    jobs = [
        {"name": f"j{n}", "image": "b", **some(names)} for n in range(data.draw(st.integers(0, 2)))
    ]
    both({"version": 1, "project": "p", "defaults": some(names), "jobs": jobs})


@pytest.mark.parametrize(
    "data",
    [
        {"version": 1},
        {"jobs": []},
        {"version": 2, "jobs": []},
        {"version": 1, "jobs": {}},
        {"version": 1, "jobs": ["a"]},
        {"version": 1, "jobs": [{"name": "a"}]},
        {"version": 1, "jobs": [{"image": "a"}]},
        {"version": 1, "jobs": [{"name": "a", "image": None}]},
        {"version": 1, "defaults": {"name": "a"}, "jobs": []},
        {"version": 1, "defaults": {"managed_by": "a"}, "jobs": []},
        {"version": 1, "defaults": [], "jobs": []},
        {"version": 1, "project": 3, "jobs": []},
        {"version": 1, "project": "", "jobs": []},
        {"version": 1, "job": [], "jobs": []},
        job(schedul="0 3 * * *"),
        job(managed_by="me"),
        [],
        "x",
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_by_both(data: Any) -> None:
    """Missing parts, unknown parts, and parts in the wrong place."""
    assert not both(data)


def test_an_image_in_defaults_is_that_of_every_job() -> None:
    """Jobs need none of their own then."""
    assert both({"version": 1, "defaults": {"image": "b"}, "jobs": [{"name": "a"}]})
    assert not both({"version": 1, "defaults": {"image": None}, "jobs": [{"name": "a"}]})
    assert both({"version": 1, "jobs": []})


def test_the_example_of_the_documentation_and_the_files_of_other_tests_are_right() -> None:
    """What people copy must not be underlined in their editors."""
    page = (ROOT / "docs" / "jobs-as-code.md").read_text()
    (example,) = re.findall(r"```yaml\n(# yaml-language-server.*?)```", page, re.DOTALL)
    assert both(yaml.safe_load(example))


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.from_regex("[A-Z]{1,3}", fullmatch=True), st.text("a$}{ \n", max_size=9)))
def test_a_dump_is_right_for_the_schema(env: dict[str, str]) -> None:
    """An editor that opens it has nothing to say, whatever the values hold."""
    shown = {**{name: VALUES[name][0][0] for name in VALUES}, "env": env, "command": ["${A}"]}
    jobs = [{"name": "a", **shown, "image": "b", "tags": ["t"]}]
    assert both(manifest.dump(jobs, workspace="w", project="p", name=None))
