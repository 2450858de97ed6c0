"""
EventBridge's refusals, which moto lacks: it takes any expression, any name and any number.

Limits: EventBridge API reference (PutRule, PutTargets) and "Amazon EventBridge quotas".
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any

from aws_croniter import AwsCroniter
from aws_croniter.exceptions import AwsCroniterExpressionError
from moto.core.exceptions import JsonRESTError
from moto.events.models import EventsBackend
from moto.events.responses import EventsHandler

from infra.local.fidelity.overlay import Overlay

RULES_PER_BUS = 300
TARGETS_PER_RULE = 5
EXPRESSION_LIMIT = 256
DESCRIPTION_LIMIT = 512
TEMPLATE_LIMIT = 8192
NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9]\d+) (?:minutes|hours|days))\)")


def _invalid(message: str) -> JsonRESTError:
    return JsonRESTError("ValidationException", message)


def check_expression(expression: str) -> None:
    """Raise what PutRule answers to a schedule that is not one."""
    if len(expression) > EXPRESSION_LIMIT:
        raise _invalid(
            "1 validation error detected: Value at 'scheduleExpression' failed to satisfy "
            f"constraint: Member must have length less than or equal to {EXPRESSION_LIMIT}"
        )
    if RATE.fullmatch(expression):
        return
    cron = re.fullmatch(r"cron\((.*)\)", expression)
    try:
        fields = AwsCroniter(cron[1]) if cron else None
    except (AwsCroniterExpressionError, ValueError):
        fields = None
    # Day-of-week takes `, - * ? L #`: `/` is not among them.
    if fields is None or "/" in fields.rules[4]:
        raise _invalid("Parameter ScheduleExpression is not valid.")


class EventsFidelity(Overlay):
    """Installed over moto's events backend; `fail_targets_next` is for tests."""

    def __init__(self, rules_per_bus: int) -> None:
        super().__init__()
        self.rules_per_bus = rules_per_bus
        self._failures: deque[tuple[str, str]] = deque()
        self.subscribers: list[Callable[[dict[str, Any]], None]] = []
        """Called with each event that PutEvents takes, as a rule's target would get it."""

    @classmethod
    def install(cls, rules_per_bus: int = RULES_PER_BUS) -> EventsFidelity:
        """Refuse from now on what EventBridge refuses; replaces an earlier one."""
        cls._take_off()
        fidelity = cls(rules_per_bus)
        fidelity._wrap(EventsBackend, "put_rule", fidelity._put_rule)
        fidelity._wrap(EventsHandler, "put_targets", fidelity._put_targets)
        fidelity._wrap(EventsHandler, "put_events", fidelity._put_events)
        return fidelity

    def fail_targets_next(self, code: str, message: str, *, times: int = 1) -> None:
        """The next `times` PutTargets answer 200 with every target under `FailedEntries`."""
        self._failures.extend([(code, message)] * times)

    def _wrap(self, owner: type, name: str, replacement: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
            return replacement(original, instance, *args, **kwargs)

        self._replace(owner, name, method)

    def _put_rule(
        self, original: Callable[..., Any], backend: Any, name: str, **request: Any
    ) -> Any:
        if not NAME.fullmatch(name):
            raise _invalid(
                f"1 validation error detected: Value '{name}' at 'name' failed to satisfy "
                "constraint: 1 to 64 characters of [.-_A-Za-z0-9]"
            )
        if len(request.get("description") or "") > DESCRIPTION_LIMIT:
            raise _invalid(f"Description is longer than {DESCRIPTION_LIMIT} characters.")
        if expression := request.get("scheduled_expression"):
            check_expression(expression)
        bus = backend._get_event_bus(backend._normalize_event_bus_arn(request.get("event_bus_arn")))
        if name in bus.rules:
            # PutRule ignores the tags of a rule that exists.
            request["tags"] = None
        elif len(bus.rules) >= self.rules_per_bus:
            raise JsonRESTError(
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            )
        return original(backend, name, **request)

    def _put_events(self, original: Callable[..., Any], handler: Any) -> Any:
        answer = original(handler)
        for entry in handler._get_param("Entries") if self.subscribers else ():
            event = {
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "resources": entry.get("Resources", []),
                "detail": json.loads(entry["Detail"]),
            }
            for subscriber in list(self.subscribers):
                subscriber(event)
        return answer

    def _put_targets(self, original: Callable[..., Any], handler: Any) -> Any:
        targets = handler._get_param("Targets")
        for target in targets:
            if not NAME.fullmatch(target["Id"]):
                raise _invalid(f"Target id '{target['Id']}' is not 1 to 64 of [.-_A-Za-z0-9].")
            template = target.get("InputTransformer", {}).get("InputTemplate", "")
            if max(len(target.get("Input", "")), len(template)) > TEMPLATE_LIMIT:
                raise _invalid(f"An input is longer than {TEMPLATE_LIMIT} characters.")
        if self._failures:
            code, message = self._failures.popleft()
            failed = [
                {"TargetId": target["Id"], "ErrorCode": code, "ErrorMessage": message}
                for target in targets
            ]
            answer = {"FailedEntryCount": len(failed), "FailedEntries": failed}
            return json.dumps(answer), handler.response_headers
        self._check_target_quota(handler, targets)
        return original(handler)

    def _check_target_quota(self, handler: Any, targets: list[dict[str, Any]]) -> None:
        backend = handler.events_backend
        bus = backend._get_event_bus(
            backend._normalize_event_bus_arn(handler._get_param("EventBusName"))
        )
        rule = bus.rules.get(handler._get_param("Rule"))
        known = {target["Id"] for target in rule.targets} if rule else set()
        if len(known | {target["Id"] for target in targets}) > TARGETS_PER_RULE:
            raise JsonRESTError(
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            )
