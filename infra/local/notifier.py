"""
Delivers what people are told of jobs to a webhook on this machine, as the deployed stack's rule and
its API destination do: the same events, the same body, at least once, with retries.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from infra.local import REGION, template
from infra.local.clock import transformed

SECONDS = 5.0
"""For one request (EventBridge user guide, "API destinations")."""
TRIES = 185
"""As the rule's retry policy says."""
PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before the next tries; the last one repeats. EventBridge waits longer."""
RETRIED = frozenset({401, 407, 409, 429})
"""Answers after which EventBridge tries again, besides those from 500 on."""
_API = {"RestAPI": "api", "AWS::Region": REGION, "AWS::URLSuffix": "amazonaws.com"}

log = logging.getLogger(__name__)


def webhook(text: str) -> str:
    """An address that the local stack may send to; ValueError says what is wrong with another."""
    parts = urlsplit(text)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(
            f"{text} is no http address on this machine, such as http://127.0.0.1:9000/"
        )
    return text


class Notifier:
    """One thread, which sends to one address what the rule would let through."""

    def __init__(self, address: str, api_url: str, stage: str) -> None:
        rule = template.resources("AWS::Events::Rule")["NotifyRule"]
        self._pattern = template.resolve(rule["EventPattern"], {"Stage": stage})
        (target,) = (
            found["Fn::If"][1] for found in rule["Targets"] if "HasNotifyWebhook" in found["Fn::If"]
        )
        self._transformer = template.resolve(target["InputTransformer"], _API)
        deployed = template.resolve(
            {"Fn::Sub": "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"}, _API
        )
        self._transformer["InputTemplate"] = self._transformer["InputTemplate"].replace(
            deployed, api_url
        )
        self._address = address
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._left = 0
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="notifier", daemon=True)
        self._thread.start()

    def take(self, event: dict[str, Any]) -> None:
        """An event that was put on the bus."""
        if matches(self._pattern, event):
            with self._counting:
                self._left += 1
            self._queue.put(json.dumps(transformed(self._transformer, event)).encode())

    @property
    def is_idle(self) -> bool:
        """Whether everything that was taken is delivered or given up."""
        return self._left == 0

    def close(self) -> None:
        """Stop trying; what was not delivered is lost with the stack, and said."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (body := self._queue.get()) is not None:
            self._deliver(body)
            with self._counting:
                self._left -= 1

    def _deliver(self, body: bytes) -> None:
        for number in range(1, TRIES + 1):
            problem, may_pass = self._post(body)
            if problem is None:
                return
            text = json.loads(body)["text"]
            if not may_pass or number == TRIES:
                log.error("Not told, given up: %s answered %s: %s", self._address, problem, text)
                return
            log.warning("Not told yet, trying again: %s: %s: %s", self._address, problem, text)
            if self._stopping.wait(PAUSES[min(number, len(PAUSES)) - 1]):
                log.error("Not told, the stack stops: %s", text)
                return

    def _post(self, body: bytes) -> tuple[str | None, bool]:
        """What is wrong, if anything is, and whether trying again may help."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        request = urllib.request.Request(self._address, data=body, headers=headers)
        try:
            with self._opener.open(request, timeout=SECONDS):
                return None, False
        except urllib.error.HTTPError as error:
            with error:
                return str(error.code), error.code >= 500 or error.code in RETRIED
        except OSError as error:
            return str(error), True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An address elsewhere is not followed: the local stack sends to this machine alone."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event has one of the values that each field of the pattern lists."""
    for name, wanted in pattern.items():
        found = event.get(name)
        if isinstance(wanted, Mapping):
            if not isinstance(found, Mapping) or not matches(wanted, found):
                return False
        elif found not in wanted:
            return False
    return True
