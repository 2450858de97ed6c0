"""Chromium as the machine has it, for tests that use the console."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_INSTALL = "on Debian and Ubuntu: apt-get install chromium"


class NoChromium(Exception):
    """There is none in the PATH; the message says how to get one."""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """
    A headless browser, until the end of the block. Raises NoChromium.

    Playwright brings no browser along: the machine's own is the one that people have, and nothing
    is downloaded.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise NoChromium(f"no Chromium is in the PATH; {HOW_TO_INSTALL}")
    # its sandbox needs rights that root does not give up, and containers rarely have
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
