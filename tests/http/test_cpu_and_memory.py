"""Which sizes of CPU and memory go together, and what the errors say where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain import fields
from chalicelib.domain.errors import InvalidFields
from tests.http.job_bodies import errors, patched, spec


@pytest.mark.parametrize("cpu", fields.MEMORY_MIB)
def test_a_memory_that_does_not_go_with_the_cpu_lists_those_that_do(cpu: float) -> None:
    """The error lists every memory size that the CPU allows."""
    sizes = fields.MEMORY_MIB[cpu]
    for memory_mib in sizes:
        assert spec(cpu=cpu, memory_mib=memory_mib).memory_mib == memory_mib
    message = errors(cpu=cpu, memory_mib=sizes[-1] + 1)["memory_mib"]
    assert message.endswith(", ".join(map(str, sizes)))


def test_a_cpu_alone_may_not_go_with_the_default_memory() -> None:
    """The default memory must go with the CPU like any other value; the error names both fields."""
    assert errors(cpu=4) == {
        "memory_mib": "512 MiB does not go with 4 vCPU: choose one of "
        + ", ".join(str(size) for size in range(8192, 30721, 1024)),
        "cpu": "4 vCPU does not go with 512 MiB: choose one of 0.25",
    }


@pytest.mark.parametrize(
    ("current", "reset", "choices"),
    [
        ({"cpu": 4, "memory_mib": 8192}, "memory_mib", {"cpu": "0.25", "memory_mib": "8192, 9216"}),
        ({"cpu": 4, "memory_mib": 8192}, "cpu", {"cpu": "1, 2, 4", "memory_mib": "512, 1024"}),
        ({"cpu": 16, "memory_mib": 122880}, "cpu", {"cpu": "16", "memory_mib": "512, 1024, 2048"}),
        ({"cpu": 0.5, "memory_mib": 1024}, "memory_mib", {"cpu": "0.25", "memory_mib": "1024, 2"}),
    ],
)
def test_a_reset_that_does_not_go_with_the_other_field_names_both(
    current: dict[str, Any], reset: str, choices: dict[str, str]
) -> None:
    """
    `null` means the field's default; the error says for each field which values go with the other.
    """
    with pytest.raises(InvalidFields) as refused:
        patched(spec(**current), **{reset: None})
    found = {error.field: error.message for error in refused.value.errors}
    assert set(found) == {"cpu", "memory_mib"}
    for field, first in choices.items():
        assert found[field].partition("choose one of ")[2].startswith(first), found[field]


@pytest.mark.parametrize(
    ("current", "change", "outcome"),
    [
        ({"cpu": 1, "memory_mib": 2048}, {"cpu": None}, (0.25, 2048)),
        ({"cpu": 0.25, "memory_mib": 2048}, {"memory_mib": None}, (0.25, 512)),
        ({"cpu": 4, "memory_mib": 8192}, {"cpu": None, "memory_mib": None}, (0.25, 512)),
        ({"cpu": 4, "memory_mib": 8192}, {"cpu": None, "memory_mib": 1024}, (0.25, 1024)),
    ],
)
def test_a_reset_that_goes_with_the_other_field_is_taken(
    current: dict[str, Any], change: dict[str, Any], outcome: tuple[float, int]
) -> None:
    """The field gets its default and the other field stays as it is."""
    after = patched(spec(**current), **change)
    assert (after.cpu, after.memory_mib) == outcome


def test_a_memory_is_not_judged_by_a_cpu_that_is_wrong_itself() -> None:
    """One mistake gives one error."""
    assert set(errors(cpu=3, memory_mib=3)) == {"cpu"}
