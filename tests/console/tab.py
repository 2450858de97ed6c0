"""The console in a browser's tab, as one person uses it, and what must never happen there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Request, expect

from tests.console.project import Project

PATIENCE = 30_000
"""Milliseconds; only what hangs needs them."""
LOADS = 5
ZONE = "Europe/Berlin"
"""Of the person: neither UTC nor the zone of a job."""
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
"""What Chromium says of each request under way, also to loopback, when the machine gets or loses a
network interface: each container does that, and other tests start some meanwhile."""
LOUD = ("error", "warning")
expect.set_options(timeout=PATIENCE)


@dataclass
class Tab:
    """One tab: its page, where it is, and what went wrong in it."""

    page: Page
    project: Project
    problems: list[str] = field(default_factory=list)
    """Errors in the browser's log, and requests that left the origin."""
    expected: tuple[str, ...] = ()
    """Parts of messages that the browser itself logs for an answer that a test asked for."""
    was_interrupted: bool = False
    """Whether a request of the page failed because of NETWORK_CHANGED."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request to the API, without the project's prefix."""

    def __post_init__(self) -> None:
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.problems.append(f"{error}"))
        self.page.on("request", self._requested)

    def _logged(self, message: ConsoleMessage) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        if NETWORK_CHANGED in text:
            self.was_interrupted = True
        elif message.type in LOUD and not any(part in text for part in self.expected):
            self.problems.append(text)

    def _requested(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("blob", "data"):
            if f"{url.scheme}://{url.netloc}" != self.project.api.url:
                self.problems.append(f"a request to {request.url}")
            _, _, rest = url.path.partition(f"/projects/{self.project.api.project}")
            if rest:
                self.asked.append(f"{request.method} {rest}{'?' + url.query if url.query else ''}")

    def times_of(self, end: str) -> list[float]:
        """When requests to paths with that end were sent, in seconds; it grows from here on."""
        times: list[float] = []

        def note(request: Request) -> None:
            if request.url.endswith(end):
                times.append(time.monotonic())

        self.page.on("request", note)
        return times

    def open(self, place: str = "", *, token: str | None = None) -> Tab:
        """By a link that signs in, such as `make up` prints; `place` is behind the project."""
        path, _, query = place.partition("?")
        signing_in = f"token={token or self.project.token}"
        self.go(self.link(f"{path}?{'&'.join(filter(None, (query, signing_in)))}"))
        return self

    def go(self, url: str) -> None:
        self._load(lambda: self.page.goto(url))

    def reload(self) -> None:
        self._load(self.page.reload)

    def _load(self, load: Callable[[], Any]) -> None:
        """Load the page, again if the machine's network changed before all of it was there."""
        for _ in range(LOADS):
            self.was_interrupted = False
            try:
                load()
            except Error as error:
                if NETWORK_CHANGED not in str(error):
                    raise
                continue
            if not self.was_interrupted:
                return
            load = self.page.reload
        raise AssertionError(f"{LOADS} times: {NETWORK_CHANGED}")

    def link(self, place: str = "") -> str:
        return f"{self.project.api.url}/console#{self.where(place)}"

    def where(self, place: str = "") -> str:
        return f"/{self.project.api.workspace}/{self.project.api.project}{place}"

    def is_at(self, place: str) -> None:
        """Wait until the address is that."""
        self.page.wait_for_url(self.link(place), timeout=PATIENCE)

    def button(self, name: str, *, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=True)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    def sees(self, text: str) -> None:
        expect(self.page.get_by_role("main")).to_contain_text(text)

    def axe(self) -> list[str]:
        """What axe-core finds on the page as it is now, in words."""
        found = Axe().run(self.page)
        return [
            f"{violation['id']}: {node['html']} {node.get('failureSummary', '')}"
            for violation in found.response["violations"]
            for node in violation["nodes"]
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    @property
    def focused(self) -> str:
        """What the keyboard is at: its accessible name, or its text."""
        return str(
            self.page.evaluate(
                "(({ariaLabel, textContent, id}) => ariaLabel ?? (textContent.trim() || id))"
                "(document.activeElement)"
            )
        )


@contextmanager
def opened(browser: Browser, project: Project, **options: Any) -> Iterator[Tab]:
    """A tab of a browser without a past; it fails at the end if anything went wrong in it."""
    context = browser.new_context(
        **{"locale": "en-GB", "timezone_id": ZONE, "viewport": {"width": 1024, "height": 800}}
        | options
    )
    context.set_default_timeout(PATIENCE)
    try:
        tab = Tab(context.new_page(), project)
        yield tab
        assert not tab.problems, "\n".join(tab.problems)
    finally:
        context.close()
