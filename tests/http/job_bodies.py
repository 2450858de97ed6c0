"""Job bodies for the tests of the field rules, and functions that validate them."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import InvalidFields
from chalicelib.domain.fields import Tenancy
from chalicelib.domain.job_spec import (
    JobPatch,
    JobSpec,
    apply_patch,
)
from chalicelib.domain.validation import validate

HERE = Tenancy(
    "dev",
    "acme",
    (
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jobs/{workspace}/",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/{workspace}",
    ),
    "arn:aws:iam::123456789012:",
)

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jobs/acme/db-AbCdEf"

ROLE = "arn:aws:iam::123456789012:role/jobyard/dev/acme/etl"

MINIMAL = {"name": "nightly", "image": "python:3.13-slim"}


def spec(**changes: Any) -> JobSpec:
    return validate(JobSpec, MINIMAL | changes, HERE)


def errors(tenancy: Tenancy | None = HERE, **changes: Any) -> dict[str, str]:
    """Validate a job that must be refused, and return the message of each wrong field."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobSpec, MINIMAL | changes, tenancy)
    return {error.field: error.message for error in refused.value.errors}


def patched(current: JobSpec, **changes: Any) -> JobSpec:
    return apply_patch(current, validate(JobPatch, changes, HERE))
