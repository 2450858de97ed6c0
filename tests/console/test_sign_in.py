"""Signing in: by a link, by pasting a token, again after the token was taken back, and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.console.project import Project
from tests.console.tab import Tab, opened

REVOKED = "The token is unknown, expired or revoked"


@pytest.fixture(scope="module", autouse=True)
def revoked(browser: Browser, stack: dict[str, str]) -> Iterator[Tab]:
    """
    A page whose token was revoked while it was open.

    The API may accept a token for 30 s after that, so this begins before the other tests.
    """
    with Project.new(stack) as project:
        token = project.new_token("write", "--name", "short-lived")
        job = project.job()
        with opened(browser, project) as tab:
            tab.expected = ("status of 401",)
            tab.open(f"/jobs/{job['id']}?tab=definition", token=token)
            expect(tab.heading).to_have_text("job")
            project.tokens("revoke", token)
            yield tab


def paste(tab: Tab, token: str) -> None:
    tab.page.get_by_label("Token").fill(token)
    tab.button("Sign in").click()


def stored(tab: Tab) -> object:
    return tab.page.evaluate("({...sessionStorage, ...localStorage})['jobyard-token']")


def test_the_link_that_make_up_prints_signs_in(tab: Tab, welcome: str) -> None:
    """To the project of a shell that sources .local/env."""

    (link,) = (line for line in welcome.splitlines() if "/console#" in line)
    tab.go(link)
    expect(tab.page.locator(".where")).to_have_text("local / demo")
    expect(tab.button("Sign out")).to_be_visible()


def test_a_link_signs_in_and_leaves_no_token_behind(tab: Tab, project: Project) -> None:
    """Neither in the address bar, nor in the history, nor on the way to the server."""
    sent: list[str] = []
    tab.page.on("request", lambda request: sent.append(request.url))
    job = project.job()
    tab.go("about:blank")
    tab.open(f"/jobs/{job['id']}?tab=definition")
    expect(tab.heading).to_have_text("job")
    assert tab.page.url == tab.link(f"/jobs/{job['id']}?tab=definition")
    tab.page.go_back()
    assert tab.page.url == "about:blank"
    tab.page.go_forward()
    expect(tab.heading).to_have_text("job")
    assert not any(project.token in url for url in [*sent, tab.page.url])


def test_a_pasted_token_signs_in(tab: Tab, project: Project) -> None:
    """At the page that the address names, with its project filled in."""
    job = project.job()
    tab.go(tab.link(f"/jobs/{job['id']}"))
    expect(tab.heading).to_have_text("Sign in")
    assert tab.focused == "token"
    expect(tab.page.get_by_label("Project")).to_have_value(project.api.project)
    paste(tab, f" {project.token}\n")
    expect(tab.heading).to_have_text("job")
    tab.is_at(f"/jobs/{job['id']}")


def test_from_the_bare_address_to_a_project(tab: Tab, project: Project) -> None:
    """Whoever only knows where the console is names workspace and project."""

    tab.go(f"{project.api.url}/console")
    tab.page.get_by_label("Workspace").fill(project.api.workspace)
    tab.page.get_by_label("Project").fill(project.api.project)
    paste(tab, project.token)
    tab.is_at("")
    expect(tab.button("Sign out")).to_be_visible()


def test_a_token_that_is_not_valid_is_refused_in_the_apis_words(tab: Tab, project: Project) -> None:
    """And it is not kept."""
    tab.expected = ("status of 401", "status of 403")
    tab.go(tab.link())
    paste(tab, "jyd_nonsense")
    expect(tab.page.get_by_role("alert").filter(has_text="malformed")).to_be_visible()
    assert stored(tab) is None
    paste(tab, project.new_token("read", "--projects", "another"))
    expect(tab.page.get_by_role("alert").filter(has_text="may not")).to_be_visible()
    assert stored(tab) is None
    assert tab.focused == "token"


def test_signing_out_forgets_the_token(tab: Tab, project: Project) -> None:
    """The page behind it is gone, and a reload does not bring it back."""
    job = project.job()
    tab.open(f"/jobs/{job['id']}")
    expect(tab.heading).to_have_text("job")
    tab.button("Sign out").click()
    expect(tab.heading).to_have_text("Sign in")
    assert stored(tab) is None
    tab.reload()
    expect(tab.heading).to_have_text("Sign in")


def test_the_token_is_this_tabs_alone(tab: Tab, project: Project) -> None:
    """A reload keeps it; another tab of the same browser does not have it."""
    job = project.job()
    tab.open(f"/jobs/{job['id']}")
    tab.reload()
    expect(tab.heading).to_have_text("job")
    other = tab.page.context.new_page()
    other.goto(tab.page.url)
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_an_expired_token_leads_to_the_sign_in(tabs: Callable[..., Tab], project: Project) -> None:
    """With the API's reason, within one look, from a page that was only open."""
    tab = tabs()
    tab.expected = ("status of 401",)
    job = project.job("sleep 60")
    run = project.api.trigger(job["id"])
    token = project.new_token("read", "--expires", "2s")
    tab.open(f"/jobs/{job['id']}/runs/{run['id']}", token=token)
    expect(tab.page.get_by_role("alert").filter(has_text=REVOKED)).to_be_visible()
    project.api.cancel_run(job["id"], run["id"])


def test_a_revoked_token_leads_to_the_sign_in_and_back(revoked: Tab) -> None:
    """To the same page, with what was chosen on it."""
    tab, page = revoked, revoked.page
    where = page.url
    expect(page.get_by_role("alert").filter(has_text=REVOKED)).to_be_visible(timeout=70_000)
    expect(tab.heading).to_have_text("Sign in")
    assert stored(tab) is None
    assert page.url == where
    paste(tab, tab.project.token)
    expect(tab.heading).to_have_text("job")
    expect(tab.button("Definition")).to_have_attribute("aria-pressed", "true")
    assert page.url == where
