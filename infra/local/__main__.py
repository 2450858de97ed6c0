"""`make up`: start the local stack and keep it until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shlex
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local import CAP, LOOPBACK, OUTPUT_MB, REGION, environment
from infra.local.console import console
from infra.local.spot import STEADY, Spot, spot

if TYPE_CHECKING:
    from infra.local.stack import Access, Stack

DIRECTORY = Path(".local")
STOPPED_EARLY = 130
"""As a shell counts SIGINT: 128 + 2."""


def main() -> int:
    options = _options()
    if options.port and _is_taken(options.port):
        other = options.port + 1
        print(f"Port {options.port} is taken; take another: make up PORT={other}", file=sys.stderr)
        return 1
    # moto asks botocore for a session when it is imported, so the shell's AWS has to go first.
    environment.isolate(os.environ, REGION)
    from infra.local.engines.choice import NoEngine
    from infra.local.stack import Stack

    signals = Signals()
    with console(DIRECTORY / "log") as terminal:
        try:
            stack = Stack(
                engine=options.engine,
                port=options.port,
                cap=options.cap,
                directory=DIRECTORY,
                output_mb=options.output_mb,
                demo=options.demo,
                notify=options.notify,
                origins=options.origins,
                spot=options.spot,
                max_runs=options.max_runs,
                max_jobs=options.max_jobs,
            )
        except NoEngine as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("Stopped before it was up.", file=terminal, flush=True)
            return STOPPED_EARLY
        signals.is_starting = False
        env = DIRECTORY / "env"
        left: list[str] = []
        try:
            _write_env(env, stack.access)
            print(_welcome(stack, options.output_mb), file=terminal, flush=True)
            signals.wait()
            print("\nStopping; its state is gone.", file=terminal, flush=True)
        finally:
            left = _close(stack, signals)
            _remove_env(env, stack.access)
        if left:
            print(_left_words(left), file=terminal, flush=True)
            # A thread may be within a call of an engine that hangs: it is not waited for.
            os._exit(1)
    return 0


class Signals:
    """
    SIGINT, SIGTERM and SIGHUP: each ends a start, and is noted once the stack is up.

    They are noted through a pipe, because the kernel may hand a signal to any thread: a main
    thread that waits for a lock then goes on waiting, and Python runs no handler.
    """

    def __init__(self) -> None:
        self.is_starting = True
        self._noted, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def wait(self, seconds: float | None = None) -> bool:
        """For the next one; whether there was one within that time."""
        readable, _, _ = select.select([self._noted], [], [], seconds)
        return bool(readable) and os.read(self._noted, 1) != b""

    def _handle(self, *_: object) -> None:
        if self.is_starting:
            self.is_starting = False
            raise KeyboardInterrupt


def _close(stack: Stack, signals: Signals) -> list[str]:
    """
    Close it in a thread of its own, so that a second Ctrl-C need not wait for that.

    What may be left, in words.
    """
    closed: list[list[str]] = []
    closing = threading.Thread(target=lambda: closed.append(stack.close()), daemon=True)
    closing.start()
    while closing.is_alive():
        if signals.wait(0.05):
            break
    if closed:
        return closed[0]
    return [*stack.remaining(), "files in .local/tasks"]


def _left_words(left: list[str]) -> str:
    lines = "".join(f"  {words}\n" for words in left)
    return f"Not everything has ended. This may be left:\n{lines}The next `make up` removes it."


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make up", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="of the API; 0 takes a free one")
    parser.add_argument("--engine", default="auto", help="auto, docker or process")
    parser.add_argument("--cap", type=_count, default=CAP, help="tasks at once; others wait")
    parser.add_argument(
        "--output-mb", type=_count, default=OUTPUT_MB, help="output kept; the oldest goes first"
    )
    parser.add_argument("--demo", action="store_true", help="a month of runs in the project demo")
    parser.add_argument("--notify", type=_webhook, help="http address here, told of failing jobs")
    parser.add_argument("--origins", default="", help="of pages that may call the API, by comma")
    parser.add_argument(
        "--spot", type=_spot, default=STEADY, help="seconds until each Spot task ends, or none"
    )
    parser.add_argument("--max-runs", type=_count, default=0, help="in flight, of a workspace")
    parser.add_argument("--max-jobs", type=_count, default=0, help="of a workspace")
    return parser.parse_args()


def _spot(text: str) -> Spot:
    try:
        return spot(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _webhook(text: str) -> str:
    from infra.local.notifier import webhook

    try:
        return webhook(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As the server itself does: connections that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def _welcome(stack: Stack, output_mb: int) -> str:
    access = stack.access
    job = (
        '{"name": "hello-by-curl", "image": "public.ecr.aws/docker/library/busybox:1.36", '
        '"command": ["echo", "hello from Jobyard"]}'
    )
    return f"""\
Jobyard is up at {access.url}
Ctrl-C stops it, and then its state is gone.

The console, where this link signs you in:

{access.console_url}

  engine  {stack.engine_words}
  output  the newest {output_mb} MB of all runs; OUTPUT_MB=… sets another limit
  log     .local/log

In another shell (there .venv/bin/aws talks to this stack, and to nothing else):

. .local/env
.venv/bin/jobyard create hello \\
    --image public.ecr.aws/docker/library/busybox:1.36 \\
    -- echo 'hello from Jobyard'
.venv/bin/jobyard run hello --follow

Without jobyard, a job is created with:

curl -sS {access.project_url("demo")}/jobs \
-H 'Authorization: Bearer {access.token}' -H 'Content-Type: application/json' -d '{job}'
"""


def _write_env(path: Path, access: Access) -> None:
    text = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in access.variables.items()
    )
    # whoever waits for it must not read half of it
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def _remove_env(path: Path, access: Access) -> None:
    """Unless another stack has written its own meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        if access.token in path.read_text(encoding="utf-8"):
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
