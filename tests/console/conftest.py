"""
One local stack and one browser for the tests of this folder; a project and tabs for each test.

Both end with the folder's last test: Playwright occupies its thread's event loop, which tests of
other folders need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import browser
from tests.console.project import Project
from tests.console.tab import Tab, opened
from tests.local import started
from tests.local.started import Started

__all__ = ["browser"]

DEMO = ("--port", "0", "--engine", "process", "--output-mb", "512", "--spot", "2", "--demo")


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="package")
def welcome(directory: Path) -> Iterator[str]:
    """`make up DEMO=1`: what it prints."""
    running = Started(directory, *DEMO).until_up()
    yield running.out
    running.end()


@pytest.fixture(scope="package")
def stack(welcome: str, directory: Path) -> dict[str, str]:
    """What its `.local/env` holds."""
    return started.Client(directory).env


@pytest.fixture
def project(stack: dict[str, str]) -> Iterator[Project]:
    """A project that nobody else uses."""
    with Project.new(stack) as made:
        yield made


@pytest.fixture(scope="package")
def demo(stack: dict[str, str]) -> Iterator[Project]:
    """The project that `make up DEMO=1` fills. No test changes it."""
    with Project.named("demo", stack) as found:
        yield found


@pytest.fixture
def demo_tab(browser: Browser, demo: Project) -> Iterator[Tab]:
    with opened(browser, demo) as tab:
        yield tab


@pytest.fixture
def tabs(browser: Browser, project: Project) -> Iterator[Callable[..., Tab]]:
    """Opens tabs, each in a browser without a past; `options` are Playwright's of a context."""
    with ExitStack() as open_tabs:

        def make(**options: Any) -> Tab:
            return open_tabs.enter_context(opened(browser, project, **options))

        yield make


@pytest.fixture
def tab(tabs: Callable[..., Tab]) -> Tab:
    return tabs()
