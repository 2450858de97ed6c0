"""Following a run prints each line once and in order, whatever happens to the API meanwhile."""

from __future__ import annotations

import time

import pytest

from jobyard import following
from jobyard.durations import read_time
from jobyard.following import RunFollower, RunReader
from tests.cli.local_stack import Shell, wait_for
from tests.cli.relay import Relay, Reply, lost, unavailable
from tests.cli.test_run import own

TOO_OLD = Reply(
    400,
    b'{"status":"error","message":"The cursor is no longer valid: start again without it.",'
    b'"code":"bad_cursor","data":null}',
)
COUNTS = 'for n in $(seq {n}); do echo "line $n"; sleep 0.05; done'
"""Takes about a second for 20 lines."""


def lines(n: int) -> list[str]:
    return [f"line {number}" for number in range(1, n + 1)]


def test_each_line_comes_once_and_in_order_while_answers_are_lost(
    relayed: Shell, relay: Relay
) -> None:
    """After a 503, a lost answer or one that was cut off, the same cursor is read again."""
    relayed.create("counts", COUNTS.format(n=60))
    waiting = relayed.start("run", "counts", "--follow")
    wait_for(lambda: any("/logs" in seen.path for seen in relay.seen), "it reads")
    for fault in (unavailable(), lost, lost, unavailable("0"), lost, unavailable(None)):
        relay.faults.append(fault)
        wait_for(lambda: not relay.faults, "the fault happened")
    out, err = waiting.communicate(timeout=120)
    assert (waiting.returncode, own(out)) == (0, lines(60)), err
    assert "trying again in 1 s" in err


def test_following_goes_on_after_a_restart_of_the_api(relayed: Shell, relay: Relay) -> None:
    """For some seconds in the middle of the output no connection is possible."""
    relayed.create("counts", COUNTS.format(n=60))
    waiting = relayed.start("run", "counts", "--follow")
    wait_for(lambda: sum("/logs" in seen.path for seen in relay.seen) > 1, "it reads")
    relay.stop()
    time.sleep(4)
    relay.start()
    out, err = waiting.communicate(timeout=120)
    assert (waiting.returncode, own(out)) == (0, lines(60)), err
    assert "does not answer" in err


def test_the_lines_of_every_attempt_are_shown_once_each(shell: Shell) -> None:
    """The lines of the first attempt come first, then those of the retry."""
    script = 'echo "attempt $JOBYARD_ATTEMPT"; echo last of it; test "$JOBYARD_ATTEMPT" = 2'
    shell.create("again", script, "--retries", "1")
    done = shell("run", "again", "--follow")
    assert own(done.stdout) == ["attempt 1", "last of it", "attempt 2", "last of it"]
    assert "retry at" in done.stderr
    assert "in attempt 2" in done.stderr


def test_the_command_ends_within_two_seconds_of_the_runs_end(shell: Shell) -> None:
    """The last line, written just before the exit after a long pause, is printed too."""
    shell.create("quiet", "echo first; sleep 12; echo last")
    waits: list[float] = []
    for how in ("--follow", "--wait"):
        done = shell("run", "quiet", how)
        ended = time.time()
        run = shell.json("runs", "quiet", "--limit", "1")["runs"][0]
        waits.append(ended - read_time(run["finished_at"]).timestamp())
        if how == "--follow":
            assert own(done.stdout) == ["first", "last"]
    # one more second for the end of the process on a busy machine
    assert max(waits) < 2 + 1, waits


def test_a_run_that_is_over_is_shown_from_its_first_line(shell: Shell) -> None:
    """`logs RUN` does this with and without -f."""
    shell.create("counts", "seq -f 'line %g' 2500")
    shell("run", "counts", "--wait")
    run_id = shell("runs", "counts", "-o", "name").stdout.strip()
    for follow in ([], ["-f"]):
        assert own(shell("logs", run_id, *follow).stdout) == lines(2500)
    assert own(shell("logs", run_id, "--limit", "3").stdout) == lines(2500)[-3:]


def test_a_run_with_more_pages_than_are_kept_is_read_from_its_first_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a few of the oldest pages are kept, but no line is lost or comes twice."""
    shell.create("counts", "seq -f 'line %g' 700")
    shell("run", "counts", "--wait")
    monkeypatch.setattr(following, "PAGE", 40)
    monkeypatch.setattr(following, "KEPT_PAGES", 3)
    with shell.client() as client:
        job = client.find_job("counts")
        run = next(client.job_runs(job["id"], limit=1))
        messages = [line["message"] for line in client.follow_logs(job["id"], run["id"])]
        assert own("\n".join(messages)) == lines(700)


def test_a_cursor_that_is_too_old_is_replaced_without_repeating_lines(
    relayed: Shell, relay: Relay
) -> None:
    """CloudWatch's tokens expire after 24 hours, and a run may write nothing for longer."""
    relayed.create("two", "echo one; sleep 4; echo two")
    with relayed.client() as client:
        reader = RunReader(client, client.trigger(client.find_job("two")["id"]))
        seen: list[str] = []
        while "one" not in seen:
            seen += [line["message"] for line in reader.read()]
        relay.faults.append(lambda seen, pass_on: TOO_OLD)
        while not reader.is_done:
            seen += [line["message"] for line in reader.read()]
            client.get_run(client.find_job("two")["id"], reader.run_id)
    assert not relay.faults
    assert own("\n".join(seen)) == ["one", "two"]


def test_polling_slows_down_while_nothing_comes(relayed: Shell, relay: Relay) -> None:
    """Lines are read less often; the run's status is still read often enough to see its end."""
    relayed.create("quiet", "echo first; sleep 15; echo last")
    with relayed.client() as client:
        run = client.trigger(client.find_job("quiet")["id"])
        follower = RunFollower(client, run)
        pauses: list[float] = []
        while not follower.is_done:
            follower.poll()
            pauses.append(follower._lines_wait)
            time.sleep(follower.seconds_left())
    assert max(pauses) > 3
    assert max(pauses) <= following.LINES_SECONDS[1]
    reads = sum("/logs" in seen.path for seen in relay.seen)
    assert reads < 20, "reading the output did not slow down"


def test_a_filter_also_applies_to_lines_that_come_later(shell: Shell) -> None:
    """This is `logs -f RUN --filter`."""
    shell.create("mixed", "for n in 1 2 3; do echo keep $n; echo drop $n; sleep 1; done")
    run_id = shell("run", "mixed").stdout.strip()
    assert shell("logs", "-f", run_id, "--filter", "keep").stdout.splitlines() == [
        "keep 1",
        "keep 2",
        "keep 3",
    ]


def test_a_followed_job_shows_each_run_with_its_short_id(shell: Shell) -> None:
    """Following a job ends only with Ctrl-C, since a job never ends."""
    shell.create("says", "echo from $JOBYARD_RUN_ID")
    following_job = shell.start("logs", "-f", "says")
    ids = [shell("run", "says", "--wait", "-o", "name").stdout.strip() for _ in range(2)]
    time.sleep(7)
    following_job.send_signal(2)
    out, err = following_job.communicate(timeout=30)
    assert following_job.returncode == 130, err
    assert own_of_job(out) == [f"{run_id[-6:]} | from {run_id}" for run_id in ids]


def own_of_job(output: str) -> list[str]:
    return [line for line in output.splitlines() if "| jobyard: no container engine" not in line]


def test_timeout_ends_the_command_while_the_api_does_not_answer(
    relayed: Shell, relay: Relay
) -> None:
    """The status is 124 as always, not that of the last error."""
    relayed.create("long", "sleep 60")
    waiting = relayed.start("run", "long", "--follow", "--timeout", "6s")
    wait_for(lambda: any("/logs" in seen.path for seen in relay.seen), "it reads")
    relay.stop()
    began = time.monotonic()
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 124, err
    assert time.monotonic() - began < 15, err
    relay.start()
