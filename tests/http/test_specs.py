"""What a job may be: its defaults, its types, and errors that are listed all at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import InvalidFields
from chalicelib.domain.job_spec import (
    CONTAINER_FIELDS,
    JobSpec,
    stored_spec,
)
from chalicelib.domain.validation import validate
from tests.http.job_bodies import HERE, MINIMAL, ROLE, SECRET, errors, spec


def test_a_name_and_an_image_make_a_job_with_the_contract_s_defaults() -> None:
    """All fields are stored, so that changing a default later changes no existing job."""
    assert spec().model_dump(mode="json") == {
        "name": "nightly",
        "image": "python:3.13-slim",
        "entrypoint": None,
        "command": None,
        "env": {},
        "secrets": {},
        "tags": [],
        "schedule": None,
        "timezone": "UTC",
        "paused": False,
        "concurrency_policy": "allow",
        "max_concurrent_runs": 1,
        "jitter_seconds": 0,
        "starting_deadline_seconds": 3600,
        "cpu": 0.25,
        "memory_mib": 512,
        "architecture": "x86_64",
        "capacity": "on_demand",
        "task_role_arn": None,
        "timeout_seconds": 86400,
        "max_retries": 0,
        "notify": ["failing", "recovered", "missed"],
        "managed_by": None,
    }


def test_a_job_with_every_field_is_stored_as_it_was_sent() -> None:
    """Only a command that is sent as a string is stored differently: as a list."""
    full: dict[str, Any] = {
        "name": "Nächtlich 🌙",
        "image": "registry.example.com:5000/team/app:1.2@sha256:" + "a" * 64,
        "entrypoint": ["/bin/tini", "--"],
        "command": ["sh", "-c", "a && b\n\tc"],
        "env": {"MODE": "full", "_x": "", "TEXT": "two\nlines\t\r\n"},
        "secrets": {"DB_URL": SECRET},
        "tags": ["team=data", "nightly", "a=b=c"],
        "schedule": "0 3 * * 1-5",
        "timezone": "Europe/Berlin",
        "paused": True,
        "concurrency_policy": "queue",
        "max_concurrent_runs": 1000,
        "jitter_seconds": 3600,
        "starting_deadline_seconds": 300,
        "cpu": 16,
        "memory_mib": 122880,
        "architecture": "arm64",
        "capacity": "spot_then_on_demand",
        "task_role_arn": ROLE,
        "timeout_seconds": 1_209_600,
        "max_retries": 10,
        "notify": ["missed", "every_failure"],
        "managed_by": "etl/jobs.yaml",
    }
    assert spec(**full).model_dump(mode="json") == full
    assert spec(command="sh -c 'a && b'").command == ["sh", "-c", "a && b"]
    assert stored_spec(json.loads(json.dumps(spec(**full).model_dump(mode="json")))) == spec(**full)


def test_every_container_field_is_a_field_of_the_spec() -> None:
    """A name in CONTAINER_FIELDS that no field has would let a change go unnoticed."""
    assert set(JobSpec.model_fields) > CONTAINER_FIELDS


def test_all_errors_are_listed_at_once_those_across_fields_too() -> None:
    """One answer lists unknown fields, wrong types, and fields that do not go together."""
    found = errors(
        name="",
        image="Python:3.13",
        entrypoint=[],
        command="a && b",
        env={"1A": "x", "AWS_REGION": "x", "N": 1},
        secrets={"X": "nothing"},
        tags=["a=1", "a=2"],
        timezone="Mars/Olympus",
        schedule="61 * * * *",
        paused="no",
        concurrency_policy="wait",
        max_concurrent_runs=0,
        jitter_seconds=3601,
        starting_deadline_seconds=299,
        cpu=4,
        memory_mib=512,
        architecture="arm",
        capacity="cheap",
        task_role_arn="arn:aws:iam::123456789012:role/Admin",
        timeout_seconds=0,
        max_retries=11,
        notify=["failing", "failing"],
        shedule="@daily",
    )
    assert set(found) == {
        "name",
        "image",
        "entrypoint",
        "command",
        "env.1A",
        "env.AWS_REGION",
        "env.N",
        "secrets.X",
        "tags",
        "timezone",
        "schedule",
        "paused",
        "concurrency_policy",
        "max_concurrent_runs",
        "jitter_seconds",
        "starting_deadline_seconds",
        "cpu",
        "memory_mib",
        "architecture",
        "capacity",
        "task_role_arn",
        "timeout_seconds",
        "max_retries",
        "notify",
        "shedule",
    }
    assert found["shedule"] == "is unknown; did you mean `schedule`?"


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
def test_a_body_that_is_no_object_is_one_error(body: Any) -> None:
    """The error is about the field `body`, since there is no other field to name."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobSpec, body, HERE)
    assert [error.field for error in refused.value.errors] == ["body"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", None),
        ("image", None),
        ("image", ["a"]),
        ("command", 1),
        ("command", {"a": "b"}),
        ("command.1", ["a", 1]),
        ("command.0", [None]),
        ("entrypoint", "sh"),
        ("env", ["A=1"]),
        ("env.A", {"A": None}),
        ("env.A", {"A": True}),
        ("secrets", "x"),
        ("tags", "x"),
        ("tags.0", [1]),
        ("schedule", 5),
        ("timezone", 5),
        ("paused", 1),
        ("paused", "true"),
        ("starting_deadline_seconds", "3600"),
        ("starting_deadline_seconds", 3600.5),
        ("cpu", "1"),
        ("cpu", True),
        ("cpu", [1]),
        ("memory_mib", 512.5),
        ("memory_mib", True),
        ("timeout_seconds", True),
        ("max_retries", "1"),
        ("task_role_arn", 1),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_converted(field: str, value: Any) -> None:
    """A string is not taken for a number, nor `true` for 1: the API does not guess."""
    assert field in errors(**{field.split(".")[0]: value})


def test_a_whole_number_may_be_written_as_json_writes_numbers() -> None:
    """Some clients write every number as a float; the value is stored as an integer."""
    taken = spec(memory_mib=1024.0, timeout_seconds=6e1, max_retries=-0.0).model_dump_json()
    assert '"memory_mib":1024,' in taken and '"timeout_seconds":60,' in taken


@pytest.mark.parametrize("field", sorted(set(JobSpec.model_fields) - {"name", "image"}))
def test_null_means_the_default(field: str) -> None:
    """This holds for a new job as for a patch; only name and image have no default."""
    assert spec(**{field: None}) == spec()


def test_the_answer_to_a_body_with_very_many_errors_is_bounded() -> None:
    """The answer to 20,000 unknown fields lists 200 errors and counts the rest."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobSpec, {f"f{n}": "x" for n in range(20_000)}, HERE)
    assert len(refused.value.errors) == 201
    assert refused.value.errors[-1].message == "19802 more fields are invalid"
    assert len(refused.value.message) < 20_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(JobSpec.model_fields)) | st.text(max_size=12), JSON, max_size=10
    )
)
def test_any_json_is_a_valid_job_or_refused_with_errors_by_field(body: dict[str, Any]) -> None:
    """No body raises another exception, and an accepted job is accepted again as it was stored."""
    taken: JobSpec | None = None
    messages: list[str] = []
    try:
        taken = validate(JobSpec, MINIMAL | body, HERE)
    except InvalidFields as refused:
        messages = [error.message for error in refused.errors]
    if taken is None:
        assert messages and all(messages)
    else:
        assert validate(JobSpec, taken.model_dump(mode="json"), HERE) == taken
