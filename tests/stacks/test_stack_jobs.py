"""Jobs that are resources of stacks: what each request of CloudFormation does to them."""

from __future__ import annotations

import pytest

from tests.quotas import limit
from tests.stacks.stack import Stack
from tests.yard import rules

DAILY = "0 3 * * *"


def test_create_makes_the_job_and_answers_its_id_and_attributes(stack: Stack) -> None:
    """`Ref` is the job's id, and `Fn::GetAtt` has what other resources need."""
    event = stack.event("Create", properties={"Schedule": DAILY, "Cpu": "0.5", "MemoryMib": "1024"})
    answer = stack.send(event)
    (job_id,) = stack.jobs()
    assert answer == {
        "Status": "SUCCESS",
        "PhysicalResourceId": job_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": "Nightly",
        "Data": {
            "Id": job_id,
            "Path": f"/workspaces/acme/projects/etl/jobs/{job_id}",
            "Version": "1",
            "LogGroupName": f"/jobyard/test/{job_id}",
            "TaskDefinitionFamily": f"jobyard-test-{job_id}",
        },
    }
    job = stack.yard.call("GET", f"/jobs/{job_id}").data
    assert (job["schedule"], job["cpu"], job["memory_mib"]) == (DAILY, 0.5, 1024)
    assert job["managed_by"].startswith("cloudformation/etl/Nightly/")
    assert stack.server.headers[-1].get("Content-Type") == ""


def test_update_changes_the_job_in_place(stack: Stack) -> None:
    """A property that was removed from the template has its default again."""
    made = stack.create(Schedule=DAILY, Tags=["team=data"])
    answer = stack.ask(
        "Update", physical_id=made, properties={"Tags": ["a"]}, old_properties={"Schedule": DAILY}
    )
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", made)
    assert answer["Data"]["Version"] == "2"
    job = stack.yard.call("GET", f"/jobs/{made}").data
    assert (job["schedule"], job["tags"]) == (None, ["a"])
    assert rules() == []


@pytest.mark.parametrize("changed", ["Name", "Project", "Workspace"])
def test_another_identity_makes_another_job_and_the_first_waits_to_be_deleted(
    stack: Stack, changed: str
) -> None:
    """CloudFormation deletes the first with a separate request that has the first's properties."""
    made = stack.create()
    new = {changed: "other"}
    answer = stack.ask("Update", physical_id=made, properties=new, old_properties={})
    other = answer["PhysicalResourceId"]
    assert answer["Status"] == "SUCCESS" and other != made
    assert made in stack.jobs()
    assert stack.ask("Delete", physical_id=made)["Status"] == "SUCCESS"
    assert made not in stack.jobs()
    assert stack.yard.system.jobs_table.of_ids([other])[other] is not None


def test_rolling_back_a_replacement_goes_back_to_the_first_job(stack: Stack) -> None:
    """The first job still exists: no third job is made, and the second one is deleted."""
    made = stack.create(Schedule=DAILY)
    new = {"Name": "b", "Schedule": "0 4 * * *"}
    replaced = stack.ask("Update", physical_id=made, properties=new, old_properties={})
    second = replaced["PhysicalResourceId"]
    back = stack.ask(
        "Update", physical_id=second, properties={"Schedule": DAILY}, old_properties=new
    )
    assert (back["Status"], back["PhysicalResourceId"]) == ("SUCCESS", made)
    stack.ask("Delete", physical_id=second, properties=new)
    assert stack.jobs() == {made: "a"}


def test_a_job_that_a_failed_replacement_has_made_is_deleted_by_the_roll_back(
    stack: Stack,
) -> None:
    """CloudFormation never got the id of that job."""
    made = stack.create()
    new = {"Name": "b"}
    stack.ask("Update", physical_id=made, properties=new, old_properties={})
    back = stack.ask("Update", physical_id=made, properties={}, old_properties=new)
    assert (back["Status"], back["PhysicalResourceId"]) == ("SUCCESS", made)
    assert stack.jobs() == {made: "a"}


def test_a_refusal_has_the_apis_message_with_every_property(stack: Stack) -> None:
    """The stack's events show it; the Delete that follows finds nothing, and succeeds."""
    wrong = {"Schedule": "0 25 * * *", "MemoryMib": "513", "Wokspace": "x"}
    answer = stack.ask("Create", properties=wrong)
    assert answer["Status"] == "FAILED"
    for name in wrong:
        assert f"{name}: " in answer["Reason"]
    deleted = stack.ask("Delete", physical_id=answer["PhysicalResourceId"], properties=wrong)
    assert deleted["Status"] == "SUCCESS"
    assert stack.jobs() == {}


def test_a_refused_update_keeps_the_job_and_its_id(stack: Stack) -> None:
    """With another id CloudFormation would delete the job; the roll-back then changes nothing."""
    made = stack.create(Schedule=DAILY)
    new = {"Schedule": "never"}
    answer = stack.ask("Update", physical_id=made, properties=new, old_properties={})
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", made)
    back = stack.ask("Update", physical_id=made, properties={"Schedule": DAILY}, old_properties=new)
    assert (back["Status"], back["Data"]["Version"]) == ("SUCCESS", "1")


@pytest.mark.parametrize("logical_id", [None, "Other"])
def test_a_name_that_is_taken_is_refused_and_its_job_stays(
    stack: Stack, logical_id: str | None
) -> None:
    """A person may have made that job, or another resource of the same stack."""
    if logical_id is None:
        taken = stack.yard.create(name="a")["id"]
    else:
        taken = stack.ask("Create", logical_id=logical_id)["PhysicalResourceId"]
    answer = stack.ask("Create")
    assert answer["Status"] == "FAILED"
    assert "Another job of this project is named 'a'" in answer["Reason"]
    stack.ask("Delete", physical_id=answer["PhysicalResourceId"])
    assert stack.jobs() == {taken: "a"}


def test_replacing_never_takes_over_the_job_of_somebody_else(stack: Stack) -> None:
    """Rolling it back does not either, nor the Delete of a Create that never got an answer."""
    made = stack.create()
    taken = stack.yard.create(name="b")["id"]
    new = {"Name": "b"}
    answer = stack.ask("Update", physical_id=made, properties=new, old_properties={})
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", made)
    stack.ask("Update", physical_id=made, properties={}, old_properties=new)
    stack.ask("Delete", physical_id="etl-Nightly-1ABCDEF", properties=new)
    assert stack.jobs() == {made: "a", taken: "b"}


def test_a_job_that_somebody_deleted_is_made_again_by_the_next_update(stack: Stack) -> None:
    """Otherwise the stack could not even be rolled back; deleting the job succeeds too."""
    made = stack.create()
    stack.yard.call("DELETE", f"/jobs/{made}")
    answer = stack.ask("Update", physical_id=made, old_properties={})
    again = answer["PhysicalResourceId"]
    assert answer["Status"] == "SUCCESS" and again != made
    for _ in range(2):
        assert stack.ask("Delete", physical_id=again)["Status"] == "SUCCESS"
    assert stack.ask("Delete", physical_id=made)["Status"] == "SUCCESS"
    assert stack.jobs() == {}


def test_what_a_create_without_an_answer_has_made_is_deleted(stack: Stack) -> None:
    """CloudFormation gives up after an hour, and deletes with an id that it has invented."""
    stack.create()
    stack.ask("Delete", physical_id="etl-Nightly-1ABCDEF")
    assert stack.jobs() == {}


def test_a_retained_job_is_not_deleted_by_the_failure_to_create_it_again(stack: Stack) -> None:
    """The resource was removed with DeletionPolicy Retain, and is added again with its name."""
    made = stack.create()
    answer = stack.ask("Create")
    assert answer["Status"] == "FAILED"
    stack.ask("Delete", physical_id=answer["PhysicalResourceId"])
    assert stack.jobs() == {made: "a"}


def test_a_job_over_the_quota_of_the_workspace_fails_with_what_to_do(stack: Stack) -> None:
    limit(stack.yard, jobs=1)
    stack.yard.create(name="other")
    answer = stack.ask("Create")
    assert answer["Status"] == "FAILED"
    assert "The workspace acme has 1 job, and its quota is 1. Delete some" in answer["Reason"]
    assert len(stack.jobs()) == 1
