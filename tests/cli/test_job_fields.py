"""The client's table of a job's fields agrees with the API's models."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import cron, fields, shell_split
from chalicelib.domain.job_spec import JobSpec
from jobyard import job_fields
from jobyard.job_fields import FIELDS

SCHEMA = JobSpec.model_json_schema()
PROPERTIES: dict[str, Any] = SCHEMA["properties"]


def test_the_client_knows_every_field_of_a_job() -> None:
    """The exception is managed_by, which apply sets itself."""
    assert set(PROPERTIES) - {"managed_by"} == set(FIELDS)


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) & set(FIELDS)))
def test_defaults_of_the_client_are_those_of_the_api(name: str) -> None:
    """Otherwise every apply would change a field that the manifest leaves out."""
    assert FIELDS[name].default == JobSpec.model_fields[name].get_default(
        call_default_factory=True
    ) or (name in SCHEMA["required"] and FIELDS[name].default is None)


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) & set(FIELDS)))
def test_limits_of_the_client_are_those_of_the_api(name: str) -> None:
    """The client accepts both ends of a number's range and refuses the numbers beyond them."""
    part = next(
        (one for one in PROPERTIES[name].get("anyOf", [PROPERTIES[name]]) if "minimum" in one), None
    )
    if part is None:
        return
    low, high = part["minimum"], part["maximum"]
    for value, is_right in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        assert any(FIELDS[name].check(value)) != is_right, (name, value)


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) & set(FIELDS)))
def test_choices_of_the_api_are_among_those_of_the_client(name: str) -> None:
    """The client accepts every choice of the API."""
    for part in PROPERTIES[name].get("anyOf", [PROPERTIES[name]]):
        for choice in part.get("enum", ()):
            assert not any(FIELDS[name].check(choice)), (name, choice)


def test_fargate_sizes_and_cron_macros_of_the_client_are_those_of_the_api() -> None:
    """Both sides have the same table of Fargate's sizes and cron's macros."""
    assert job_fields.MEMORY_MIB == fields.MEMORY_MIB
    assert set(job_fields.MACROS) == set(cron.MACROS)


@settings(deadline=None)
@given(st.text("ab '\"\t-=\n*~#", max_size=30))
def test_a_command_is_split_as_the_api_splits_it(text: str) -> None:
    """This holds for every command that the client accepts; others are refused by both."""
    if any(FIELDS["command"].check(text)):
        return
    assert job_fields.command_words(text) == shell_split.split(text)


@settings(deadline=None)
@given(st.text("ab '\"\\$`&|;<>", max_size=12))
def test_the_client_refuses_every_command_that_the_api_refuses(text: str) -> None:
    """The client may refuse more than the API."""
    if any(FIELDS["command"].check(text)):
        return
    shell_split.split(text)
