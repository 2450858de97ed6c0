"""What the deployed test changes in the policies before the emulator gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.deploy.e2e import gaps


def granted(template: dict[str, Any]) -> dict[str, list[str]]:
    """For each role: every action that it grants, sorted."""
    return {
        name: sorted(
            action
            for policy in role["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in _listed(statement["Action"])
        )
        for name, role in template["Resources"].items()
        if role["Type"] == "AWS::IAM::Role"
    }


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def test_the_emulator_gets_the_actions_that_are_deployed(
    template: dict[str, Any], tmp_path: Path
) -> None:
    """
    Only resources and conditions differ, so the emulator denies an action that a function lacks.
    """
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    gaps.fit_template(path)
    assert granted(json.loads(path.read_text())) == granted(template)


def test_each_difference_is_of_an_action_that_some_function_has(template: dict[str, Any]) -> None:
    """An entry of RESOURCES that no policy needs must be removed."""
    assert set(gaps.RESOURCES) <= {action for each in granted(template).values() for action in each}
