"""
The rule clock: fires the scheduled rules that are stored in moto, at their minute.

It reads AWS's own syntax and sends what EventBridge sends, through the target's input
transformer, to the function that the target names. It fires only the present minute: a machine
that slept does not make up for what it missed, the sweep does.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aws_croniter import AwsCroniter

from infra.local.invoker import Function, Invoker

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import RuleTypeDef, TargetOutputTypeDef

log = logging.getLogger(__name__)


class RuleClock:
    """Fires rules; `functions` are those that targets may name, by ARN."""

    def __init__(
        self, client: EventBridgeClient, functions: Mapping[str, Function], invoker: Invoker
    ) -> None:
        self._client = client
        self._functions = functions
        self._invoker = invoker

    def fire(self, minute: datetime) -> int:
        """Fire every enabled rule that is due at `minute` (aware); how many targets heard."""
        fired = 0
        for page in self._client.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                expression = rule.get("ScheduleExpression")
                if rule["State"] == "ENABLED" and expression and is_due(expression, minute):
                    fired += self._send(rule, minute)
        return fired

    def _send(self, rule: RuleTypeDef, minute: datetime) -> int:
        event = scheduled_event(rule["Arn"], minute)
        targets = self._client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        known = [target for target in targets if target["Arn"] in self._functions]
        for target in known:
            function = self._functions[target["Arn"]]
            self._invoker.invoke(function, target_input(target, event), key=rule["Name"])
        return len(known)


class Ticker:
    """Calls a function at every full `seconds` of the clock, in a thread of its own."""

    def __init__(self, seconds: int, call: Callable[[datetime], object]) -> None:
        self._seconds = seconds
        self._call = call
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"every-{seconds}s", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _loop(self) -> None:
        last = int(time.time()) // self._seconds
        while not self._stopping.wait((last + 1) * self._seconds - time.time()):
            turn = int(time.time()) // self._seconds
            if turn <= last:
                # The wait ended a moment early, or the clock was set back.
                last = turn
                continue
            last = turn
            try:
                self._call(datetime.fromtimestamp(turn * self._seconds, UTC))
            except Exception:
                log.exception("a turn failed; the next one is in %s s", self._seconds)


@lru_cache(maxsize=1024)
def _cron(expression: str) -> AwsCroniter:
    return AwsCroniter(expression)


def is_due(expression: str, minute: datetime) -> bool:
    """Whether a rule with that `cron(...)` or `rate(...)` fires at `minute`."""
    kind, _, inner = expression.rstrip(")").partition("(")
    if kind == "rate":
        number, unit = inner.split()
        minutes = int(number) * {"m": 1, "h": 60, "d": 1440}[unit[0]]
        return int(minute.timestamp()) // 60 % minutes == 0
    moment = minute.astimezone(UTC).replace(tzinfo=UTC) - timedelta(minutes=1)
    return bool(_cron(inner).get_next(moment)[0] == minute)


def scheduled_event(rule_arn: str, minute: datetime) -> dict[str, Any]:
    """The event that EventBridge makes for a scheduled rule (EventBridge user guide)."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": minute.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }


def target_input(target: TargetOutputTypeDef, event: dict[str, Any]) -> dict[str, Any]:
    """The event as this target wants it: a constant, transformed, or as it is."""
    if constant := target.get("Input"):
        return dict(json.loads(constant))
    transformer = target.get("InputTransformer")
    return event if transformer is None else dict(transformed(transformer, event))


def transformed(transformer: Mapping[str, Any], event: dict[str, Any]) -> Any:
    """What an input transformer makes of an event: a template of JSON with the event's values."""
    paths = transformer.get("InputPathsMap", {})
    values = {name: _at(event, path) for name, path in paths.items()}
    template = transformer["InputTemplate"]

    def fill(match: re.Match[str]) -> str:
        value = values[match[1]]
        # Within a JSON string a value is inserted bare, elsewhere as JSON.
        is_in_string = len(re.findall(r'(?<!\\)"', template[: match.start()])) % 2 == 1
        return str(value) if is_in_string else json.dumps(value)

    return json.loads(re.sub(r"<([\w.-]+)>", fill, template))


def _at(event: dict[str, Any], path: str) -> Any:
    """A plain JSON path, `$.a.b`."""
    value: Any = event
    for key in path.removeprefix("$").strip(".").split("."):
        value = value[key] if key else value
    return value
