"""
Makes infra/permissions.json, the manifest of calls: what each function needs, on any stage.

`make permissions` writes the file, and `make doctor` has IAM judge it for the roles of a stage.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from infra.deploy import FUNCTIONS
from infra.local import REGION
from infra.local.provision import ACCOUNT
from tests.deploy.permissions.calls import Needed
from tests.deploy.permissions.policies import DEFAULT_ROLE, STAGE
from tests.reliability.world import BUS

PLACEHOLDERS = (
    (DEFAULT_ROLE, "${DefaultTaskRoleArn}"),
    (f"event-bus/{BUS}", "event-bus/${EventBus}"),
    ("arn:aws:", "arn:${Partition}:"),
    (REGION, "${Region}"),
    (ACCOUNT, "${AccountId}"),
    (STAGE, "${Stage}"),
)


def manifest(calls: Iterable[tuple[str, Needed]]) -> dict[str, list[dict[str, Any]]]:
    """For each function: its actions on each resource with the same condition keys."""
    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], set[str]] = defaultdict(set)
    for function, needed in calls:
        context = tuple((key, _anywhere(value)) for key, value in needed.context)
        found[function, _anywhere(needed.arn), context].add(needed.action)
    return {
        function: [
            {"actions": sorted(actions), "resource": resource, "context": dict(context)}
            for (name, resource, context), actions in sorted(found.items())
            if name == function
        ]
        for function in FUNCTIONS
    }


def _anywhere(text: str) -> str:
    for here, placeholder in PLACEHOLDERS:
        text = text.replace(here, placeholder)
    return text


def as_text(made: dict[str, list[dict[str, Any]]]) -> str:
    return json.dumps(made, indent=1) + "\n"
