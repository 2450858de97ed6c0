"""The browser of the console's tests: the Chromium of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from infra.local import chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """
    One for all tests of a folder whose conftest.py imports it, and gone after the last of them:
    Playwright occupies its thread's event loop, which tests of other folders need.

    Without Chromium the tests are skipped; in CI (JOBYARD_TEST_BROWSER=required) they fail.
    """
    try:
        with chromium.launched() as launched:
            yield launched
    except chromium.NoChromium as missing:
        if os.environ.get("JOBYARD_TEST_BROWSER") == "required":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
