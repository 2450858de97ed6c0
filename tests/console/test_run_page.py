"""The page of a run: it follows what happens, says why a run failed, and cancels or repeats it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.console.project import Project
from tests.console.tab import Tab
from tests.local.local_yard import wait_for

GATE = """
echo started; while [ ! -e {gate} ]; do sleep 0.05; done; echo finished
"""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file for which a run waits, so that a test says when it goes on."""
    return tmp_path / "gate"


def why(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Why")


def output(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Output")


def state(tab: Tab) -> Locator:
    """The badge beside the heading."""
    return tab.page.locator(".heading .badge")


def test_a_run_is_followed_without_a_reload(tab: Tab, project: Project, gate: Path) -> None:
    """
    Its state and its output come as they come, and are never more than five seconds old; once it
    is over, nothing is asked any more.
    """
    run = project.api.trigger(project.job(GATE.format(gate=gate))["id"])
    looks = tab.times_of(f"/runs/{run['id']}")
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(state(tab)).to_have_text(re.compile("Running"))
    expect(output(tab)).to_contain_text("started")
    expect(output(tab)).not_to_contain_text("finished")
    expect(tab.button("Cancel")).to_be_visible()
    tab.page.wait_for_timeout(7_000)
    gate.touch()
    expect(state(tab)).to_have_text(re.compile("Succeeded"))
    expect(output(tab)).to_contain_text("finished")
    expect(tab.button("Cancel")).to_have_count(0)
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert len(gaps) >= 2
    assert max(gaps) < 5
    expect(tab.page.locator(".output-foot")).not_to_contain_text("following")
    asked = len(tab.asked)
    tab.page.wait_for_timeout(3_500)
    assert tab.asked[asked:] == []


def test_a_failed_run_says_why_in_plain_sight(tab: Tab, project: Project) -> None:
    """Exit code, error and hint stand at the top, without scrolling."""
    run = project.finished(project.job("echo 'cannot open the file' >&2; exit 3"))
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(why(tab)).to_contain_text("exit code 3")
    for part in ("nonzero_exit", run["error"]["message"], run["error"]["hint"]):
        expect(why(tab)).to_contain_text(part)
    expect(why(tab)).to_be_in_viewport(ratio=1)
    expect(state(tab)).to_have_text(re.compile("Failed"))
    started_by = tab.page.locator(".facts div", has_text="Started by")
    expect(started_by).to_contain_text(run["triggered_by"]["name"])


def test_a_run_is_cancelled(tab: Tab, project: Project) -> None:
    """After a question; the page then has what became of it."""
    run = project.api.trigger(project.job("sleep 600")["id"])
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(state(tab)).to_have_text(re.compile("Running"))
    tab.button("Cancel").click()
    tab.button("Keep it", within=tab.dialog).click()
    expect(tab.dialog).to_have_count(0)
    assert project.run(run)["status"] == "running"
    tab.button("Cancel").click()
    tab.button("Cancel the run", within=tab.dialog).click()
    expect(state(tab)).to_have_text(re.compile("Cancelled"))
    expect(why(tab)).to_contain_text("cancelled_by_user")
    expect(why(tab)).to_contain_text("exit code 143")
    assert project.run(run)["status"] == "cancelled"


def test_a_run_that_ended_meanwhile_cannot_be_cancelled(
    tab: Tab, project: Project, gate: Path
) -> None:
    """The dialog shows what the API says, and stays."""
    tab.expected = ("status of 409",)
    run = project.api.trigger(project.job(GATE.format(gate=gate))["id"])
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    expect(state(tab)).to_have_text(re.compile("Running"))
    tab.button("Cancel").click()
    gate.touch()
    project.until_over(run)
    tab.button("Cancel the run", within=tab.dialog).click()
    expect(tab.dialog).to_contain_text("succeeded")
    tab.page.keyboard.press("Escape")
    expect(tab.dialog).to_have_count(0)


def test_a_run_is_repeated_as_it_was(tab: Tab, project: Project) -> None:
    """With its own command, where that was not the job's."""
    job = project.job("exit 1")
    first = project.until_over(project.api.trigger(job["id"], command=["echo", "it's me"]))
    tab.open(f"/jobs/{job['id']}/runs/{first['id']}")
    tab.button("Run again").click()
    tab.button("Run now", within=tab.dialog).click()
    tab.page.wait_for_url(
        lambda url: (
            url.startswith(tab.link(f"/jobs/{job['id']}/runs/run_")) and first["id"] not in url
        )
    )
    expect(state(tab)).to_have_text(re.compile("Succeeded"))
    expect(output(tab)).to_contain_text("it's me")
    (second, _) = project.api.job_runs(job["id"])
    assert second["command"] == ["echo", "it's me"]


def test_each_attempt_is_in_the_timeline(tab: Tab, project: Project) -> None:
    """While it waits for its retry, the page says when that comes."""
    job = project.job("exit 4", max_retries=1)
    run = project.api.trigger(job["id"])
    tab.open(f"/jobs/{job['id']}/runs/{run['id']}")
    expect(state(tab)).to_have_text(re.compile("Waits for its retry"))
    expect(tab.page.locator(".facts")).to_contain_text("Next attempt")
    expect(tab.page.locator(".facts")).to_contain_text("2 of 2")
    expect(why(tab)).to_contain_text("exit code 4")
    timeline = tab.page.locator(".at-timeline")
    expect(timeline.locator("text.row-label")).to_have_text(["Waited", "Attempt 1"])
    timeline.get_by_text("As a table").click()
    rows = timeline.get_by_role("row")
    expect(rows.filter(has_text="Attempt 1 ended, exit code 4")).to_be_visible()
    project.api.cancel_run(job["id"], run["id"])


def test_a_run_on_spot_says_how_often_it_was_interrupted(tab: Tab, project: Project) -> None:
    """It goes on running, and what it has written is there."""
    job = project.job("echo begun; sleep 600", capacity="spot")
    run = project.api.trigger(job["id"])
    wait_for(lambda: any(one["interruptions"] for one in project.run(run)["attempts"]), "it is", 60)
    tab.open(f"/jobs/{job['id']}/runs/{run['id']}")
    expect(state(tab)).to_have_text(re.compile("Running"))
    expect(tab.page.locator(".details")).to_contain_text("spot, interrupted")
    expect(output(tab)).to_contain_text("begun")
    project.api.cancel_run(job["id"], run["id"])


def test_the_timeline_is_read_by_keyboard(tab: Tab, project: Project) -> None:
    """Arrow keys go from event to event, and a screen reader hears each."""
    run = project.finished(project.job("sleep 0.3"))
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    chart = tab.page.get_by_role("img", name="Timeline of the run")
    chart.focus()
    heard = tab.page.locator(".at-timeline [aria-live]")
    for key, event in (
        ("ArrowRight", "Created"),
        ("ArrowRight", "Task started"),
        ("End", "Finished"),
        ("ArrowLeft", "Task ended, exit code 0"),
        ("Home", "Created"),
    ):
        tab.page.keyboard.press(key)
        expect(heard).to_contain_text(event)
        expect(tab.page.locator(".tooltip")).to_contain_text(event)
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator(".tooltip")).to_have_count(0)


def test_times_are_the_viewers_with_utc_beside(tab: Tab, project: Project) -> None:
    """The same instant in both, in the zone of the browser."""
    run = project.finished(project.job())
    tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")
    started = tab.page.locator(".details div", has_text="Started")
    utc = run["started_at"][:19].replace("T", " ")
    expect(started).to_contain_text(f"{utc} UTC")
    local = tab.page.evaluate(
        "(at) => new Date(at).toLocaleTimeString('en-GB', {timeZone: 'Europe/Berlin'})",
        run["started_at"],
    )
    assert local != utc[11:]
    expect(started).to_contain_text(local)


@pytest.mark.parametrize("place", ["/jobs/job_01K00000000000000000000000", "/jobs/x/runs/y"])
def test_what_is_not_there_has_a_page_that_says_so(tab: Tab, project: Project, place: str) -> None:
    """With a way on; the API's message is above."""
    tab.expected = ("status of 404",)
    tab.open(place)
    expect(tab.heading).to_have_text("Not found")
    message = tab.page.get_by_role("alert").filter(has_text=re.compile("no (job|run)", re.I))
    expect(message).to_be_visible()
    expect(tab.page.get_by_role("link", name="All jobs of the project")).to_be_visible()
