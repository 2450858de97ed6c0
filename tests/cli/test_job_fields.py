"""The client's table of a job's fields says what the API's own models say."""

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
SECOND_WAVE = {"max_concurrent_runs", "jitter_seconds", "capacity", "notify"}
"""Of the contract; a stage that lacks them refuses them by name."""


def test_the_client_knows_every_field_of_a_job() -> None:
    """But managed_by, which apply sets itself."""
    assert set(PROPERTIES) - {"managed_by"} == set(FIELDS) - (SECOND_WAVE - set(PROPERTIES))


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) & set(FIELDS)))
def test_defaults_of_the_client_are_those_of_the_api(name: str) -> None:
    """Else a field that a manifest leaves out would be changed for ever."""
    assert FIELDS[name].default == JobSpec.model_fields[name].get_default(
        call_default_factory=True
    ) or (name in SCHEMA["required"] and FIELDS[name].default is None)


@pytest.mark.parametrize("name", sorted(set(PROPERTIES) & set(FIELDS)))
def test_limits_of_the_client_are_those_of_the_api(name: str) -> None:
    """What the client takes and refuses at both ends of a number's range."""
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
    """Every choice of the API's is taken."""
    for part in PROPERTIES[name].get("anyOf", [PROPERTIES[name]]):
        for choice in part.get("enum", ()):
            assert not any(FIELDS[name].check(choice)), (name, choice)


def test_fargate_sizes_and_cron_macros_of_the_client_are_those_of_the_api() -> None:
    """Facts of Fargate's and of cron's that both sides know."""
    assert job_fields.MEMORY_MIB == fields.MEMORY_MIB
    assert set(job_fields.MACROS) == set(cron.MACROS)


@settings(deadline=None)
@given(st.text("ab '\"\t-=\n*~#", max_size=30))
def test_a_command_is_split_as_the_api_splits_it(text: str) -> None:
    """Where the client takes it at all; what needs a shell it refuses, as the API does."""
    if any(FIELDS["command"].check(text)):
        return
    assert job_fields.command_words(text) == shell_split.split(text)


@settings(deadline=None)
@given(st.text("ab '\"\\$`&|;<>", max_size=12))
def test_the_client_refuses_every_command_that_the_api_refuses(text: str) -> None:
    """The client is the stricter one."""
    if any(FIELDS["command"].check(text)):
        return
    shell_split.split(text)
