"""The form: a new job, a copy and a change, each field checked by the API itself."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.console.project import Project
from tests.console.tab import Tab


def field(tab: Tab, name: str) -> Locator:
    return tab.page.locator(f"#field-{name}")


def wrong(tab: Tab, name: str) -> Locator:
    """What is said to be wrong with a field."""
    return tab.page.locator(f"#error-{name}")


def test_a_job_is_created(tab: Tab, project: Project) -> None:
    """With fields of each kind; the page goes on to the job."""
    tab.open("/new")
    field(tab, "name").fill("made by hand")
    field(tab, "image").fill("busybox")
    field(tab, "command").fill("sh -c 'echo \"one two\"'")
    field(tab, "schedule").fill("0 3 * * *")
    field(tab, "timezone").fill("Asia/Tokyo")
    field(tab, "concurrency_policy").select_option("forbid")
    field(tab, "cpu").select_option("1")
    field(tab, "memory_mib").fill("2048")
    field(tab, "max_retries").fill("2")
    field(tab, "capacity").select_option("spot_then_on_demand")
    field(tab, "tags").fill("team=data nightly")
    told = tab.page.get_by_role("group", name="Notify when")
    for kind in ("failing", "recovered", "missed"):
        expect(told.get_by_label(kind, exact=True)).to_be_checked()
    told.get_by_label("recovered").uncheck()
    told.get_by_label("every_failure").check()
    tab.button("Add a variable").click()
    tab.page.get_by_label("Name 1").fill("MODE")
    tab.page.get_by_label("Value 1").fill("full")
    tab.button("Create job").click()
    expect(tab.heading).to_have_text("made by hand")
    (job,) = project.api.jobs()
    made = {
        "name": "made by hand",
        "command": ["sh", "-c", 'echo "one two"'],
        "schedule": "0 3 * * *",
        "timezone": "Asia/Tokyo",
        "concurrency_policy": "forbid",
        "cpu": 1,
        "memory_mib": 2048,
        "max_retries": 2,
        "capacity": "spot_then_on_demand",
        "tags": ["team=data", "nightly"],
        "env": {"MODE": "full"},
    }
    assert set(job["notify"]) == {"failing", "every_failure", "missed"}
    assert job.items() >= made.items()
    tab.is_at(f"/jobs/{job['id']}")


def test_what_is_wrong_stands_beside_its_field(tab: Tab, project: Project) -> None:
    """All of it at once, in the API's words; focus is at the first; nothing typed is lost."""
    tab.expected = ("status of 422",)
    tab.open("/new")
    field(tab, "name").fill("wrong")
    field(tab, "image").fill("UPPER CASE")
    field(tab, "memory_mib").fill("much")
    field(tab, "timeout_seconds").fill("0")
    field(tab, "tags").fill("team= team=")
    tab.button("Add a variable").click()
    tab.page.get_by_label("Name 1").fill("AWS_REGION")
    tab.page.get_by_label("Value 1").fill("x")
    tab.button("Create job").click()
    for name in ("image", "memory_mib", "timeout_seconds", "tags"):
        expect(wrong(tab, name)).not_to_be_empty()
        expect(field(tab, name)).to_have_attribute("aria-invalid", "true")
        expect(field(tab, name)).to_have_attribute("aria-describedby", re.compile(f"error-{name}"))
    expect(tab.page.locator(".pair-place .field-error")).to_contain_text("AWS_")
    expect(field(tab, "image")).to_be_focused()
    expect(field(tab, "image")).to_have_value("UPPER CASE")
    expect(wrong(tab, "name")).to_have_count(0)
    assert list(project.api.jobs()) == []
    field(tab, "image").fill("busybox")
    expect(wrong(tab, "image")).to_have_count(0)


def test_a_schedule_is_read_back_while_it_is_typed(tab: Tab, project: Project) -> None:
    """In words, with its next five fires; and what is wrong with it, once it is whole."""
    tab.expected = ("status of 422",)
    tab.open("/new")
    preview = tab.page.locator(".preview")
    field(tab, "schedule").press_sequentially("30 4 * * 1", delay=20)
    expect(preview).to_contain_text("At 04:30 on Monday (UTC)")
    expect(preview.get_by_role("listitem")).to_have_count(5)
    assert sum("/schedule" in path for path in tab.asked) == 1
    field(tab, "timezone").fill("Europe/Paris")
    expect(preview).to_contain_text("(Europe/Paris)")
    field(tab, "schedule").fill("30 25 * * 1")
    expect(preview.locator(".field-error")).to_contain_text("25")
    field(tab, "schedule").fill("@hourly")
    expect(preview.get_by_role("listitem")).to_have_count(5)


def test_a_name_that_is_taken_is_said(tab: Tab, project: Project) -> None:
    """A 409, which has no list of fields."""
    tab.expected = ("status of 409",)
    project.job(name="taken")
    tab.open("/new")
    field(tab, "name").fill("taken")
    field(tab, "image").fill("busybox")
    tab.button("Create job").click()
    expect(tab.page.get_by_role("alert").filter(has_text="taken")).to_be_visible()


def test_pressing_twice_creates_one_job(tab: Tab, project: Project) -> None:
    """Both requests have the same Idempotency-Key, or the second is not sent."""
    tab.open("/new")
    field(tab, "name").fill("once")
    field(tab, "image").fill("busybox")
    tab.button("Create job").dblclick()
    expect(tab.heading).to_have_text("once")
    assert len(list(project.api.jobs())) == 1


def test_a_job_is_changed(tab: Tab, project: Project) -> None:
    """Only what was changed is sent; an emptied field gets its default."""
    job = project.job(schedule="@daily", env={"A": "1"}, max_retries=3)
    tab.open(f"/jobs/{job['id']}")
    tab.page.get_by_role("link", name="Edit").click()
    expect(field(tab, "name")).to_have_value("job")
    sent: list[object] = []
    tab.page.on(
        "request",
        lambda request: sent.append(request.post_data_json if request.post_data else None),
    )
    field(tab, "schedule").fill("")
    field(tab, "max_retries").fill("")
    tab.button("Remove A").click()
    tab.button("Save").click()
    tab.is_at(f"/jobs/{job['id']}")
    expect(tab.page.get_by_text("takes effect on the next run")).to_be_visible()
    assert [body for body in sent if body] == [{"schedule": None, "max_retries": None, "env": {}}]
    changed = project.api.get_job(job["id"])
    assert (changed["schedule"], changed["max_retries"], changed["env"]) == (None, 0, {})


def test_who_edits_meanwhile_is_not_overwritten(tab: Tab, project: Project) -> None:
    """The reader chooses whose version stays."""
    tab.expected = ("status of 412",)
    job = project.job(max_retries=1)
    tab.open(f"/jobs/{job['id']}/edit")
    expect(field(tab, "max_retries")).to_have_value("1")
    project.api.update_job(job["id"], {"timeout_seconds": 60})
    field(tab, "max_retries").fill("5")
    tab.button("Save").click()
    conflict = tab.page.get_by_role("alert").filter(has_text="Somebody else has changed it")
    expect(conflict).to_be_visible()
    assert project.api.get_job(job["id"])["max_retries"] == 1
    tab.button("Load the present version").click()
    expect(field(tab, "timeout_seconds")).to_have_value("60")
    expect(field(tab, "max_retries")).to_have_value("1")
    project.api.update_job(job["id"], {"timeout_seconds": 90})
    field(tab, "max_retries").fill("5")
    tab.button("Save").click()
    tab.button("Save mine over it").click()
    tab.is_at(f"/jobs/{job['id']}")
    changed = project.api.get_job(job["id"])
    assert (changed["max_retries"], changed["timeout_seconds"]) == (5, 90)


def test_a_job_is_duplicated(tab: Tab, project: Project) -> None:
    """Everything but its name."""
    job = project.job(
        "echo 'a  b'", env={"A": "1"}, tags=["t"], schedule="0 3 * * 1-5", cpu=0.5, memory_mib=1024
    )
    tab.open(f"/jobs/{job['id']}")
    tab.page.get_by_role("link", name="Duplicate").click()
    expect(field(tab, "name")).to_have_value("job copy")
    tab.button("Create job").click()
    expect(tab.heading).to_have_text("job copy")
    (copy,) = project.api.jobs(name="job copy")
    own = {"id", "name", "created_at", "updated_at", "next_run_at"}
    assert {key: value for key, value in copy.items() if key not in own} == {
        key: value for key, value in job.items() if key not in own
    }
