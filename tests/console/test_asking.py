"""How often the console asks the API: in flight or not, unseen, and without an answer."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.console.project import Project
from tests.console.tab import Tab

HIDDEN = """(isHidden) => {
  Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def hide(tab: Tab, is_hidden: bool = True) -> None:
    """As the browser tells a page. A headless one never does, as all of its tabs are in front."""
    tab.page.evaluate(HIDDEN, is_hidden)


def test_a_hidden_tab_asks_nothing_and_looks_at_once_when_it_is_seen(
    tab: Tab, project: Project
) -> None:
    """However much is in flight; its output neither."""
    run = project.api.trigger(project.job("sleep 600")["id"])
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(tab.page.locator(".heading .badge")).to_have_text(re.compile("Running"))
    hide(tab)
    tab.page.wait_for_timeout(500)  # what was on its way
    asked = len(tab.asked)
    project.api.cancel_run(run["job_id"], run["id"])
    tab.page.wait_for_timeout(5_000)
    assert tab.asked[asked:] == []
    hide(tab, False)
    expect(tab.page.locator(".heading .badge")).to_have_text(re.compile("Cancelled"), timeout=2_000)


def test_an_idle_page_asks_seldom(tab: Tab, project: Project) -> None:
    """Nothing within five seconds, where nothing is in flight and nothing is due."""
    job = project.job(schedule="0 0 1 1 *")
    tab.open(f"/jobs/{job['id']}")
    expect(tab.heading).to_have_text("job")
    tab.page.wait_for_load_state("networkidle")
    asked = len(tab.asked)
    tab.page.wait_for_timeout(5_000)
    assert tab.asked[asked:] == []


def test_without_an_answer_the_page_stays_and_tries_again(tab: Tab, project: Project) -> None:
    """It says as of when it is, and that it is not up to date."""
    tab.expected = ("ERR_INTERNET_DISCONNECTED",)
    run = project.api.trigger(project.job("sleep 600")["id"])
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(tab.page.locator(".heading .badge")).to_have_text(re.compile("Running"))
    tab.page.context.set_offline(True)
    banner = tab.page.locator(".banner")
    expect(banner).to_contain_text("The API does not answer")
    expect(tab.page.locator(".fresh")).to_have_text("Not up to date")
    expect(tab.heading).to_contain_text("Run of")
    tab.page.context.set_offline(False)
    expect(banner).to_have_count(0)
    project.api.cancel_run(run["job_id"], run["id"])


def test_leaving_a_page_ends_its_asking(tab: Tab, project: Project) -> None:
    """Else each page that was open would go on asking behind the next."""
    run = project.api.trigger(project.job("sleep 600")["id"])
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(tab.page.locator(".heading .badge")).to_have_text(re.compile("Running"))
    tab.page.get_by_role("link", name="New job").click()
    expect(tab.heading).to_have_text("New job")
    asked = len(tab.asked)
    tab.page.wait_for_timeout(3_500)
    assert tab.asked[asked:] == []
    project.api.cancel_run(run["job_id"], run["id"])
