"""The function behind a Custom::JobyardJob in the packaged template."""

from __future__ import annotations

from typing import Any

from chalicelib.http import custom_resource


def test_other_stacks_find_the_function_behind_their_jobs(template: dict[str, Any]) -> None:
    """Stacks import the name that the documentation gives, and the function has time to answer."""
    output = template["Outputs"]["JobResourceArn"]
    assert output["Value"] == {"Fn::GetAtt": ["JobResource", "Arn"]}
    assert output["Export"] == {"Name": {"Fn::Sub": "jobyard-${Stage}-job-resource"}}
    function = template["Resources"]["JobResource"]["Properties"]
    assert function["Timeout"] >= 2 * custom_resource.ANSWER_SECONDS
    # an event that Lambda delivers later than this could undo a newer change
    assert function["EventInvokeConfig"]["MaximumEventAgeInSeconds"] <= 3600
