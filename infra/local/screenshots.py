"""`make screenshots`: pictures of the console for the documentation, from the demo's data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from infra.local import CAP, REGION, chromium, environment
from infra.local.console import console

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from infra.local.stack import Stack

IMAGES = Path("docs/images")
SCHEMES = ("light", "dark")
SIZE = {"width": 1280, "height": 800}
ZONE = "Europe/Berlin"
"""So that the same pictures are made wherever this runs."""


def main() -> int:
    # moto asks botocore for a session when it is imported, so the shell's AWS has to go first.
    environment.isolate(os.environ, REGION)
    from infra.local.stack import Stack

    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as directory, console(Path(directory) / "log") as terminal:
        stack = Stack(engine="process", port=0, cap=CAP, directory=Path(directory), demo=True)
        try:
            with chromium.launched() as browser:
                for path in taken(browser, stack):
                    print(path, file=terminal, flush=True)
        except chromium.NoChromium as missing:
            print(missing, file=sys.stderr)
            return 1
        finally:
            stack.close()
    return 0


def taken(browser: Browser, stack: Stack) -> list[Path]:
    """A picture of each page in each scheme."""
    made = []
    link, _, token = stack.access.console_url.partition("?")
    for scheme in SCHEMES:
        options: Any = {"color_scheme": scheme, "viewport": SIZE, "timezone_id": ZONE}
        page = browser.new_page(locale="en-GB", **options)
        for name, place, ready in _places(stack):
            page.goto(f"{link}{place}{'&' if '?' in place else '?'}{token}")
            page.locator(ready).first.wait_for()
            page.wait_for_load_state("networkidle")
            # without focus, which a key of the last page may have left
            page.mouse.move(0, 0)
            path = IMAGES / f"console-{name}-{scheme}.png"
            page.screenshot(path=path)
            made.append(path)
        page.close()
    return made


def _places(stack: Stack) -> list[tuple[str, str, str]]:
    """Name, place behind the project's, and what is there once the page is drawn."""
    jobs = {job.name: job for job in stack.jobs("demo")}
    job = f"/jobs/{jobs['nightly-export'].job_id}"
    failed = jobs["invoices"]
    return [
        ("jobs", "", "table.jobs tr.job"),
        ("job", job, ".at-durations .mark"),
        ("run", f"/jobs/{failed.job_id}/runs/{failed.latest_run}", ".output .row"),
        ("day", "/day?hours=24", ".day-row .mark"),
    ]


if __name__ == "__main__":
    sys.exit(main())
