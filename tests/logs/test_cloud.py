"""Making and deleting log groups, and CloudWatch's behaviour in the fidelity layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.cloud.logs import quoted
from chalicelib.domain.errors import Unavailable
from infra.local.fidelity.log_patterns import BadPattern, matcher
from tests.logs.log_world import World, make_world

STREAM = "run/main/aaaa"


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        made.client.create_log_stream(logGroupName=made.group, logStreamName=STREAM)
        yield made


def put(world: World, *lines: tuple[int, str], stream: str = STREAM) -> dict[str, Any]:
    events = [{"timestamp": world.ms + at, "message": text} for at, text in lines]
    answer: dict[str, Any] = world.client.put_log_events(
        logGroupName=world.group, logStreamName=stream, logEvents=events
    )
    return answer


def get(world: World, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.client.get_log_events(
        logGroupName=world.group, logStreamName=STREAM, **request
    )
    return answer


def search(world: World, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.client.filter_log_events(logGroupName=world.group, **request)
    return answer


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def code_of(call: Any, *args: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*args, **request)
    return str(caught.value.response["Error"]["Code"])


# --- log groups -----------------------------------------------------------------------------


def test_a_log_group_is_made_and_removed_any_number_of_times(world: World) -> None:
    """A group that exists without a retention, as after a crash, gets it."""
    logs = world.system.cloudwatch_logs
    name = "/jobyard/test/job_x"
    world.client.create_log_group(logGroupName=name)
    for _ in range(2):
        logs.create_group(name, 30, {"jobyard:stage": "test"})
    (group,) = world.client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 30
    for _ in range(2):
        logs.delete_group(name)
    assert logs.list_groups(name) == ([], None)


def test_all_log_groups_of_a_stage_can_be_listed(world: World) -> None:
    """CloudWatch returns 50 groups a page; groups of other stages are left out."""
    logs = world.system.cloudwatch_logs
    names = [f"/jobyard/prod/job_{n:03d}" for n in range(60)]
    for name in [*names, "/jobyard/test/job_x"]:
        world.client.create_log_group(logGroupName=name)
    first, token = logs.list_groups("/jobyard/prod/")
    assert token is not None
    second, end = logs.list_groups("/jobyard/prod/", token)
    assert (first + second, end) == (names, None)


def test_concurrent_or_throttled_calls_on_a_log_group_are_unavailable(world: World) -> None:
    world.try_once()
    world.cloudwatch.refuse_next("DeleteLogGroup", "OperationAbortedException")
    with pytest.raises(Unavailable):
        world.system.cloudwatch_logs.delete_group(world.group)
    world.system.cloudwatch_logs.delete_group(world.group)
    world.cloudwatch.refuse_next("CreateLogGroup", "ThrottlingException")
    with pytest.raises(Unavailable):
        world.system.cloudwatch_logs.create_group(world.group, 30)
    world.system.cloudwatch_logs.create_group(world.group, 30)


# --- PutLogEvents ---------------------------------------------------------------------------


def test_put_log_events_refuses_what_cloudwatch_refuses(world: World) -> None:
    """
    It refuses over 1 MiB with 26 bytes for each event, events out of order, and over 24 hours.
    """
    assert code_of(put, world, (5, "b"), (4, "a")) == "InvalidParameterException"
    assert code_of(put, world, (0, "a"), (24 * 3_600_000 + 1, "b")) == "InvalidParameterException"
    assert code_of(put, world, (0, "x" * (1_048_576 - 25))) == "InvalidParameterException"
    fitting = "x" * (524_288 - 26)
    assert code_of(put, world, (0, fitting), (0, fitting + "x")) == "InvalidParameterException"
    put(world, (0, fitting), (0, fitting))
    assert code_of(put, world, (0, "a"), stream="elsewhere") == "ResourceNotFoundException"
    assert len(messages(get(world))) == 2


def test_events_too_old_or_too_new_are_rejected_alone(world: World) -> None:
    hour = 3_600_000
    answer = put(world, (0, "now"), (3 * hour, "too new"))
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    answer = put(world, (-14 * 24 * hour - 1, "too old"), (-14 * 24 * hour, "old"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert messages(get(world)) == ["old", "now"]


# --- GetLogEvents ---------------------------------------------------------------------------


def test_a_stream_is_read_from_its_tail_unless_told(world: World) -> None:
    put(world, *((n, str(n)) for n in range(10)))
    assert messages(get(world, limit=3)) == ["7", "8", "9"]
    assert messages(get(world, limit=3, startFromHead=True)) == ["0", "1", "2"]
    window = {"startTime": world.ms + 2, "endTime": world.ms + 5}
    assert messages(get(world, **window)) == ["2", "3", "4"]


def test_forward_tokens_stay_exact_while_lines_are_added(world: World) -> None:
    """
    This holds within one millisecond too; at the end the token repeats, and later reads go on from
    it.
    """
    put(world, (0, "a"), (0, "b"))
    token = get(world, limit=1)["nextForwardToken"]
    assert get(world, nextToken=token, startFromHead=True)["nextForwardToken"] == token
    put(world, (0, "c"), (1, "d"))
    page = get(world, nextToken=token, startFromHead=True, limit=1)
    assert messages(page) == ["c"]
    page = get(world, nextToken=page["nextForwardToken"], startFromHead=True)
    assert messages(page) == ["d"]
    back = get(world, nextToken=page["nextBackwardToken"])
    assert messages(back) == ["a", "b", "c"]
    end = get(world, nextToken=back["nextBackwardToken"])
    assert (messages(end), end["nextBackwardToken"]) == ([], back["nextBackwardToken"])
    assert code_of(get, world, nextToken=token) == "InvalidParameterException"


def test_the_forward_token_of_an_empty_tail_lies_ahead(world: World) -> None:
    """
    CloudWatch behaves so: a reader who follows from there misses the lines that are written next.
    """
    token = get(world)["nextForwardToken"]
    put(world, (0, "missed"))
    assert messages(get(world, nextToken=token, startFromHead=True)) == []


def test_pages_may_be_cut_by_time(world: World) -> None:
    """An empty page is not the end unless its token repeats."""
    put(world, (0, "a"))
    world.move(hours=3)
    put(world, (0, "b"))
    world.cloudwatch.slice_ms = 3_600_000
    request = {"startTime": world.ms - 4 * 3_600_000, "endTime": world.ms + 1}
    for head, expected in ((True, [[], ["a"], [], ["b"]]), (False, [["b"], [], ["a"]])):
        pages: list[list[str]] = []
        token: dict[str, str] = {}
        side = "nextForwardToken" if head else "nextBackwardToken"
        while True:
            page = get(world, startFromHead=head, **request, **token)
            if page[side] == token.get("nextToken"):
                break
            token = {"nextToken": page[side]}
            pages.append(messages(page))
        lines = [text for texts in pages for text in texts]
        assert lines == [text for texts in expected for text in texts]
        assert [] in pages


def test_a_page_ends_at_a_megabyte(world: World) -> None:
    for n in range(3):
        put(world, (n, f"{n}" * 500_000))
    assert [text[0] for text in messages(get(world))] == ["1", "2"]
    assert [text[0] for text in messages(get(world, startFromHead=True))] == ["0", "1"]
    found = search(world)
    assert len(found["events"]) == 2
    assert messages(search(world, nextToken=found["nextToken"]))[0][0] == "2"


# --- FilterLogEvents ------------------------------------------------------------------------


def test_a_search_merges_streams_and_includes_its_end(world: World) -> None:
    other = "run/main/bbbb"
    world.client.create_log_stream(logGroupName=world.group, logStreamName=other)
    put(world, (0, "0"), (2, "2"), (4, "4"))
    put(world, (1, "1"), (3, "3"), stream=other)
    window = {"startTime": world.ms + 1, "endTime": world.ms + 3}
    assert messages(search(world, **window)) == ["1", "2", "3"]
    assert messages(search(world, startFromHead=False, **window)) == ["3", "2", "1"]
    assert messages(search(world, logStreamNames=[other])) == ["1", "3"]
    assert messages(search(world, logStreamNamePrefix="run/main/b")) == ["1", "3"]
    assert messages(search(world, logStreamNamePrefix="x")) == []


def test_a_search_goes_on_in_its_own_direction(world: World) -> None:
    """The direction is the token's, whatever the request says; the last page has no token."""
    put(world, *((0, str(n)) for n in range(7)))
    for head, expected in ((True, "0123456"), (False, "6543210")):
        page = search(world, limit=3, startFromHead=head, startTime=world.ms)
        found = messages(page)
        while "nextToken" in page:
            page = search(
                world, limit=3, nextToken=page["nextToken"], startTime=world.ms, startFromHead=True
            )
            found += messages(page)
        assert "".join(found) == expected


def test_filter_log_events_refuses_what_cloudwatch_refuses(world: World) -> None:
    invalid = "InvalidParameterException"
    assert code_of(search, world, startFromHead=False, startTime=0) == invalid
    assert code_of(search, world, logStreamNames=[STREAM] * 101) == invalid
    assert code_of(search, world, logStreamNames=[STREAM], logStreamNamePrefix="x") == invalid
    assert code_of(search, world, filterPattern="{ $.x = 1 }") == invalid
    assert code_of(search, world, nextToken="nonsense") == invalid
    assert code_of(search, world, limit=10_001) == invalid
    assert code_of(get, world, limit=10_001) == invalid
    assert code_of(search, world, logStreamNames=["gone"]) == "ResourceNotFoundException"
    with pytest.raises(ClientError):
        world.client.put_retention_policy(logGroupName=world.group, retentionInDays=31)


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk: ERROR", True),
        ("ERROR disk", "ERROR", False),
        ('"disk full"', "the disk full now", True),
        ('"disk full"', "full disk", False),
        ("ERROR -timeout", "ERROR timeout", False),
        ("ERROR -timeout", "ERROR other", True),
        ("?WARN ?ERROR", "WARN", True),
        ("?WARN ?ERROR", "INFO", False),
        (r'"a\"b"', 'xa"by', True),
        (r'"a\\b"', r"xa\by", True),
        (r'"a\\b"', r"xa\\by", False),
    ],
)
def test_patterns_match_as_documented(pattern: str, line: str, expected: bool) -> None:
    assert matcher(pattern)(line) is expected


@pytest.mark.parametrize("pattern", ['"open', "a.b", "{ $.x = 1 }", "[a, b]", "%x%", 'a"b"'])
def test_patterns_that_are_not_understood_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        matcher(pattern)


def test_a_quoted_text_is_one_phrase() -> None:
    assert quoted('say "a\\b"') == '"say \\"a\\\\b\\""'
