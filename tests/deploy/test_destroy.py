"""`make destroy` removes what a stage has outside CloudFormation, and nothing of another stage."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from infra import destroy
from infra.account import Refused
from infra.deploy import kept_tables
from tests.deploy.double import Refusal, install
from tests.deploy.world import World

RUN = "run_01K0000000000000000000000A"


def test_destroy_deletes_the_stages_rules_and_no_others(world: World) -> None:
    """EventBridge does not delete a rule that has targets, so the targets are removed first."""
    world.rule("dev")
    world.rule("dev-2")
    assert destroy.remove_rules("dev") == 1
    left = [rule["Name"] for rule in boto3.client("events").list_rules()["Rules"]]
    assert left == ["jobyard-dev-2-job_1-0"]


def test_tasks_of_the_stages_cluster_are_stopped(world: World) -> None:
    """ECS does not delete a cluster that has tasks."""
    world.task("dev")
    other = world.task("prod")
    assert destroy.stop_tasks("dev") == 1
    running = boto3.client("ecs").list_tasks(cluster="jobyard-prod")["taskArns"]
    assert running == [other]


def test_a_stage_without_a_cluster_has_no_tasks(world: World) -> None:
    """A first destroy may have deleted the cluster and been interrupted: the second one goes on."""
    assert destroy.stop_tasks("dev") == 0


class DeletedCluster:
    """
    ECS after a cluster was deleted: it can still be described, but not asked for tasks.

    moto lists the tasks of such a cluster; AWS answers ClusterNotFoundException.
    """

    def describe_clusters(self, clusters: list[str]) -> dict[str, Any]:
        return {"clusters": [{"clusterName": name, "status": "INACTIVE"} for name in clusters]}

    def list_tasks(self, cluster: str) -> dict[str, Any]:
        raise Refusal("ClusterNotFoundException", "The referenced cluster was inactive.")


def test_a_stage_whose_cluster_was_deleted_a_moment_ago_has_no_tasks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second destroy of a stage whose stack is gone succeeds."""
    install(monkeypatch, "ecs", DeletedCluster())
    assert destroy.running("dev") == {}
    destroy.destroy("dev", data=False)


class Exports:
    """CloudFormation with the exports of some stages, each with the stacks that import it."""

    def __init__(self, **importing: list[str]) -> None:
        self.importing = {f"jobyard-{stage}-job-resource": i for stage, i in importing.items()}

    def list_imports(self, ExportName: str) -> dict[str, Any]:
        if not self.importing.get(ExportName):
            raise Refusal("ValidationError", f"Export '{ExportName}' is not imported by any stack.")
        return {"Imports": self.importing[ExportName]}


def test_a_stage_whose_jobs_are_resources_of_stacks_is_not_destroyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CloudFormation would not delete the stack, and halted functions could not delete the jobs."""
    install(monkeypatch, "cloudformation", Exports(dev=["etl", "web"], prod=[]))
    with pytest.raises(Refused, match="etl, web"):
        destroy.refuse_while_imported("dev")
    destroy.refuse_while_imported("prod")


def test_every_revision_of_the_stages_families_is_deleted(world: World) -> None:
    """The env values of a job are in active and in inactive revisions."""
    world.definition("dev")
    ecs: Any = boto3.client("ecs")
    ecs.deregister_task_definition(taskDefinition=world.definition("dev"))
    other = world.definition("dev-2")
    assert destroy.delete_task_definitions("dev") == 1
    left = [
        arn
        for status in ("ACTIVE", "INACTIVE")
        for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]
    ]
    assert left == [other]


def test_output_of_the_stages_containers_is_deleted(world: World) -> None:
    """The logs of Jobyard's functions belong to the stack and are deleted with it."""
    for name in ("/jobyard/dev/job_1", "/jobyard/dev-2/job_1", "/aws/lambda/jobyard-dev"):
        boto3.client("logs").create_log_group(logGroupName=name)
    assert destroy.delete_log_groups("dev") == 1
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == [
        "/aws/lambda/jobyard-dev",
        "/jobyard/dev-2/job_1",
    ]


def test_what_container_insights_wrote_is_deleted(world: World) -> None:
    """CloudWatch creates this group for each cluster; it belongs to no stack."""
    for stage in ("dev", "dev-2"):
        name = f"/aws/ecs/containerinsights/jobyard-{stage}/performance"
        boto3.client("logs").create_log_group(logGroupName=name)
    assert destroy.delete_log_groups("dev") == 1
    (left,) = boto3.client("logs").describe_log_groups()["logGroups"]
    assert left["logGroupName"] == "/aws/ecs/containerinsights/jobyard-dev-2/performance"


def test_tables_are_deleted_although_they_are_protected(world: World) -> None:
    """Destroy turns the protection off first."""
    world.tables("dev")
    world.tables("dev-2")
    assert destroy.delete_tables("dev") == 3
    assert kept_tables("dev") == []
    assert len(kept_tables("dev-2")) == 3


class TableThatGoes:
    """DynamoDB with one table that is being deleted, and gone after it was described twice."""

    def __init__(self) -> None:
        self.looks = 3

    def describe_table(self, TableName: str) -> dict[str, Any]:
        self.looks -= TableName.endswith("-jobs")
        if self.looks <= 0 or not TableName.endswith("-jobs"):
            raise Refusal("ResourceNotFoundException", f"Table: {TableName} not found")
        return {"Table": {"TableName": TableName, "TableStatus": "DELETING"}}

    def update_table(self, TableName: str, **_: Any) -> None:
        raise Refusal("ResourceInUseException", f"Table is being deleted: {TableName}")

    delete_table = update_table


def test_destroy_waits_for_a_table_that_is_being_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB refuses to change or delete such a table."""
    double = TableThatGoes()
    install(monkeypatch, "dynamodb", double)
    assert destroy.delete_tables("dev") == 1
    assert double.looks == 0


def test_without_data_delete_the_data_stays(world: World) -> None:
    """Tables, task definitions and logs stay; the next `make deploy` uses them again."""
    world.tables("dev")
    world.definition("dev")
    world.rule("dev")
    boto3.client("logs").create_log_group(logGroupName="/jobyard/dev/job_1")
    destroy.destroy("dev", data=False)
    assert len(kept_tables("dev")) == 3
    assert boto3.client("events").list_rules()["Rules"] == []
    assert boto3.client("logs").describe_log_groups()["logGroups"] != []
    assert boto3.client("ecs").list_task_definitions()["taskDefinitionArns"] != []


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns a function that types a text at a terminal; None is a shell without one."""
    monkeypatch.delenv("CONFIRM", raising=False)

    class Terminal:
        def __init__(self, text: str | None) -> None:
            self.text = text

        def isatty(self) -> bool:
            return self.text is not None

        def readline(self) -> str:
            assert self.text is not None, "there is no terminal to read from"
            return self.text

    def typed(text: str | None) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(text))

    return typed


@pytest.mark.parametrize("data", [False, True])
def test_destroy_wants_the_stages_name_as_confirmation(
    world: World, monkeypatch: pytest.MonkeyPatch, type_in: Any, data: bool
) -> None:
    """The name is typed or set in CONFIRM, with or without deleting the data."""
    type_in("dev\n")
    destroy.confirm("dev", data=data)
    for wrong in ("dev-2\n", "y\n", "\n", ""):
        type_in(wrong)
        with pytest.raises(Refused, match="not confirmed"):
            destroy.confirm("dev", data=data)
    type_in(None)
    with pytest.raises(Refused, match="CONFIRM=dev"):
        destroy.confirm("dev", data=data)
    monkeypatch.setenv("CONFIRM", "dev-2")
    with pytest.raises(Refused, match="not confirmed"):
        destroy.confirm("dev", data=data)
    monkeypatch.setenv("CONFIRM", "dev")
    destroy.confirm("dev", data=data)


def test_destroy_prints_running_tasks_before_it_asks(
    world: World, capsys: pytest.CaptureFixture[str], type_in: Any
) -> None:
    """It prints the number of tasks of each job, and of those that belong to no job."""
    for started_by in (f"job_A/{RUN}/1", f"job_B/{RUN}/1", f"job_B/{RUN}/2", "somebody"):
        world.task("dev", started_by)
    world.task("prod", f"job_C/{RUN}/1")
    assert destroy.running("dev") == {"job_B": 2, "job_A": 1, "other": 1}
    type_in("dev\n")
    destroy.confirm("dev", data=False)
    said = capsys.readouterr().out
    assert "4 tasks run in stage dev" in said and "2 of job_B" in said
    assert "are kept" in said
    destroy.confirm("dev", data=True)
    assert "gone for good" in capsys.readouterr().out


def test_a_destroy_that_is_not_confirmed_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, type_in: Any
) -> None:
    """The command stops before it changes rules, tasks or tables."""
    world.rule("dev")
    task = world.task("dev")
    install(monkeypatch, "cloudformation", Exports())
    monkeypatch.setattr("sys.argv", ["destroy", "dev"])
    type_in(None)
    with pytest.raises(SystemExit, match="make destroy: nobody can be asked"):
        destroy.main()
    assert boto3.client("ecs").list_tasks(cluster="jobyard-dev")["taskArns"] == [task]
    assert len(boto3.client("events").list_rules()["Rules"]) == 1
