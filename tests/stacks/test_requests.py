"""The properties of a Custom::JobyardJob become a job; errors name the property."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import stack_request
from chalicelib.domain.errors import InvalidFields
from chalicelib.domain.job_spec import JobSpec
from tests.http.job_bodies import HERE, ROLE, SECRET
from tests.stacks.events import stack_event, stack_properties


def spec(**properties: Any) -> JobSpec:
    return stack_request.spec(
        stack_request.read(stack_event("Create", properties=properties)), HERE
    )


def errors(**properties: Any) -> dict[str, str]:
    """The message of each wrong property, of properties that must be refused."""
    with pytest.raises(InvalidFields) as refused:
        spec(**properties)
    return {error.field: error.message for error in refused.value.errors}


def as_cloudformation_sends(value: Any) -> Any:
    """CloudFormation sends every number and every boolean as a string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value


EVERY_FIELD: dict[str, Any] = {
    "name": "nightly",
    "image": "python:3.13-slim",
    "entrypoint": ["/bin/sh", "-c"],
    "command": ["echo 1"],
    "env": {"MODE": "full", "COUNT": "3"},
    "secrets": {"DB_URL": SECRET},
    "tags": ["team=data"],
    "timezone": "Europe/Berlin",
    "schedule": "0 3 * * 1-5",
    "paused": True,
    "concurrency_policy": "queue",
    "max_concurrent_runs": 3,
    "jitter_seconds": 900,
    "starting_deadline_seconds": 600,
    "cpu": 0.5,
    "memory_mib": 2048,
    "architecture": "arm64",
    "capacity": "spot",
    "task_role_arn": ROLE,
    "timeout_seconds": 900,
    "max_retries": 2,
    "notify": ["every_failure", "missed"],
}


def test_every_field_of_a_job_has_a_property() -> None:
    """Its name is in CloudFormation's style, and its value is converted from a string."""
    assert EVERY_FIELD.keys() | {"managed_by"} == JobSpec.model_fields.keys()
    properties = {
        stack_request.property_name(name): as_cloudformation_sends(value)
        for name, value in EVERY_FIELD.items()
    }
    assert (properties["MemoryMib"], properties["Cpu"], properties["Paused"]) == (
        "2048",
        "0.5",
        "true",
    )
    made = spec(**properties).model_dump(mode="json")
    assert made.pop("managed_by") == stack_request.read(stack_event("Create")).owner
    assert made == EVERY_FIELD


@given(
    st.sampled_from([name for name, value in EVERY_FIELD.items() if isinstance(value, int)]),
    st.integers(0, 200_000) | st.booleans(),
)
def test_a_string_is_taken_exactly_where_its_value_would_be(name: str, value: Any) -> None:
    """The conversion makes no invalid value valid and no valid value invalid."""
    properties = {stack_request.property_name(name): value}
    as_text = {stack_request.property_name(name): as_cloudformation_sends(value)}

    def outcome(given: dict[str, Any]) -> Any:
        try:
            return spec(**given)
        except InvalidFields as refused:
            return refused.message

    assert outcome(properties) == outcome(as_text)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Paused", "yes", "must be true or false"),
        ("Paused", "", "must be true or false"),
        ("MemoryMib", "512 MiB", "must be a whole number"),
        ("MaxRetries", "1.5", "must be a whole number"),
        ("MaxRetries", "٣", "must be a whole number"),
        ("MaxRetries", "9" * 5_000, "must be a whole number"),
        ("Cpu", "nan", "must be one of 0.25, 0.5, 1, 2, 4, 8, 16 (vCPU)"),
        ("Schedul", "0 3 * * *", "is unknown; did you mean `Schedule`?"),
        ("schedule", "0 3 * * *", "is unknown; did you mean `Schedule`?"),
        ("ManagedBy", "me", "is set by Jobyard: it names the stack and the resource"),
        (
            "Workspace",
            "a/b",
            "must be 1 to 63 of A-Z a-z 0-9 _ -, beginning with a letter or a digit",
        ),
        ("Project", "", "must be 1 to 63 of A-Z a-z 0-9 _ -, beginning with a letter or a digit"),
    ],
)
def test_a_mistake_is_named_by_its_property(name: str, value: str, message: str) -> None:
    """The message is the API's, if the API has one."""
    assert errors(**{name: value}) == {name: message}


def test_all_mistakes_are_named_at_once() -> None:
    """One answer has those of Jobyard's own properties, unknown ones, and those of the job."""
    found = errors(Project="?", Imag="a", MemoryMib="1", Env={"JOBYARD_X": "1"}, Command=[])
    assert found.keys() == {"Project", "Imag", "MemoryMib", "Env.JOBYARD_X", "Command"}


def test_what_cloudformation_adds_is_no_mistake() -> None:
    """The properties include the function's ARN and the resource's time-out."""
    assert spec(ServiceTimeout="120").name == "a"


def test_an_owner_is_one_resource_of_one_stack_and_fits() -> None:
    """
    This holds for the longest names that CloudFormation allows, and for a stack that was recreated.
    """

    def owner(stack: str, logical_id: str) -> str:
        event = stack_event("Create", logical_id=logical_id)
        arn = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{stack}"
        return stack_request.read({**event, "StackId": arn}).owner

    assert owner("etl/1", "Nightly").startswith("cloudformation/etl/Nightly/")
    names = [("etl/1", "A"), ("etl/2", "A"), ("etl/1", "B"), (f"{'s' * 128}/1", "A" * 255)]
    names += [(f"{'s' * 128}/1", "A" * 254 + "B")]
    owners = {owner(*name) for name in names}
    assert len(owners) == len(names)
    assert max(map(len, owners)) <= 128


def test_a_request_without_its_parts_is_read_all_the_same() -> None:
    """Such a request can still be answered if it has a response URL."""
    request = stack_request.read({"RequestType": "Create"})
    assert (request.project, request.physical_id) == (None, "")
    assert stack_request.read({"ResourceProperties": stack_properties()}).project == "acme#etl"
