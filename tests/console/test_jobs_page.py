"""The page of jobs: what fails stands first; it is searched, sorted, and acted on."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, expect

from tests.console.project import Project
from tests.console.tab import Tab


def rows(tab: Tab) -> Locator:
    return tab.page.locator("table.jobs tbody tr")


def names(tab: Tab) -> list[str]:
    return rows(tab).locator(".name").all_text_contents()


def test_an_empty_project_says_what_to_do_first(tab: Tab, project: Project) -> None:
    """A form, and a command to paste that names this project."""
    tab.open()
    expect(tab.heading).to_have_text("No jobs yet")
    command = tab.page.get_by_label("Command")
    expect(command).to_contain_text(f"JOBYARD_PROJECT={project.api.project}")
    expect(command).to_contain_text("jobyard run hello --follow")
    tab.page.get_by_role("link", name="Create the first job").click()
    tab.is_at("/new")


def test_failing_jobs_come_first_then_running_ones(tab: Tab, project: Project) -> None:
    """With why the last run failed, and since how many runs; all others go by name."""
    project.job(name="b-never-ran")
    project.job(name="a-paused", schedule="@daily", paused=True)
    running = project.api.trigger(project.job("sleep 600", name="runs")["id"])
    failing = project.job("exit 3", name="z-fails")
    for _ in range(2):
        project.finished(failing)
    tab.open()
    expect(rows(tab)).to_have_count(4)
    expect(rows(tab).nth(0)).to_contain_text("Failing, 2 in a row")
    assert names(tab) == ["z-fails", "runs", "a-paused", "b-never-ran"]
    expect(rows(tab).nth(0)).to_contain_text("exited with an error")
    expect(rows(tab).nth(1)).to_contain_text("Running")
    expect(rows(tab).nth(2)).to_contain_text("Paused")
    expect(rows(tab).nth(3)).to_contain_text("Never ran")
    project.api.cancel_run(running["job_id"], running["id"])
    expect(rows(tab).nth(1)).not_to_contain_text("Running")


def test_the_demo_is_searched_filtered_and_sorted(demo_tab: Tab) -> None:
    """What is chosen is in the address, and a reload keeps it."""
    tab = demo_tab
    tab.open()
    expect(rows(tab)).to_have_count(12)
    tab.page.get_by_label("Search by name").fill("shop export")
    expect(tab.page.get_by_text("No job matches")).to_be_visible()
    tab.page.get_by_label("Search by name").fill("team=shop")
    expect(rows(tab)).to_have_count(5)
    tab.page.get_by_label("Search by name").fill("")
    tab.page.get_by_role("group", name="State").get_by_role("button", name="Failing").click()
    expect(rows(tab)).to_have_count(3)
    tab.reload()
    expect(rows(tab)).to_have_count(3)
    tab.page.get_by_role("group", name="State").get_by_role("button", name="Failing").click()
    tab.page.set_viewport_size({"width": 1400, "height": 800})
    tab.page.get_by_role("columnheader", name="Job").get_by_role("button").click()
    expect(rows(tab).first).to_contain_text("backup-database")
    assert names(tab) == sorted(names(tab))
    tab.page.get_by_role("columnheader", name="Job").get_by_role("button").click()
    expect(rows(tab).first).to_contain_text("weekly-report")
    assert names(tab) == sorted(names(tab), reverse=True)
    assert parse_qs(urlsplit(tab.page.url).fragment.partition("?")[2])["sort"] == ["-name"]
    tab.page.get_by_label("Tag", exact=True).select_option("team=billing")
    expect(rows(tab)).to_have_count(1)


def test_the_strip_shows_the_last_20_runs(demo_tab: Tab) -> None:
    """In words too; skipped and missed slots are there, and look otherwise than runs."""
    demo_tab.open("?q=poll-partners")
    strip = rows(demo_tab).get_by_role("img")
    expect(strip).to_have_attribute(
        "aria-label", re.compile("Last 20 runs: 18 succeeded, 2 skipped")
    )
    expect(strip.locator(".mark")).to_have_count(20)
    expect(strip.locator(".mark.is-skipped")).to_have_count(2)


def test_a_page_of_jobs_is_one_request(demo_tab: Tab) -> None:
    """However many runs there are."""
    demo_tab.open()
    expect(rows(demo_tab)).to_have_count(12)
    assert demo_tab.asked == ["GET /jobs?include=activity&limit=100"]


def test_jobs_are_run_and_paused_from_the_list(tab: Tab, project: Project) -> None:
    """Without opening them."""
    job = project.job(name="nightly", schedule="@daily")
    tab.open()
    tab.button("Pause nightly").click()
    expect(tab.button("Resume nightly")).to_be_visible()
    assert project.api.get_job(job["id"])["paused"] is True
    tab.button("Run nightly now").click()
    tab.button("Run now", within=tab.dialog).click()
    tab.page.wait_for_url(re.compile(f"{job['id']}/runs/run_"))
