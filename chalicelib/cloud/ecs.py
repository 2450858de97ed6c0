"""ECS: task definitions, and tasks on Fargate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.clock import Clock
from chalicelib.cloud import aws
from chalicelib.domain.ecs_task import CONTAINER, Task, read_task
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.refusals import Refusal, refused
from chalicelib.domain.run_errors import cannot_assume_role
from chalicelib.settings import Settings

MAX_OVERRIDES = 8_192
"""Characters of RunTask's `overrides`, as JSON (RunTask, API reference)."""
DESCRIBE_LIMIT = 100
"""Tasks that one DescribeTasks takes."""
DELETE_LIMIT = 10
"""Revisions that one DeleteTaskDefinitions takes."""
_REGISTER_TRIES = 5
_STOPPED_PAGES = 20
"""Of 100 tasks: how many of a family's stopped ones are looked through for one."""


_NO_ROLE_YET = (
    "ECS cannot assume the role of the job's tasks. If it was just made, try again in a few "
    "minutes; else check that its trust policy names ecs-tasks.amazonaws.com."
)
_ON_DEMAND: dict[str, Any] = {"launchType": "FARGATE"}
_SPOT: dict[str, Any] = {
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
}
"""RunTask takes one of the two: a request that names both is refused."""
_REFUSALS = ("ClientException", "InvalidParameterException")


class ContainerRefused(Exception):
    """ECS refused a container as it is described; the text is ECS's own reason."""


@dataclass(frozen=True, slots=True)
class Described:
    """DescribeTasks' answer: what it knows, and the ARNs that it says are MISSING."""

    tasks: dict[str, Task]
    missing: frozenset[str]


def overrides(
    command: Sequence[str] | None, env: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, Any]:
    """RunTask's `overrides`: a run's own command and env, and Jobyard's own variables."""
    container: dict[str, Any] = {
        "name": CONTAINER,
        "environment": [{"name": k, "value": v} for k, v in {**env, **own}.items()],
    }
    if command is not None:
        container["command"] = list(command)
    return {"containerOverrides": [container]}


def task_tags(tags: Sequence[str]) -> list[dict[str, str]]:
    """
    A job's tags as AWS tags of its tasks: `key=value`, or a bare one with an empty value.

    The tags of the task definition are propagated too. AWS does not document which value wins where
    a key is given both ways, so no key is: a job's tags must not begin with `jobyard:`
    (fields.tag), and the definition's do. Together they are at most 22 of the 50 allowed.
    """
    pairs = (tag.partition("=") for tag in tags)
    return [{"key": key, "value": value} for key, _, value in pairs]


@dataclass(slots=True)
class Ecs:
    """The calls to ECS that Jobyard makes, on one cluster."""

    settings: Settings
    clients: aws.Clients
    clock: Clock

    @property
    def _client(self) -> Any:
        return self.clients.get("ecs")

    def register(self, definition: Mapping[str, Any]) -> str:
        """
        Register a revision: its ARN. ContainerRefused where ECS does not take the container.

        Two registrations of one family at once are refused by ECS ("Too many concurrent
        attempts to create a new revision"); the later one is tried again, with jitter. So is one
        with a role that ECS cannot assume: it may just have been made.
        """
        unavailable = aws.unavailable("register the task definition")
        for _ in self.clock.tries(_REGISTER_TRIES, first=0.4, longest=1.0):
            try:
                with aws.translated("register the task definition"):
                    answer = self._client.register_task_definition(**definition)
                return str(answer["taskDefinition"]["taskDefinitionArn"])
            except ClientError as error:
                why = aws.error_message(error)
                if cannot_assume_role(why):
                    unavailable = Unavailable(_NO_ROLE_YET, retry_after=60)
                elif "concurrent" not in why:
                    if aws.error_code(error) in _REFUSALS:
                        raise ContainerRefused(why) from error
                    raise
        raise unavailable

    def run(
        self,
        *,
        task_definition: str,
        on_spot: bool,
        client_token: str,
        started_by: str,
        overrides: Mapping[str, Any],
        tags: Sequence[Mapping[str, str]],
    ) -> str | Refusal:
        """
        Start one task, on Fargate Spot or on demand: its ARN, or the reason why ECS made none.

        `client_token` makes a repetition safe: ECS answers with the task it made before, for as
        long as that task lives and an hour more (RunTask, "Ensuring idempotency"). Unavailable: ECS
        did not answer, or refused or throttled after an attempt that it had not answered, so it is
        unknown whether it made a task. If it throttled every attempt, it made none: that is a
        refusal.
        """
        settings = self.settings
        try:
            answer = self._client.run_task(
                cluster=settings.cluster,
                taskDefinition=task_definition,
                **(_SPOT if on_spot else _ON_DEMAND),
                count=1,
                clientToken=client_token,
                startedBy=started_by,
                overrides=overrides,
                tags=list(tags),
                # else Fargate's cost cannot be split by stage and job (RunTask, `propagateTags`)
                propagateTags="TASK_DEFINITION",
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": list(settings.subnets),
                        "securityGroups": list(settings.security_groups),
                        "assignPublicIp": "ENABLED" if settings.assign_public_ip else "DISABLED",
                    }
                },
            )
        except ClientError as error:
            if aws.error_code(error) == "ConflictException":
                ids: Any = error.response.get("resourceIds")
                if ids:
                    return str(ids[0])
            is_unknown = aws.is_unavailable(error) or aws.was_retried(error)
            if is_unknown and not aws.was_only_throttled(error):
                raise aws.unavailable("start the task") from error
            return refused(aws.error_code(error), aws.error_message(error))
        except BotoCoreError as error:
            if aws.is_unavailable(error):
                raise aws.unavailable("start the task") from error
            raise
        if answer.get("tasks"):
            return str(answer["tasks"][0]["taskArn"])
        failure: dict[str, str] = next(iter(answer.get("failures") or []), {})
        refusal = refused(failure.get("reason", ""), failure.get("detail", ""))
        # ECS answers a token that has made a task with that task, before it looks at capacity
        return replace(refusal, proves_no_task=True)

    def describe(self, arns: Sequence[str]) -> Described:
        """What ECS knows about tasks, DESCRIBE_LIMIT a call; it shows a STOPPED one for an hour."""
        tasks: list[Task] = []
        missing: set[str] = set()
        for start in range(0, len(arns), DESCRIBE_LIMIT):
            with aws.translated("describe tasks"):
                answer = self._client.describe_tasks(
                    cluster=self.settings.cluster,
                    tasks=list(arns[start : start + DESCRIBE_LIMIT]),
                )
            tasks += [read_task(raw) for raw in answer["tasks"]]
            missing |= {f["arn"] for f in answer["failures"] if f.get("reason") == "MISSING"}
        return Described({task.arn: task for task in tasks}, frozenset(missing))

    def stop(self, arn: str, reason: str) -> None:
        """
        Stop a task: SIGTERM, and SIGKILL after task_definitions.STOP_TIMEOUT. Does nothing if ECS
        does not know the task any more.
        """
        try:
            with aws.translated("stop the task"):
                self._client.stop_task(cluster=self.settings.cluster, task=arn, reason=reason)
        except ClientError as error:
            if "not found" not in aws.error_message(error):
                raise

    def launched(self, family: str, started_by: str) -> list[Task]:
        """
        The tasks with that `started_by`: those whose desired status is RUNNING; if there are none,
        the stopped ones, which ECS shows for about an hour and lists only by family.
        """
        arns = self._list(startedBy=started_by)[0]
        if arns:
            return list(self.describe(arns).tasks.values())
        token: str | None = None
        for _ in range(_STOPPED_PAGES):
            arns, token = self._list(token, family=family, desiredStatus="STOPPED")
            shown = self.describe(arns).tasks.values() if arns else ()
            found = [task for task in shown if task.started_by == started_by]
            if found or token is None:
                return found
        return []

    def running(self, token: str | None) -> tuple[list[str], str | None]:
        """At most 100 ARNs of tasks whose desired status is RUNNING, and the next page's token."""
        return self._list(token)

    def _list(self, token: str | None = None, **only: str) -> tuple[list[str], str | None]:
        more = {**only, "nextToken": token} if token else only
        with aws.page("list tasks", token):
            answer = self._client.list_tasks(cluster=self.settings.cluster, **more)
        return list(answer["taskArns"]), answer.get("nextToken")

    def definitions(self, token: str | None) -> tuple[list[str], str | None]:
        """
        A page of the stage's active revisions, and the token of the next page.

        ListTaskDefinitions takes no prefix of a family, so it lists the whole account and others
        are left out here. With a hundred a call that is still far fewer calls than one per family.
        """
        more = {"nextToken": token} if token else {}
        with aws.page("list task definitions", token):
            answer = self._client.list_task_definitions(status="ACTIVE", sort="ASC", **more)
        ours = f":task-definition/{self.settings.prefix}-job_"
        return [a for a in answer["taskDefinitionArns"] if ours in a], answer.get("nextToken")

    def registered_at(self, definition: str) -> datetime | None:
        """When a revision was registered."""
        with aws.translated("describe a task definition"):
            answer = self._client.describe_task_definition(taskDefinition=definition)
        registered: datetime | None = answer["taskDefinition"].get("registeredAt")
        return registered

    def job_of(self, definition: str) -> str:
        """The job id of a revision of this stage."""
        family = definition.rpartition("/")[2].partition(":")[0]
        return family.removeprefix(f"{self.settings.prefix}-")

    def revisions(self, family: str) -> list[str]:
        """ARNs of a family's active revisions, at most 100, oldest first."""
        with aws.translated("list task definitions"):
            answer = self._client.list_task_definitions(
                familyPrefix=family, status="ACTIVE", sort="ASC"
            )
        # a family prefix matches longer names too; keep only this family
        return [arn for arn in answer["taskDefinitionArns"] if f"/{family}:" in arn]

    def retire(self, arns: Sequence[str]) -> None:
        """Deregister and delete revisions; does nothing for one that is gone already."""
        for arn in arns:
            with aws.translated("deregister a task definition"):
                self._client.deregister_task_definition(taskDefinition=arn)
        for start in range(0, len(arns), DELETE_LIMIT):
            batch = list(arns[start : start + DELETE_LIMIT])
            with aws.translated("delete task definitions"):
                self._client.delete_task_definitions(taskDefinitions=batch)
