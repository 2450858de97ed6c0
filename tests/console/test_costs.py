"""The console shows what runs cost, and says that it is an estimate."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.console.project import Project
from tests.console.tab import Tab


def test_a_run_a_job_and_the_list_of_jobs_show_what_they_cost(tab: Tab, project: Project) -> None:
    """The amounts are the API's, to two digits."""
    job = project.job()
    run = project.finished(job)
    status = project.api.job_status(job["id"])
    assert status["cost_this_month"] == run["cost"]["usd"] > 0
    two_digits = float(f"{run['cost']['usd']:.2g}")
    shown = re.compile(re.escape(f"${two_digits:.6f}".rstrip("0")))
    tab.open(f"/jobs/{job['id']}/runs/{run['id']}")
    expect(tab.page.locator(".facts")).to_contain_text("Cost, estimated")
    expect(tab.page.locator(".facts")).to_contain_text(shown)
    tab.open(f"/jobs/{job['id']}")
    expect(tab.page.locator(".cost-line")).to_have_text(shown)
    expect(tab.page.locator(".cost-line")).to_contain_text("this month, estimated")
    tab.open()
    expect(tab.page.locator("table.jobs tbody tr")).to_contain_text(shown)
