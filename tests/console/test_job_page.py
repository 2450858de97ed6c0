"""The page of a job: what it is and how it does; run, pause, duplicate and delete it."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, expect

from jobyard.errors import Refused
from tests.console.project import Project
from tests.console.tab import ZONE, Tab

NEW_YORK = "America/New_York"


def chart(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("img", name=re.compile(name))


def test_a_run_is_started_with_another_command_and_variables(tab: Tab, project: Project) -> None:
    """For this one run; the page goes on to the run."""
    job = project.job("echo as the job says", env={"MODE": "full"})
    tab.open(f"/jobs/{job['id']}")
    tab.button("Run now").click()
    tab.dialog.get_by_label("Command").fill("""sh -c 'echo "$MODE and $EXTRA"'""")
    tab.button("Add a variable", within=tab.dialog).click()
    tab.dialog.get_by_label("Name 1").fill("EXTRA")
    tab.dialog.get_by_label("Value 1").fill("it's more")
    tab.button("Run now", within=tab.dialog).click()
    tab.page.wait_for_url(re.compile("/runs/run_"))
    output = tab.page.get_by_role("region", name="Output")
    expect(output).to_contain_text("full and it's more")
    assert project.api.get_job(job["id"])["command"] == job["command"]


def test_what_the_api_refuses_stands_in_the_dialog(tab: Tab, project: Project) -> None:
    """And what was typed stays."""
    tab.expected = ("status of 422",)
    job = project.job()
    tab.open(f"/jobs/{job['id']}")
    tab.button("Run now").click()
    tab.dialog.get_by_label("Command").fill("echo one && echo two")
    tab.button("Run now", within=tab.dialog).click()
    expect(tab.dialog.locator(".field-error")).to_contain_text('["sh", "-c",')
    expect(tab.dialog.get_by_label("Command")).to_have_value("echo one && echo two")
    assert list(project.api.job_runs(job["id"])) == []


def test_the_schedule_is_paused_and_resumed(tab: Tab, project: Project) -> None:
    """What it means stands under the name, in words and with its zone."""
    job = project.job(schedule="30 2 * * 1-5", timezone=NEW_YORK)
    tab.open(f"/jobs/{job['id']}")
    line = tab.page.locator(".schedule-line")
    expect(line).to_contain_text(f"At 02:30, Monday to Friday ({NEW_YORK}) · next in")
    tab.button("Pause").click()
    expect(line).to_contain_text("paused")
    expect(tab.page.get_by_text("the schedule does not fire")).to_be_visible()
    assert project.api.get_job(job["id"])["paused"] is True
    tab.button("Resume").click()
    expect(line).to_contain_text("next in")
    assert project.api.get_job(job["id"])["paused"] is False


def test_the_next_fires_are_in_both_zones(tab: Tab, project: Project) -> None:
    """The job's and the viewer's; the same instants as the API has."""
    job = project.job(schedule="30 2 * * 1-5", timezone=NEW_YORK)
    slots = project.api.schedule("30 2 * * 1-5", NEW_YORK, count=10)["slots"]
    tab.open(f"/jobs/{job['id']}")
    table = tab.page.get_by_role("region", name="Next fires")
    expect(table.get_by_role("columnheader")).to_have_text(
        [NEW_YORK, f"Yours ({ZONE})", "From now"]
    )
    times = table.locator("tbody tr")
    expect(times).to_have_count(10)
    for row, slot in zip(times.all(), slots, strict=True):
        expect(row.locator("td").nth(0)).to_contain_text("02:30")
        local = tab.page.evaluate(
            "([at, timeZone]) => new Date(at).toLocaleTimeString('en-GB',"
            " {timeZone, hour: '2-digit', minute: '2-digit'})",
            [slot, ZONE],
        )
        expect(row.locator("td").nth(1)).to_contain_text(local)
    assert ZoneInfo(ZONE) != ZoneInfo(NEW_YORK)


def test_a_failing_job_says_since_when_and_why(tab: Tab, project: Project) -> None:
    """Without opening a run; a link leads to the last one that failed."""
    job = project.job("exit 3")
    runs = [project.finished(job) for _ in range(2)]
    tab.open(f"/jobs/{job['id']}")
    panel = tab.page.get_by_role("region", name="Failing")
    for part in ("The last 2 runs failed", "exit code 3", "never succeeded", "since"):
        expect(panel).to_contain_text(part)
    panel.get_by_role("link", name="Open the last failed run").click()
    tab.is_at(f"/jobs/{job['id']}/runs/{runs[-1]['id']}")


def test_new_runs_appear_by_themselves(tab: Tab, project: Project) -> None:
    """While something is in flight the page is at most five seconds old."""
    job = project.job("sleep 1")
    project.api.trigger(job["id"])
    tab.open(f"/jobs/{job['id']}")
    expect(tab.page.get_by_role("row").filter(has_text="Running")).to_be_visible()
    expect(tab.page.get_by_role("row").filter(has_text="Succeeded")).to_be_visible()
    expect(tab.page.locator(".heading .badge")).to_have_text(re.compile("OK"))


def test_runs_are_filtered_by_the_api(tab: Tab, project: Project) -> None:
    """By outcome and by what started them."""
    job = project.job("exit $CODE", env={"CODE": "0"})
    project.finished(job)
    failed = project.until_over(project.api.trigger(job["id"], env={"CODE": "1"}))
    tab.open(f"/jobs/{job['id']}")
    rows = tab.page.locator("table.runs tbody tr")
    expect(rows).to_have_count(2)
    tab.page.get_by_label("Outcome").select_option("failed")
    expect(rows).to_have_count(1)
    tab.page.get_by_label("Started by").select_option("schedule")
    expect(tab.page.get_by_text("No runs.")).to_be_visible()
    tab.page.get_by_label("Started by").select_option("manual")
    rows.get_by_role("link").click()
    tab.is_at(f"/jobs/{job['id']}/runs/{failed['id']}")


def test_the_durations_are_read_by_keyboard_and_open_their_run(tab: Tab, project: Project) -> None:
    """The axis has units; Enter opens the run of the bar; the same numbers are in a table."""
    job = project.job("sleep 0.2")
    first, second = (project.finished(job) for _ in range(2))
    tab.open(f"/jobs/{job['id']}")
    bars = chart(tab, "Durations of the last 2 runs")
    expect(bars.locator(".axis text").first).to_have_text("0 s")
    bars.focus()
    tab.page.keyboard.press("ArrowRight")
    tooltip = tab.page.locator(".at-durations .tooltip")
    expect(tooltip).to_contain_text("✓ Succeeded, 0.")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("Enter")
    tab.is_at(f"/jobs/{job['id']}/runs/{second['id']}")
    tab.page.go_back()
    box = bars.bounding_box()
    assert box
    tab.page.mouse.move(box["x"] + 90, box["y"] + 180)
    expect(tooltip).to_contain_text("Succeeded")
    tab.page.mouse.click(box["x"] + 90, box["y"] + 180)
    tab.is_at(f"/jobs/{job['id']}/runs/{first['id']}")


def test_the_time_out_is_a_line_where_bars_come_near_it(tab: Tab, project: Project) -> None:
    """And one that is far away does not squeeze the bars."""
    job = project.job("sleep 1.5", timeout_seconds=2)
    project.finished(job)
    tab.open(f"/jobs/{job['id']}")
    expect(chart(tab, "Duration of the last run").locator(".limit")).to_have_text("time-out 2 s")
    project.api.update_job(job["id"], {"timeout_seconds": 3600})
    tab.reload()
    expect(chart(tab, "Duration of the last run").locator(".mark")).to_have_count(1)
    expect(chart(tab, "Duration of the last run").locator(".limit")).to_have_count(0)


def test_the_parts_of_a_job_have_addresses(tab: Tab, project: Project) -> None:
    """Output across its runs, with links to them, and every field of its definition."""
    job = project.job("echo from a run", env={"MODE": "full"}, tags=["team=data"])
    run = project.finished(job)
    tab.open(f"/jobs/{job['id']}")
    tab.button("Output").click()
    tab.is_at(f"/jobs/{job['id']}?tab=output")
    output = tab.page.get_by_role("region", name="Output")
    expect(output).to_contain_text("from a run")
    expect(output.get_by_role("link").last).to_have_attribute("title", run["id"])
    tab.reload()
    expect(output).to_contain_text("from a run")
    tab.button("Definition").click()
    definition = tab.page.locator(".details")
    for value in ("MODE=full", "team=data", "busybox", "0.25 vCPU", "512 MiB", job["id"]):
        expect(definition).to_contain_text(value)
    shown = definition.locator("dt").count()
    assert shown == len(job.keys() - {"workspace_id", "project_id", "name"})


def test_a_job_is_deleted_once_its_name_is_typed(tab: Tab, project: Project) -> None:
    """Not before, and not with another name."""

    job = project.job(name="nightly & co")
    tab.open(f"/jobs/{job['id']}")
    tab.button("Delete").click()
    delete = tab.button("Delete the job", within=tab.dialog)
    expect(delete).to_be_disabled()
    tab.dialog.get_by_role("textbox").fill("nightly")
    expect(delete).to_be_disabled()
    tab.dialog.get_by_role("textbox").fill("nightly & co")
    delete.click()
    tab.is_at("")
    with pytest.raises(Refused) as refused:
        project.api.get_job(job["id"])
    assert refused.value.status == 404


def test_a_token_that_may_only_read_is_told_so(tab: Tab, project: Project) -> None:
    """The buttons are there; the API's refusal is shown, and nothing has changed."""
    tab.expected = ("status of 403",)
    job = project.job(schedule="@daily")
    tab.open(f"/jobs/{job['id']}", token=project.new_token("read"))
    tab.button("Pause").click()
    expect(tab.page.get_by_role("status").filter(has_text="may not")).to_be_visible()
    assert project.api.get_job(job["id"])["paused"] is False
