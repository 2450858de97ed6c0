"""Addresses: every one can be opened by itself, reloaded, gone back to and sent to others."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Request, Route, expect

from tests.console.project import Project
from tests.console.tab import Tab


def test_back_and_forward_lead_through_the_pages(tab: Tab, project: Project) -> None:
    """What is chosen on a page is no step of its own."""
    run = project.finished(project.job())
    job_page, run_page = f"/jobs/{run['job_id']}", f"/jobs/{run['job_id']}/runs/{run['id']}"
    tab.open(job_page)
    tab.button("Output").click()
    tab.button("Definition").click()
    tab.button("Runs").click()
    tab.page.locator("table.runs").get_by_role("link").click()
    expect(tab.heading).to_have_text(re.compile("Run of"))
    tab.is_at(run_page)
    tab.page.go_back()
    expect(tab.heading).to_have_text("job")
    tab.is_at(job_page)
    tab.page.go_forward()
    expect(tab.heading).to_have_text(re.compile("Run of"))
    tab.page.get_by_role("link", name="job", exact=True).click()
    tab.is_at(job_page)


def test_going_back_leads_to_where_the_reader_was(tab: Tab, project: Project) -> None:
    """Once the page is as long as it was."""
    job = project.job()
    for _ in range(12):
        project.finished(job)
    tab.open(f"/jobs/{job['id']}")
    last = tab.page.locator("table.runs").get_by_role("link").last
    last.scroll_into_view_if_needed()
    place = tab.page.evaluate("scrollY")
    assert place > 100
    last.click()
    expect(tab.heading).to_have_text(re.compile("Run of"))
    assert tab.page.evaluate("scrollY") == 0
    tab.page.go_back()
    tab.page.wait_for_function("(place) => Math.abs(scrollY - place) < 2", arg=place)


@pytest.mark.parametrize("place", ["", "/runs/{run}", "/edit"])
def test_a_page_survives_a_reload(tab: Tab, project: Project, place: str) -> None:
    """And has a title of its own in the browser's history."""
    run = project.finished(project.job(name="nightly"))
    tab.open(f"/jobs/{run['job_id']}{place.format(run=run['id'])}")
    expect(tab.heading).not_to_be_empty()
    heading = tab.heading.text_content()
    where = tab.page.url
    tab.reload()
    expect(tab.heading).to_have_text(str(heading))
    assert tab.page.url == where
    assert tab.page.title().endswith(" · Jobyard")


def test_an_address_without_a_page_says_so(tab: Tab, project: Project) -> None:
    """Instead of an empty page."""
    tab.open("/nothing/here")
    expect(tab.heading).to_have_text("No such page")


def test_the_console_works_behind_a_stages_prefix(tab: Tab, project: Project) -> None:
    """It asks the API beside it, whatever stands before /console in the address."""
    asked: list[str] = []

    def without_prefix(route: Route, request: Request) -> None:
        asked.append(request.url)
        route.fulfill(response=route.fetch(url=request.url.replace("/prod/", "/")))

    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.route("**/prod/**", without_prefix)
    place = tab.where(f"/jobs/{project.job()['id']}")
    tab.go(f"{project.api.url}/prod/console#{place}?token={project.token}")
    expect(tab.heading).to_have_text("job")
    assert [url for url in asked if not url.startswith(f"{project.api.url}/prod/")] == []
