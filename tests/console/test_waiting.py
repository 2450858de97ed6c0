"""Runs that wait for others, and jobs that start later than their slots."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from playwright.sync_api import Locator, expect

from tests.console.project import Project
from tests.console.tab import Tab


def fact(tab: Tab, name: str) -> Locator:
    """What the details of a run say under a name."""
    names = tab.page.locator("dt").filter(has_text=re.compile(f"^{name}$"))
    return tab.page.locator(".details div").filter(has=names).locator("dd")


def test_a_run_in_line_names_those_that_it_waits_for(tab: Tab, project: Project) -> None:
    """Until its turn has come; then the row is gone."""
    job = project.job("sleep 60", concurrency_policy="queue")
    first, second = (project.api.trigger(job["id"]) for _ in range(2))
    tab.open(f"/jobs/{job['id']}/runs/{second['id']}")
    expect(fact(tab, "Waits for")).to_have_text(first["id"])
    project.api.cancel_run(job["id"], first["id"])
    expect(fact(tab, "Started")).to_be_visible(timeout=30_000)
    expect(fact(tab, "Waits for")).to_have_count(0)
    project.api.cancel_run(job["id"], second["id"])


def test_a_job_with_jitter_says_when_its_next_slot_starts(tab: Tab, project: Project) -> None:
    """The form has the field; the table has the slots, and the line below it the time."""
    job = project.job(schedule="0 3 * * *", jitter_seconds=3_600)
    tab.open(f"/jobs/{job['id']}")
    fires = tab.page.locator(".at-fires")
    local = tab.page.evaluate(
        "at => new Date(at).toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'})",
        job["next_run_at"],
    )
    expect(fires.locator("p")).to_contain_text("starts later than these by its jitter")
    expect(fires.locator("p")).to_contain_text(local)
    tab.open(f"/jobs/{job['id']}/edit")
    expect(tab.page.get_by_label("Start later by up to, in seconds")).to_have_value("3600")


def test_a_run_with_jitter_waited_from_when_it_was_due(tab: Tab, project: Project) -> None:
    """Slot and due time are both in the details; the run was stored as a slot's, an hour later."""
    job = project.job()
    run = project.finished(job)
    due = datetime.fromisoformat(run["created_at"])
    slot = due - timedelta(hours=1)
    stored = project.aws("dynamodb")
    (table,) = [name for name in stored.list_tables()["TableNames"] if name.endswith("-runs")]
    stored.update_item(
        TableName=table,
        Key={"pk": {"S": job["id"]}, "sk": {"S": run["id"]}},
        UpdateExpression="SET scheduled_for = :slot, due_at = :due",
        ExpressionAttributeValues={
            name: {"S": f"{at:%Y-%m-%dT%H:%M:%S.%f}+0000"}
            for name, at in ((":slot", slot), (":due", due))
        },
    )
    assert project.run(run)["due_at"] == run["created_at"]
    tab.open(f"/jobs/{job['id']}/runs/{run['id']}")
    expect(fact(tab, "Slot")).to_contain_text(f"{slot:%H:%M:%S} UTC")
    expect(fact(tab, "Due, with jitter")).to_contain_text(f"{due:%H:%M:%S} UTC")
    waited = tab.page.locator(".facts div", has_text="Waited").locator("dd")
    expect(waited).not_to_contain_text("h")
