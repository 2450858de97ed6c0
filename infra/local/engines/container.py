"""
One started container: its output, its signals, its end, also across outages of its engine.

Three threads follow it. One copies its output. One sees its first process exit, where that can
be seen, and asks the engine for the exit code. Neither gives up while the engine is away: the
container goes on without it, and the engine knows afterwards how it ended.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import requests
from docker.api.client import APIClient
from docker.errors import APIError, DockerException, NotFound
from docker.types.daemon import CancellableStream

from infra.local.engines import OUT_OF_MEMORY, Exit, Handlers, Usage
from infra.local.engines.container_output import Output
from infra.local.engines.oom import OomCounter
from infra.local.engines.removals import Removals

FAILED = (DockerException, requests.RequestException)
"""The engine refused, or did not answer."""

PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds between two questions to an engine that is away; doubled from one to the other."""
REFUSALS = 20
"""So often in a row an engine may answer with an error before the container counts as lost."""
LOG_SHARE = 3
"""After an outage the log is read again after so many times what the last reading took."""
REMOVED = "The container was removed by somebody else; its exit code is not known"
LOST = "The container engine does not know how the container ended"

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class EngineClosed(Exception):
    """The stack ends without waiting for this container any longer."""


class Connection:
    """What the containers of one engine share."""

    def __init__(self, api: APIClient, quick: APIClient) -> None:
        self.api = api
        self.quick = quick
        """For what is answered at once: a short time-out."""
        self.removals = Removals(api)
        self.closing = threading.Event()


class Container:
    """It is removed once it has exited and its output is read."""

    def __init__(
        self,
        connection: Connection,
        container: tuple[str, str],
        stream: CancellableStream,
        output: Path,
        handlers: Handlers,
    ) -> None:
        """`container` is its id and its name."""
        self.id, name = container
        self.words = f"container {name}"
        self._engine = connection
        self._handlers = handlers
        self._output = Output(connection.api, self.id, output)
        self._looked = threading.Event()
        """Its first process has exited, or cannot be seen from here."""
        self._saw_exit = False
        self._ended = threading.Event()
        self._was_away = False
        """The engine did not answer at some time, or its stream ended too early."""
        reader = threading.Thread(
            target=self._read, args=(stream,), name=f"output-{self.id[:12]}", daemon=True
        )
        reader.start()
        threading.Thread(
            target=self._wait, args=(reader,), name=f"wait-{self.id[:12]}", daemon=True
        ).start()

    def signal(self, number: int) -> bool:
        try:
            self._engine.quick.kill(self.id, signal.Signals(number).name)
        except APIError as error:
            # It has exited meanwhile, say. Whoever waits for it hears of that.
            log.debug("%s took no signal: %s", self.words, error)
        except FAILED as error:
            self._note_outage(f"its engine failed: {error}")
            return False
        return True

    def measure(self) -> Usage | None:
        """Raises RequestException where the engine does not answer."""
        try:
            stats = self._engine.quick.stats(self.id, stream=False, one_shot=True)
            cpu = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
            memory = stats["memory_stats"]
            cache = memory.get("stats", {})
            # Page cache is not held, as `docker stats` and Container Insights count too.
            cached = cache.get("inactive_file", cache.get("total_inactive_file", 0))
            return Usage(cpu, memory["usage"] - cached)
        except (DockerException, KeyError):
            # KeyError: of a container that has just ended, some figures are left out.
            return None

    def _read(self, stream: CancellableStream) -> None:
        """
        1. Copy what is attached, to its end.
        2. If the container goes on, the connection was cut: read the log from time to time.

        What the log has at the container's end is read by the thread that sees the end.
        """
        self._output.copy(stream)
        try:
            # Its own end comes first, and is seen at once where it can be seen.
            if self._looked.wait(PAUSE) and self._saw_exit:
                return
            is_running = self._is_running()
            if self._looked.is_set() and not is_running:
                return
            self._note_outage("its output was cut off; its log is read instead")
            pause = PAUSE
            while is_running and not self._ended.wait(pause):
                began = time.monotonic()
                self._ask(self._output.catch_up)
                pause = max(PAUSE, LOG_SHARE * (time.monotonic() - began))
        except EngineClosed:
            return

    def _wait(self, reader: threading.Thread) -> None:
        """
        1. See the first process exit, where it can be seen, to read the count of kills by the
           kernel before the engine removes the control group (Podman on cgroup v1 reports none).
        2. Wait for the engine to know it too, and for the last byte of output.
        3. After an outage, read what was missed.
        4. Remove it.
        """
        try:
            at, kills = self._see_exit()
            self._looked.set()
            state, code = self._await_end()
            self._ended.set()
            reader.join()
            if self._was_away:
                self._ask(self._output.catch_up)
            self._output.finish()
            exit_ = Exit(code, at or self._finished_at(state), _reason(state, code, kills))
        except EngineClosed:
            return
        except Exception:
            log.exception("%s is lost", self.words)
            exit_ = Exit(None, time.time(), LOST)
        self._engine.removals.remove(self.id)
        self._handlers.exited(exit_)

    def _await_end(self) -> tuple[dict[str, Any] | None, int | None]:
        """
        Its state and its exit code, once it has ended; None for what the engine does not know.

        A wait that is answered with an error says nothing: of a container that was removed
        meanwhile Podman answers code 0 with "container has already been removed".
        """
        while True:
            answer = self._ask(lambda: self._engine.api.wait(self.id, timeout=None))
            state = self._ask(self._state)
            if answer is not None and not answer.get("Error"):
                return state, _exit_code(answer["StatusCode"])
            if state is None:
                return None, None
            if not state["Running"]:
                return state, _exit_code(state["ExitCode"])
            self._pause(PAUSE)

    def _finished_at(self, state: dict[str, Any] | None) -> float:
        """Now, or what the engine noted where it was away since."""
        if self._was_away and state is not None:
            noted = datetime.fromisoformat(state["FinishedAt"]).timestamp()
            # Docker and Podman note the year 1 for "not known".
            return noted if noted > 0 else time.time()
        return time.time()

    def _state(self) -> dict[str, Any]:
        return dict(self._engine.quick.inspect_container(self.id)["State"])

    def _is_running(self) -> bool:
        state = self._ask(self._state)
        return state is not None and bool(state["Running"])

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        """
        The engine's answer, however long it is away; None: it has no such container any more.

        An engine that answers with nothing but errors has lost it too. Raises EngineClosed.
        """
        pause, refusals = PAUSE, 0
        while True:
            try:
                return question()
            except NotFound:
                return None
            except FAILED as error:
                self._note_outage(f"its engine failed: {error}")
                refusals = refusals + 1 if isinstance(error, APIError) else 0
                if refusals == REFUSALS:
                    return None
            self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        if self._engine.closing.wait(seconds):
            raise EngineClosed

    def _note_outage(self, words: str) -> None:
        if not self._was_away:
            log.warning("%s: %s", self.words, words)
        self._was_away = True

    def _see_exit(self) -> tuple[float | None, int]:
        """When it ended and how many kills for memory there were, where both can be seen."""
        pid = (self._ask(self._state) or {}).get("Pid")
        if not pid:
            self._saw_exit = True
            return None, 0
        if not hasattr(os, "pidfd_open"):
            return None, 0
        with OomCounter.open(pid, self.id) as counter:
            if counter is None:
                return None, 0
            _await_exit(pid)
            self._saw_exit = True
            return time.time(), counter.read()


def _reason(state: dict[str, Any] | None, code: int | None, kills: int) -> str | None:
    if code is None:
        return REMOVED if state is None else LOST
    if kills or (state is not None and state.get("OOMKilled")):
        return OUT_OF_MEMORY
    return None


def _exit_code(code: int) -> int | None:
    """Podman answers -1 where it does not know."""
    return code if 0 <= code <= 255 else None


def _await_exit(pid: int) -> None:
    """Linux 5.3: a process descriptor becomes readable when its process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.close(descriptor)
