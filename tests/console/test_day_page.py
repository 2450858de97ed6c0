"""The day of a project: every run as a bar, what is to come in outline, now as a line."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.console.project import Project
from tests.console.tab import Tab


def bars(tab: Tab, job: str) -> Locator:
    return tab.page.locator(".day-row", has_text=job).get_by_role("img")


def test_runs_and_what_is_to_come_are_bars(tab: Tab, project: Project) -> None:
    """A row for each job that has any; a bar opens its run by keyboard and by mouse."""
    failed = project.finished(project.job("exit 1", name="fails"))
    project.job(name="soon", schedule="*/10 * * * *")
    project.job(name="never", schedule="0 0 1 1 *")
    tab.open("/day?hours=72")
    expect(bars(tab, "fails")).to_have_attribute("aria-label", re.compile("1 runs, 1 failed"))
    expect(bars(tab, "soon")).to_have_attribute("aria-label", re.compile("0 runs.* to come"))
    expect(tab.page.get_by_text("never")).to_have_count(0)
    expect(bars(tab, "fails").locator(".mark.is-failed .sign")).to_have_count(1)
    expect(bars(tab, "fails").locator(".now")).to_have_count(1)
    assert bars(tab, "soon").locator(".is-upcoming .bar").count() > 10
    bars(tab, "fails").focus()
    tab.page.keyboard.press("ArrowRight")
    expect(tab.page.locator(".tooltip")).to_contain_text("✕ Failed")
    expect(tab.page.locator(".tooltip")).to_contain_text("exited with an error")
    tab.page.keyboard.press("Enter")
    tab.is_at(f"/jobs/{failed['job_id']}/runs/{failed['id']}")


def test_a_run_appears_while_the_page_is_open(tab: Tab, project: Project) -> None:
    """And its end, too."""
    job = project.job("sleep 2", name="nightly")
    run = project.api.trigger(job["id"])
    tab.open("/day")
    expect(bars(tab, "nightly").locator(".is-running, .is-pending").first).to_be_attached()
    expect(bars(tab, "nightly").locator(".is-succeeded")).to_have_count(1)
    assert project.run(run)["status"] == "succeeded"


def test_skipped_and_missed_slots_are_drawn(demo_tab: Tab) -> None:
    """A week of the demo, whose table has the same."""
    demo_tab.page.set_viewport_size({"width": 1400, "height": 900})
    demo_tab.open()
    demo_tab.page.get_by_role("link", name="Day").click()
    demo_tab.page.get_by_label("How long").select_option("168")
    for _ in range(1):
        demo_tab.button("← Earlier").click()
    expect(demo_tab.page.get_by_label("Legend")).to_contain_text("Succeeded")
    shown = bars(demo_tab, "poll-partners")
    expect(shown.locator(".is-succeeded").first).to_be_attached()
    expect(shown.locator(".is-missed")).to_have_count(3)
    expect(shown.locator(".is-skipped")).not_to_have_count(0)
    demo_tab.page.get_by_text("As a table").click()
    expect(
        demo_tab.page.get_by_role("row").filter(has_text="noticed too late").first
    ).to_be_visible()


def test_another_day_has_an_address(demo_tab: Tab) -> None:
    """Earlier and later lead from day to day, and a reload stays there."""
    tab = demo_tab
    tab.open("/day")
    today = tab.heading.text_content()
    tab.button("← Earlier").click()
    expect(tab.heading).not_to_have_text(str(today))
    expect(bars(tab, "sync-orders").locator(".is-succeeded")).not_to_have_count(0)
    yesterday = tab.heading.text_content()
    tab.reload()
    expect(tab.heading).to_have_text(str(yesterday))
    tab.button("Today").click()
    expect(tab.heading).to_have_text(str(today))
    tab.is_at("/day")
