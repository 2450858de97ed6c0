"""Containers that have to go: removed until the engine says that they are gone."""

from __future__ import annotations

import logging
import threading

import requests
from docker.api.client import APIClient
from docker.errors import DockerException, NotFound

EVERY = 1.0
"""Seconds between two tries."""

log = logging.getLogger(__name__)


class Removals:
    """Thread-safe; a thread is there only while the engine keeps something that has to go."""

    def __init__(self, api: APIClient) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._kept: list[str] = []
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def remove(self, name: str) -> None:
        """Remove the container of that name or id, and try again later if that fails."""
        if self._try(name):
            return
        with self._lock:
            self._kept.append(name)
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._loop, name="removals", daemon=True)
                self._thread.start()

    def close(self, *, is_answering: bool) -> list[str]:
        """Try a last time if the engine answers; the names of what it may still have."""
        self._closing.set()
        if self._thread is not None and is_answering:
            self._thread.join()
        return [name for name in self._kept if not (is_answering and self._try(name))]

    def _loop(self) -> None:
        while not self._closing.wait(EVERY):
            for name in list(self._kept):
                if not self._try(name):
                    # It does not answer: the next would only wait as long.
                    break
                with self._lock:
                    self._kept.remove(name)
            with self._lock:
                if not self._kept:
                    self._thread = None
                    return

    def _try(self, name: str) -> bool:
        """Whether it is gone."""
        try:
            self._api.remove_container(name, force=True, v=True)
        except NotFound:
            return True
        except (DockerException, requests.RequestException) as error:
            log.debug("container %s could not be removed yet: %s", name, error)
            return False
        return True
