"""The clock of the local stack fires the rules in moto as EventBridge would."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.local import clock as clocks
from infra.local.clock import RuleClock, Ticker, is_due
from infra.local.invoker import Invoker
from tests.local.local_yard import wait_for

FIRE = "arn:aws:lambda:eu-central-1:123456789012:function:fire"
MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TEMPLATE = '{"job": "job_1", "project": "a#b", "time": <time>}'


class Heard:
    """A function that stores the events with which it was called."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        self.events.append(event)


@pytest.fixture
def events() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("events", region_name="eu-central-1")


def put(events: Any, name: str, expression: str, **rule: Any) -> None:
    target = {
        "Id": "fire",
        "Arn": rule.pop("arn", FIRE),
        "InputTransformer": {"InputPathsMap": {"time": "$.time"}, "InputTemplate": TEMPLATE},
    }
    events.put_rule(Name=name, ScheduleExpression=expression, **rule)
    events.put_targets(Rule=name, Targets=[target])


def fired(events: Any, minute: datetime) -> list[dict[str, Any]]:
    heard, invoker = Heard(), Invoker()
    RuleClock(events, {FIRE: heard}, invoker).fire(minute)
    invoker.close()
    return heard.events


def test_an_enabled_rule_fires_at_its_minute_with_its_input(events: Any) -> None:
    """The target's transformer makes the input; `time` is the rule's minute."""
    put(events, "due", "cron(0 3 ? * MON-FRI *)")
    put(events, "later", "cron(1 3 ? * MON-FRI *)")
    expected = {"job": "job_1", "project": "a#b", "time": "2026-11-23T03:00:00Z"}
    assert fired(events, MONDAY) == [expected]


def test_a_disabled_rule_and_another_functions_rule_are_left_alone(events: Any) -> None:
    """Only enabled rules fire, and only those of functions that this stack has."""
    put(events, "off", "cron(* * * * ? *)", State="DISABLED")
    put(events, "other", "cron(* * * * ? *)", arn=f"{FIRE}-other")
    assert fired(events, MONDAY) == []


def test_every_rule_fires_however_many_pages_they_fill(events: Any) -> None:
    """ListRules returns pages, and the clock reads all of them."""
    for number in range(120):
        put(events, f"rule-{number}", "cron(0 3 * * ? *)")
    assert len(fired(events, MONDAY)) == 120


@pytest.mark.parametrize(
    ("expression", "moments"),
    [
        ("cron(0 3 ? * 2-6 *)", [MONDAY]),
        ("cron(0 3 ? * 1 *)", [MONDAY - timedelta(days=1)]),
        ("cron(*/20 3 23 11 ? 2026)", [MONDAY, MONDAY.replace(minute=20)]),
        ("cron(0 3 L * ? *)", [MONDAY.replace(day=30)]),
        ("rate(5 minutes)", [MONDAY, MONDAY.replace(minute=5)]),
        ("rate(1 hour)", [MONDAY, MONDAY.replace(hour=4)]),
    ],
)
def test_aws_cron_and_rate_expressions_fire_as_aws_documents(
    expression: str, moments: list[datetime]
) -> None:
    """A rule is due at its minutes, and not one minute earlier or later."""
    for moment in moments:
        assert is_due(expression, moment)
        assert not is_due(expression, moment + timedelta(minutes=1))
        assert not is_due(expression, moment - timedelta(minutes=1))


def test_the_moments_of_a_rule_are_those_that_aws_croniter_lists() -> None:
    """Over two days no minute is missing and no other minute is due."""
    inner = "7/13 1-5,22 ? * MON,TUE *"
    listed = clocks._cron(inner).get_next(MONDAY - timedelta(minutes=1), n=200)
    minutes = [MONDAY + timedelta(minutes=n) for n in range(2 * 24 * 60)]
    due = [minute for minute in minutes if is_due(f"cron({inner})", minute)]
    assert due == [moment for moment in listed if moment < MONDAY + timedelta(days=2)]


def test_an_input_transformer_inserts_values_without_quotes_into_strings() -> None:
    """EventBridge adds quotes only where the template has none."""
    target: Any = {
        "InputTransformer": {
            "InputPathsMap": {"at": "$.time", "all": "$.resources"},
            "InputTemplate": '{"text": "at <at> sharp", "at": <at>, "all": <all>}',
        }
    }
    event = clocks.scheduled_event("arn:aws:events:eu-central-1:123456789012:rule/r", MONDAY)
    assert clocks.target_input(target, event) == {
        "text": "at 2026-11-23T03:00:00Z sharp",
        "at": "2026-11-23T03:00:00Z",
        "all": ["arn:aws:events:eu-central-1:123456789012:rule/r"],
    }
    assert clocks.target_input({"Id": "t", "Arn": FIRE, "Input": '{"a": 1}'}, event) == {"a": 1}
    assert clocks.target_input({"Id": "t", "Arn": FIRE}, event) == event


def test_a_turn_that_fails_does_not_stop_the_clock() -> None:
    """The exception is logged, and the next turn comes."""
    turns: list[datetime] = []

    def fail(at: datetime) -> None:
        turns.append(at)
        raise RuntimeError("not this time")

    ticker = Ticker(1, fail)
    wait_for(lambda: len(turns) >= 2, "a second turn")
    ticker.close()
    assert turns[1] - turns[0] == timedelta(seconds=1)
    assert all(turn.microsecond == 0 for turn in turns)


def test_events_of_one_key_are_handled_in_their_order() -> None:
    """A later state of a task must not overtake an earlier one, even if that takes longer."""
    seen: list[int] = []

    def handle(event: dict[str, Any], context: Any) -> None:
        time.sleep(0.02 if event["number"] == 0 else 0)
        seen.append(event["number"])

    invoker = Invoker()
    for number in range(20):
        invoker.invoke(handle, {"number": number}, key="task")
    invoker.close()
    assert seen == list(range(20))


def test_a_function_that_fails_is_tried_twice_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda retries asynchronous invocations twice and then gives the event up."""
    monkeypatch.setattr("infra.local.invoker.PAUSES", (0.01, 0.01))
    tries: list[str] = []
    done = threading.Event()

    def fail(event: dict[str, Any], context: Any) -> None:
        tries.append(event["name"])
        raise RuntimeError("no")

    invoker = Invoker()
    invoker.invoke(fail, {"name": "bad"}, key="task")
    invoker.invoke(lambda *_: done.set(), {}, key="task")
    assert done.wait(10)
    invoker.close()
    assert tries == ["bad"] * 3
