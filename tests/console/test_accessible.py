"""Who cannot see the console, or uses no mouse, or a small screen, has all of it too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from tests.console.project import Json, Project
from tests.console.tab import Tab, opened

WIDTHS = [360, 1024, 1920]


@dataclass(frozen=True)
class Sample:
    """A project with something on each page."""

    job: Json
    failed: Json


@pytest.fixture
def sample(project: Project) -> Sample:
    job = project.job(
        "printf '\\033[31mred\\033[0m \\033[33;44myellow on blue\\033[0m \\033[2mdim\\n'; exit 3",
        name=f"a name with <markup> and a {'long' * 20}",
        schedule="30 2 * * 1-5",
        timezone="America/New_York",
        tags=["team=data", "nightly"],
        env={"MODE": "full"},
        max_retries=0,
    )
    return Sample(job, project.finished(job))


PAGES: dict[str, Callable[[Sample], str]] = {
    "jobs": lambda sample: "",
    "day": lambda sample: "/day",
    "job": lambda sample: f"/jobs/{sample.job['id']}",
    "output": lambda sample: f"/jobs/{sample.job['id']}?tab=output",
    "usage": lambda sample: f"/jobs/{sample.job['id']}?tab=usage",
    "definition": lambda sample: f"/jobs/{sample.job['id']}?tab=definition",
    "run": lambda sample: f"/jobs/{sample.job['id']}/runs/{sample.failed['id']}",
    "new": lambda sample: "/new",
    "edit": lambda sample: f"/jobs/{sample.job['id']}/edit",
    "not-there": lambda sample: "/jobs/job_01K00000000000000000000000",
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing(
    tabs: Callable[..., Tab], sample: Sample, scheme: str, width: int
) -> None:
    """On no page, in a wide and a narrow window, with a dialog open, and signed out."""
    tab = tabs(color_scheme=scheme, viewport={"width": width, "height": 800})
    tab.expected = ("status of 404",)
    found: dict[str, list[str]] = {}
    for name, place in PAGES.items():
        tab.open(place(sample))
        expect(tab.heading).not_to_be_empty()
        tab.page.wait_for_load_state("networkidle")
        found[name] = tab.axe()
    tab.open(PAGES["job"](sample))
    tab.button("Run now").click()
    found["run dialog"] = tab.axe()
    tab.page.keyboard.press("Escape")
    tab.button("Delete").click()
    found["delete dialog"] = tab.axe()
    tab.page.keyboard.press("Escape")
    tab.button("Sign out").click()
    expect(tab.heading).to_have_text("Sign in")
    found["sign-in"] = tab.axe()
    assert {name: words for name, words in found.items() if words} == {}


def test_axe_sees_what_is_wrong(tab: Tab) -> None:
    """A picture without words and a faint text, which the tests above would miss otherwise."""
    tab.open("/new")
    expect(tab.heading).to_have_text("New job")
    tab.page.evaluate(
        "document.querySelector('h1').style.color = '#999';"
        "document.querySelector('main').append(document.createElement('img'))"
    )
    rules = {words.partition(":")[0] for words in tab.axe()}
    assert rules >= {"image-alt", "color-contrast"}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_window(
    tabs: Callable[..., Tab], sample: Sample, width: int
) -> None:
    """What is wide, such as a table, scrolls within itself."""
    tab = tabs(viewport={"width": width, "height": 800})
    tab.expected = ("status of 404",)
    wider = {}
    for name, place in PAGES.items():
        tab.open(place(sample))
        expect(tab.heading).not_to_be_empty()
        tab.page.wait_for_load_state("networkidle")
        wider[name] = tab.overflow()
    assert wider == dict.fromkeys(PAGES, 0)


def test_a_job_that_fails_again_and_again_fits_into_a_phone(
    browser: Browser, demo: Project
) -> None:
    """Its state has more words than that of any other."""
    with opened(browser, demo, viewport={"width": min(WIDTHS), "height": 800}) as tab:
        tab.open()
        expect(tab.page.get_by_text("Failing, 3 in a row")).to_be_visible()
        assert tab.overflow() == 0


def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        tab.page.keyboard.press(key)


def go_to(tab: Tab, name: str, most: int = 60) -> None:
    """Press Tab until the keyboard is at what has that name."""
    seen = []
    for _ in range(most):
        press(tab, "Tab")
        seen.append(tab.focused)
        if seen[-1] == name:
            return
    raise AssertionError(f"{name} is not reached: {seen}")


def test_a_run_is_started_and_cancelled_by_keyboard_alone(tab: Tab, project: Project) -> None:
    """From the sign-in to the end, without a mouse; what has the keyboard is always visible."""
    job = project.job("sleep 600")
    tab.go(tab.link(f"/jobs/{job['id']}"))
    expect(tab.heading).to_have_text("Sign in")
    tab.page.keyboard.type(project.token)
    press(tab, "Enter")
    expect(tab.heading).to_have_text("job")
    go_to(tab, "Run now")
    outline = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(tab, "Enter")
    go_to(tab, "Run now", 10)
    press(tab, "Enter")
    tab.page.wait_for_url("**/runs/run_*")
    expect(tab.button("Cancel")).to_be_visible()
    go_to(tab, "Cancel")
    press(tab, "Enter")
    go_to(tab, "Cancel the run", 10)
    press(tab, "Enter")
    expect(tab.page.get_by_role("region", name="Why")).to_contain_text("cancelled")


def test_a_dialog_gives_the_keyboard_back(tab: Tab, project: Project) -> None:
    """Escape closes it, and focus is where it was."""
    job = project.job()
    tab.open(f"/jobs/{job['id']}")
    expect(tab.heading).to_have_text("job")
    go_to(tab, "Delete")
    press(tab, "Enter")
    expect(tab.dialog).to_be_visible()
    for _ in range(8):
        press(tab, "Tab")
        assert tab.page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    press(tab, "Escape")
    expect(tab.dialog).to_have_count(0)
    assert tab.focused == "Delete"


def test_the_first_stop_skips_to_the_content(tab: Tab, project: Project) -> None:
    """Past the bar at the top."""
    job = project.job()
    tab.open(f"/jobs/{job['id']}")
    expect(tab.heading).to_have_text("job")
    press(tab, "Tab")
    assert tab.focused == "Skip to the content"
    press(tab, "Enter", "Tab")
    assert tab.focused == "Jobs"
    assert tab.page.evaluate("!!document.activeElement.closest('main')")
