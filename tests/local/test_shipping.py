"""Every line of a task's output reaches its log stream, whole and in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local import shipping
from infra.local.shipping import BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES, EVENT_OVERHEAD
from infra.local.task_spec import LogTarget
from tests.local.local_yard import LocalYard, wait_for

FLOOD = 100_000
INIT = {"initProcessEnabled": True}


def own_lines(yard: LocalYard, arn: str) -> list[str]:
    return [line for line in yard.lines(arn) if not line.startswith("jobyard: ")]


def test_a_line_is_readable_while_its_task_runs(yard: LocalYard, image: str) -> None:
    """Lines arrive as they are written, not when the task is over."""
    arn = yard.run("sh", "-c", "echo first; sleep 600", image=image)
    wait_for(lambda: "first" in yard.lines(arn), "the line")
    assert yard.task(arn)["lastStatus"] == "RUNNING"


def test_output_just_before_a_crash_is_not_lost(yard: LocalYard, image: str) -> None:
    """This holds without a newline at the end, and if SIGKILL follows at once."""
    script = "echo one; printf two; kill -9 $$"
    task = yard.finish("sh", "-c", script, image=image, linuxParameters=INIT)
    assert task["containers"][0]["exitCode"] == 137
    assert own_lines(yard, task["taskArn"]) == ["one", "two"]


def test_a_flood_of_lines_is_shipped_whole_and_in_order(yard: LocalYard, image: str) -> None:
    """Of 100,000 lines with 100 bytes none is lost and none comes twice."""
    script = f'BEGIN {{ for (n = 1; n <= {FLOOD}; n++) printf "%0100d\\n", n }}'
    task = yard.finish("awk", script, image=image)
    lines = own_lines(yard, task["taskArn"])
    assert len(lines) == FLOOD
    assert lines == [f"{n:0100d}" for n in range(1, FLOOD + 1)]


def test_binary_output_and_very_long_lines_are_shipped(yard: LocalYard, image: str) -> None:
    """Invalid UTF-8 is replaced; a line over the event limit becomes several events."""
    script = "printf 'a\\377b\\n'; head -c 2500000 /dev/zero | tr '\\0' x; echo; echo end"
    task = yard.finish("sh", "-c", script, image=image)
    first, *long, last = own_lines(yard, task["taskArn"])
    assert (first, last) == ("a\N{REPLACEMENT CHARACTER}b", "end")
    assert [len(piece) for piece in long] == [EVENT_BYTES, EVENT_BYTES, 2_500_000 - 2 * EVENT_BYTES]


def test_a_line_written_in_parts_is_one_line(yard: LocalYard, image: str) -> None:
    """A flush in the middle of a line does not end it."""
    task = yard.finish("sh", "-c", "printf one; sleep 1; echo two", image=image)
    assert own_lines(yard, task["taskArn"]) == ["onetwo"]


@given(st.lists(st.binary(max_size=40)))
def test_batches_hold_every_line_that_is_not_empty(lines: list[bytes]) -> None:
    """Lines are text and in order; CloudWatch takes no empty event."""
    found = [event["message"] for batch in shipping.batches(lines, 7) for event in batch]
    assert found == [line.decode("utf-8", "replace") for line in lines if line]


@pytest.mark.parametrize("character", ["x", "é", "€", "🙂"])
@pytest.mark.parametrize("shift", range(4))
def test_a_long_line_is_cut_between_characters(character: str, shift: int) -> None:
    """Wherever the limit falls, no piece exceeds it and no character is split."""
    line = "y" * shift + character * (2 * EVENT_BYTES // len(character.encode()))
    pieces = list(shipping.messages(line.encode()))
    assert "".join(pieces) == line
    assert max(len(piece.encode()) for piece in pieces) <= EVENT_BYTES
    assert len(pieces) <= 3


def test_bytes_that_grow_when_replaced_stay_within_the_limit() -> None:
    """One invalid byte becomes three."""
    pieces = list(shipping.messages(b"\xff" * EVENT_BYTES))
    assert sum(len(piece) for piece in pieces) == EVENT_BYTES
    assert max(len(piece.encode()) for piece in pieces) <= EVENT_BYTES


def test_batches_keep_to_the_limits_of_put_log_events() -> None:
    """A batch has at most 10,000 events, and at most 1 MiB with 26 bytes added for each."""
    by_number = list(shipping.batches([b"x"] * 25_000, 0))
    assert [len(batch) for batch in by_number] == [10_000, 10_000, 5_000]
    for batch in shipping.batches([b"x" * 1_000] * 5_000, 0):
        size = sum(len(event["message"]) + EVENT_OVERHEAD for event in batch)
        assert size <= BATCH_BYTES
        assert len(batch) <= BATCH_EVENTS


def test_output_without_a_newline_waits_for_the_rest_of_its_line(tmp_path: Path) -> None:
    """A multi-byte character that is written in two parts is not replaced."""
    output = tmp_path / "output"
    sent: list[str] = []

    class Client:
        """Stores what would be sent to CloudWatch."""

        def put_log_events(self, *, logEvents: list[dict[str, str]], **_: str) -> None:
            sent.extend(event["message"] for event in logEvents)

    with output.open("wb", buffering=0) as file:
        target = LogTarget("group", "stream", create_group=False)
        shipper = shipping.Shipper(Client(), target, output)  # type: ignore[arg-type]
        file.write("é".encode()[:1])
        shipper.pump()
        file.write("é\n".encode()[1:] + b"next")
        shipper.pump()
        assert sent == ["é"]
        shipper.finish()
        shipper.close()
    assert sent == ["é", "next"]
