"""How a patch changes a job, and what one run may override."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import InvalidFields
from chalicelib.domain.job_spec import (
    JobPatch,
    RunOverrides,
    check_overrides,
)
from chalicelib.domain.validation import validate
from tests.http.job_bodies import HERE, SECRET, patched, spec


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    """A field that is left out stays as it is; null resets a field to its default."""
    current = spec(env={"A": "1"}, cpu=1, memory_mib=2048, schedule="@daily", secrets={"B": SECRET})
    assert patched(current) == current
    assert patched(current, name="weekly") == current.model_copy(update={"name": "weekly"})
    assert patched(current, env={"C": "2"}).env == {"C": "2"}
    assert patched(current, schedule=None).schedule is None
    reset = patched(current, env=None, cpu=None, memory_mib=None, secrets=None, schedule=None)
    assert reset == spec()


def test_a_patch_is_validated_as_the_job_that_results() -> None:
    """
    One answer lists unknown fields, wrong types, and values that do not go with the job's others.
    """
    current = spec(secrets={"A": SECRET})
    with pytest.raises(InvalidFields) as refused:
        patched(current, env={"A": "1"}, cpu=2, name=None, image=None, bogus=1, tags=["="])
    assert {error.field for error in refused.value.errors} == {
        "name",
        "image",
        "secrets.A",
        "cpu",
        "memory_mib",
        "tags.0",
        "bogus",
    }


@pytest.mark.parametrize("body", [[], None, "x"])
def test_a_patch_that_is_not_an_object_is_refused(body: Any) -> None:
    """The error is about the field `body`."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobPatch, body, HERE)
    assert [error.field for error in refused.value.errors] == ["body"]


def test_a_run_overrides_command_and_env_and_nothing_else() -> None:
    """The rules are those of a job; a field that is null counts as left out."""
    assert validate(RunOverrides, {}, HERE) == validate(
        RunOverrides, {"command": None, "env": None}, HERE
    )
    taken = validate(RunOverrides, {"command": "a 'b c'", "env": {"A": "1"}}, HERE)
    assert (taken.command, taken.env) == (["a", "b c"], {"A": "1"})
    with pytest.raises(InvalidFields) as refused:
        validate(RunOverrides, {"command": "a | b", "env": {"AWS_X": "1"}, "cpu": 1}, HERE)
    assert {error.field for error in refused.value.errors} == {"command", "env.AWS_X", "cpu"}


def test_a_run_cannot_override_a_secret_of_its_job() -> None:
    """ECS would refuse the task, so the API refuses before it creates a run."""
    overrides = validate(RunOverrides, {"env": {"DB_URL": "x", "MODE": "y"}}, HERE)
    check_overrides(overrides, {"OTHER": SECRET})
    with pytest.raises(InvalidFields) as refused:
        check_overrides(overrides, {"DB_URL": SECRET})
    assert [error.field for error in refused.value.errors] == ["env.DB_URL"]
