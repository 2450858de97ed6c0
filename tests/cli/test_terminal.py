"""What the commands write to a terminal and into a pipe."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

from tests.cli.local_stack import COMMAND, Shell


def test_a_closed_pipe_ends_quietly(shell: Shell) -> None:
    """`jobyard logs … | head -1` gets more output than a pipe holds."""
    shell.create("floods", "seq -f 'line %g of many' 20000")
    run_id = shell("run", "floods", "--wait", "-o", "name").stdout.strip()
    piped = shell.start("logs", run_id)
    head = subprocess.run(["head", "-1"], stdin=piped.stdout, capture_output=True, check=True)
    assert head.stdout.startswith(b"jobyard:")
    assert piped.stdout is not None
    assert piped.stderr is not None
    piped.stdout.close()
    assert (piped.stderr.read(), piped.wait(60)) == ("", 141)
    piped.stderr.close()


def test_a_terminal_has_colour_unless_no_color_is_set(shell: Shell) -> None:
    """The lines are never longer than 80 columns."""
    shell.create("a-job-with-a-rather-long-name-that-does-not-fit-beside-the-rest", "exit 1")
    shell("run", "a-job-with-a-rather-long-name-that-does-not-fit-beside-the-rest", status=0)
    coloured = on_terminal(shell, "jobs")
    assert "\x1b[" in coloured
    plain = on_terminal(shell, "jobs", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3\d", plain)
    for text in (coloured, plain):
        shown = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        assert all(len(line.rstrip("\r")) <= 80 for line in shown.split("\n")), shown


def on_terminal(shell: Shell, *arguments: str, **extra: str) -> str:
    """Run a command in a terminal of 80 columns, and return what it writes."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=shell.environment | {"TERM": "xterm-256color", "COLUMNS": "80"} | extra,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # Linux raises EIO once the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait(60) == 0, shown
    return shown.decode()


def test_json_output_can_be_read_by_jq(shell: Shell) -> None:
    """Scripts read the output so."""
    shell.create("one", "true")
    text = shell("jobs", "-o", "json").stdout
    done = subprocess.run(
        [sys.executable, "-m", "json.tool"], input=text, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["jobs"][0]["name"] == "one"
