"""
Runs the deployed function that does parts of the sweep, with its own policy.

A sweep hands parts out only when more than a hundred jobs are due, which the emulator would take
long to start. So the test sends the events that it would send.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from chalicelib.domain.sweep_parts import LAUNCHES, ShardPart
from tests.deploy.e2e import gaps
from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.test_audit import rules
from tests.deploy.e2e.usage import finished, job, wait_for

pytestmark = pytest.mark.usefixtures("verification")


def do_part(stage: Stage, part: dict[str, Any], until: datetime) -> dict[str, int]:
    """Have the function do a part; what it did."""
    answer = gaps.patient_lambda().invoke(
        FunctionName=f"jobyard-{stage.name}-sweep-part",
        Payload=json.dumps({**part, "until": until.isoformat()}).encode(),
    )
    did: dict[str, int] = json.load(answer["Payload"])
    assert "FunctionError" not in answer, did
    return did


def test_parts_claim_a_slot_whose_rule_is_gone_and_launch_its_run(stage: Stage) -> None:
    """It becomes due between two minutes, so that no sweep is first, and is due as it would be."""
    slot = (datetime.now(UTC) + timedelta(seconds=75)).replace(second=0, microsecond=0)
    due = slot + timedelta(seconds=20)
    schedule = f"{slot.minute} {slot.hour} {slot.day} {slot.month} *"
    made = job(stage, "in-parts", "echo from a part", schedule=schedule)
    events = boto3.client("events")
    for rule in rules(stage, made):
        events.remove_targets(Rule=rule["Name"], Ids=["fire"])
        events.delete_rule(Name=rule["Name"])
    changed = boto3.client("dynamodb").update_item(
        TableName=f"jobyard-{stage.name}-jobs",
        Key={"pk": {"S": "acme#etl"}, "sk": {"S": made}},
        UpdateExpression="SET work_at = :due",
        ExpressionAttributeValues={":due": {"S": f"{due:%Y-%m-%dT%H:%M:%S.%f%z}"}},
        ReturnValues="ALL_NEW",
    )
    part = ShardPart(int(changed["Attributes"]["work_shard"]["S"]))
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + 1)
    until = datetime.now(UTC)
    assert do_part(stage, part.as_event(), until)["jobs"] >= 1
    do_part(stage, LAUNCHES, until)

    def claimed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stage.ok("GET", f"jobs/{made}/runs")["runs"]
        return [run for run in found if run["error"] is None]

    run = wait_for(claimed, "the slot's run")[0]
    assert run["trigger"] == "schedule"
    assert datetime.fromisoformat(run["scheduled_for"]) == slot
    assert finished(stage, f"jobs/{made}/runs/{run['id']}")["status"] == "succeeded"
    stage.ok("DELETE", f"jobs/{made}")
