"""
EventBridge rules: what wakes a schedule at its minute.

Each schedule has one or two rules on the default bus. Their names, `{prefix}-{job}-{n}`, say which
job they belong to, and take at most 61 of the 64 characters allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.clock import Clock
from chalicelib.cloud import aws
from chalicelib.domain import jitter, schedule
from chalicelib.domain.errors import Unavailable
from chalicelib.settings import STAGE_TAG, Settings

TARGET_ID = "fire"
CONCURRENT = "ConcurrentModificationException"
"""
What PutRule, PutTargets, RemoveTargets and DeleteRule answer where another change of the same rule
is under way (EventBridge API reference, each one's errors; PutTargetsResultEntry). It passes, and
botocore does not try again.
"""
_TRIES = 5
RETRY = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 20}
"""The sweep starts slots whose rule did not fire, within two minutes; longer retries are no use."""


@dataclass(slots=True)
class Rules:
    """The calls to EventBridge that schedules need."""

    settings: Settings
    clients: aws.Clients
    clock: Clock

    @property
    def _client(self) -> Any:
        return self.clients.get("events")

    def render(self, job_id: str, project: str, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rules that a job should have, as PutRule takes them; none without a schedule."""
        if spec["schedule"] is None:
            return []
        plan = schedule.Schedule(spec["schedule"], spec["timezone"])
        what = (
            f"Jobyard: wakes job '{spec['name']}' ({job_id}) of {project.replace('#', '/')}, "
            f"cron '{plan.expression}' in {plan.timezone}."
        )
        delay = jitter.delay(job_id, spec)
        if delay:
            what += f" Jitter: {delay // timedelta(minutes=1)} min later."
        return [
            {
                "Name": f"{self.settings.prefix}-{job_id}-{number}",
                "ScheduleExpression": expression,
                "State": "DISABLED" if spec["paused"] else "ENABLED",
                "Description": what[:512],
            }
            for number, expression in enumerate(plan.rules(delay))
        ]

    def put(self, job_id: str, project: str, rules: Sequence[Mapping[str, Any]]) -> int:
        """
        Make rules, or make them as they should be, with their target, in the order given.

        How many there are now: fewer than were given where the bus has no room for another
        (LimitExceededException: EventBridge API reference, PutRule).
        """
        for made, rule in enumerate(rules):
            try:
                self._put_rule(rule, job_id)
            except ClientError as error:
                if aws.error_code(error) == aws.QUOTA_REACHED:
                    return made
                raise
            self._put_target(rule["Name"], job_id, project)
        return len(rules)

    def put_all(self, job_id: str, project: str, rules: Sequence[Mapping[str, Any]]) -> bool:
        """Make new rules, all or none; False: the bus has no room for all, and none is there."""
        made = self.put(job_id, project, rules)
        if made < len(rules):
            self.remove([rule["Name"] for rule in rules[:made]])
        return made == len(rules)

    def _put_rule(self, rule: Mapping[str, Any], job_id: str) -> None:
        tags = [
            {"Key": STAGE_TAG, "Value": self.settings.stage},
            {"Key": "jobyard:job", "Value": job_id},
        ]
        # tags count when the rule is made; EventBridge ignores them on an update (PutRule)
        self._change("make the schedule's rule", self._client.put_rule, **rule, Tags=tags)

    def _put_target(self, rule: str, job_id: str, project: str) -> None:
        """Unavailable where the rule is gone: somebody deletes the job at the same time."""
        what = "make the schedule's target"
        targets = [self.target(job_id, project)]
        try:
            self._change(what, self._client.put_targets, Rule=rule, Targets=targets)
        except ClientError as error:
            if aws.error_code(error) != "ResourceNotFoundException":
                raise
            raise Unavailable(f"The rule was removed meanwhile: could not {what}.") from error

    def _change(self, what: str, call: Callable[..., dict[str, Any]], **request: Any) -> None:
        """
        Make a call that changes a rule, and repeat it with jitter while another change is under
        way.

        Unavailable: the other change was still under way after _TRIES or at the caller's deadline,
        or EventBridge did not add or remove a target.
        """
        for _ in self.clock.tries(_TRIES, first=0.2, longest=1.0):
            code = _failure(what, call, request)
            if code is None:
                return
            if code != CONCURRENT:
                raise Unavailable(f"EventBridge refused to {what}: {code}. Try again.")
        raise Unavailable(
            f"Other changes of the same rule are under way: could not {what}. Try again.",
            retry_after=1,
        )

    def target(self, job_id: str, project: str) -> dict[str, Any]:
        """The fire function, told which job and which slot."""
        target: dict[str, Any] = {
            "Id": TARGET_ID,
            "Arn": self.settings.fire_function_arn,
            "InputTransformer": {
                "InputPathsMap": {"time": "$.time"},
                "InputTemplate": json.dumps({"project": project, "job": job_id})[:-1]
                + ', "time": <time>}',
            },
            "RetryPolicy": RETRY,
        }
        if self.settings.rule_dead_letter_arn:
            target["DeadLetterConfig"] = {"Arn": self.settings.rule_dead_letter_arn}
        return target

    def remove(self, names: Sequence[str]) -> None:
        """Remove rules with their targets; those that are gone already are fine."""
        for name in names:
            try:
                # a rule with targets cannot be deleted
                self._change(
                    "remove a rule's target",
                    self._client.remove_targets,
                    Rule=name,
                    Ids=[TARGET_ID],
                )
                self._change("remove a rule", self._client.delete_rule, Name=name)
            except ClientError as error:
                if aws.error_code(error) != "ResourceNotFoundException":
                    raise

    def of_job(self, job_id: str) -> list[dict[str, Any]]:
        """A job's rules as they are, as ListRules shows them."""
        with aws.translated("list rules"):
            answer = self._client.list_rules(NamePrefix=f"{self.settings.prefix}-{job_id}-")
        return list(answer["Rules"])

    def all(self, token: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the stage's rules, and how to go on."""
        more = {"NextToken": token} if token else {}
        with aws.page("list rules", token):
            answer = self._client.list_rules(
                NamePrefix=f"{self.settings.prefix}-job_", Limit=limit, **more
            )
        return list(answer["Rules"]), answer.get("NextToken")

    def job_of(self, name: str) -> str:
        """The job id of a rule of this stage."""
        return name.removeprefix(f"{self.settings.prefix}-").rpartition("-")[0]

    def targets(self, name: str) -> list[dict[str, Any]]:
        """A rule's targets as they are."""
        try:
            with aws.translated("list a rule's targets"):
                return list(self._client.list_targets_by_rule(Rule=name)["Targets"])
        except ClientError as error:
            if aws.error_code(error) == "ResourceNotFoundException":
                return []
            raise


def _failure(
    what: str, call: Callable[..., dict[str, Any]], request: Mapping[str, Any]
) -> str | None:
    """
    Call EventBridge: None where all was done, else CONCURRENT or the code of a target's failure.

    PutTargets and RemoveTargets answer 200 although a target failed.
    """
    try:
        with aws.translated(what):
            answer = call(**request)
    except ClientError as error:
        if aws.error_code(error) != CONCURRENT:
            raise
        return CONCURRENT
    failed = answer.get("FailedEntries") or []
    return str(failed[0].get("ErrorCode")) if failed else None
