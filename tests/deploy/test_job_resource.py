"""The function behind a Custom::JobyardJob in the packaged template."""

from __future__ import annotations

from typing import Any

from chalicelib.http import custom_resource


def test_other_stacks_find_the_function_behind_their_jobs(template: dict[str, Any]) -> None:
    """By the name that the documentation tells them to import; it has time to answer."""
    output = template["Outputs"]["JobResourceArn"]
    assert output["Value"] == {"Fn::GetAtt": ["JobResource", "Arn"]}
    assert output["Export"] == {"Name": {"Fn::Sub": "jobyard-${Stage}-job-resource"}}
    function = template["Resources"]["JobResource"]["Properties"]
    assert function["Timeout"] >= 2 * custom_resource.ANSWER_SECONDS
    # an event that Lambda delivers later than this could act on what came after it
    assert function["EventInvokeConfig"]["MaximumEventAgeInSeconds"] <= 3600
