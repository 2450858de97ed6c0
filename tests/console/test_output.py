"""Output: whatever a container writes is text, however much it is, and it can be searched."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Locator, expect

from tests.console.project import Json, Project
from tests.console.tab import PATIENCE, Tab

MIB = 1024 * 1024
MOST_MEMORY = 150 * MIB


def output(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="Output")


def foot(tab: Tab) -> Locator:
    return tab.page.locator(".output-foot")


def opened(tab: Tab, run: Json) -> Tab:
    return tab.open(f"/jobs/{run['job_id']}/runs/{run['id']}")


def wrote(project: Project, text: str, tmp_path: Path, **spec: str) -> Json:
    """A run whose container wrote that to its standard output."""
    file = tmp_path / "written"
    file.write_text(text, encoding="utf-8")
    return project.finished(project.job(f"cat {file}", **spec))


def shown(tab: Tab) -> list[str]:
    """The rows that are elements now, without their times."""
    return tab.page.locator(".row-text").all_text_contents()


def test_markup_is_text(tab: Tab, project: Project, tmp_path: Path) -> None:
    """In the output, in a job's name and in a command; nothing of it becomes an element."""
    hostile = "<script>hacked = 1</script><img src=x onerror='hacked = 1'>"
    run = wrote(project, hostile, tmp_path, name=hostile)
    opened(tab, run)
    expect(output(tab)).to_contain_text(hostile)
    assert hostile in shown(tab)
    assert tab.page.locator("main img, main script").count() == 0
    tab.page.get_by_role("link", name=hostile).click()
    expect(tab.heading).to_have_text(hostile)
    assert tab.page.locator("main img, main script").count() == 0
    assert tab.page.evaluate("'hacked' in window") is False


def test_colours_are_colours_and_other_sequences_are_nothing(
    tab: Tab, project: Project, tmp_path: Path
) -> None:
    """Titles, cursor movements, cleared screens, links of the terminal: dropped."""
    lines = [
        "\x1b[31mred\x1b[0m plain \x1b[1;38;5;46mgreen and bold\x1b[m",
        "\x1b]0;a title\x07after a title",
        "\x1b[2J\x1b[1;1Hafter clearing\x1b[?25l",
        "\x1b]8;;https://example.com\x1b\\a link\x1b]8;;\x1b\\",
        "bell\x07 back\x08space nul\x00 escape\x1b",
    ]
    opened(tab, wrote(project, "\n".join(lines) + "\n", tmp_path))
    expect(output(tab)).to_contain_text("escape")
    assert shown(tab)[-5:] == [
        "red plain green and bold",
        "after a title",
        "after clearing",
        "a link",
        "bell backspace nul escape",
    ]
    expect(output(tab).locator(".fg-1")).to_have_text("red")
    expect(output(tab).locator(".bold.fg-10")).to_have_text("green and bold")
    assert output(tab).get_by_role("link").count() == 0


def test_no_line_can_turn_the_direction_of_writing(
    tab: Tab, project: Project, tmp_path: Path
) -> None:
    """Overrides are dropped; right-to-left text stays in its row, right of the time."""
    lines = ["exe.\u202etxt.evil", "\u2066isolated\u2069", "שלום עולם", "after"]
    opened(tab, wrote(project, "\n".join(lines) + "\n", tmp_path))
    expect(output(tab)).to_contain_text("after")
    assert shown(tab)[-4:] == ["exe.txt.evil", "isolated", "שלום עולם", "after"]
    hebrew = output(tab).locator(".row", has_text="שלום")
    boxes = [hebrew.locator(part).bounding_box() for part in (".row-time", ".row-text")]
    assert boxes[0] and boxes[1]
    assert boxes[0]["x"] < boxes[1]["x"]


def test_a_megabyte_without_a_newline_is_readable(
    tab: Tab, project: Project, tmp_path: Path
) -> None:
    """It is wrapped at the width of the page, and only what is seen of it is in the page."""
    text = "".join(f"{number:07d}." for number in range(MIB // 8))
    opened(tab, wrote(project, text, tmp_path))
    expect(output(tab)).to_contain_text("0131071.")
    assert tab.page.locator(".row").count() < 120
    assert tab.overflow() == 0
    tab.button("Beginning").click()
    expect(output(tab)).to_contain_text("0000000.0000001.")
    assert tab.page.locator(".row").count() < 120


def test_two_hundred_thousand_lines_leave_the_page_small_and_quick(
    tab: Tab, browser: Browser, project: Project
) -> None:
    """
    The newest first; the first error, the matches and the beginning on request. Only seen rows are
    elements, and the browser's process that draws the page has less than 150 MB of its own.
    """
    line = "2026-11-28 03:00:00 INFO worker: copied part of the table into the warehouse"
    script = f"yes '{line}' | head -n 150000; echo 'cannot reach the database'; seq 1 49998"
    opened(tab, project.finished(project.job(script)))
    expect(foot(tab)).to_contain_text("2,000 lines")
    expect(output(tab)).to_contain_text("49998")
    tab.button("First error").click()
    current = output(tab).locator(".row.is-current")
    expect(current).to_contain_text("cannot reach the database", timeout=2 * PATIENCE)
    expect(foot(tab)).to_contain_text("200,000 lines")
    tab.page.get_by_label("Search the output").fill("4999")
    expect(tab.page.locator(".found")).to_have_text("14 of 14")
    expect(current).to_contain_text("49998")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator(".found")).to_have_text("1 of 14")
    tab.page.keyboard.press("Shift+Enter")
    expect(tab.page.locator(".found")).to_have_text("14 of 14")
    tab.button("Beginning").click()
    expect(output(tab)).to_contain_text("this is a process")
    assert tab.page.locator(".row").count() < 120
    assert tab.page.evaluate("document.getElementsByTagName('*').length") < 1_500
    assert memory_of(browser, tab) < MOST_MEMORY
    tab.button("End").click()
    expect(output(tab)).to_contain_text("49998")


def memory_of(browser: Browser, tab: Tab) -> int:
    """Bytes that are the page's own: of the largest of the browser's processes that draw pages."""
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("HeapProfiler.collectGarbage")
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    drawing = [process["id"] for process in processes if process["type"] == "renderer"]
    return max(int(psutil.Process(number).memory_full_info().uss) for number in drawing)


def test_only_matching_lines_are_asked_for(tab: Tab, project: Project) -> None:
    """CloudWatch looks through the whole output, of which the page has read the end."""
    opened(tab, project.finished(project.job("echo a needle; seq 1 3000")))
    expect(foot(tab)).to_contain_text("2,000 lines")
    tab.page.get_by_label("Search the output").fill("needle")
    expect(tab.page.locator(".found")).to_have_text("Not found")
    tab.page.get_by_label("Only matching lines").check()
    expect(foot(tab)).to_contain_text("1 line")
    assert shown(tab) == ["a needle"]
    tab.page.get_by_label("Only matching lines").uncheck()
    expect(foot(tab)).to_contain_text("2,000 lines")


def test_the_download_has_every_line(tab: Tab, project: Project) -> None:
    """As the container wrote it, with times, and not only what the page has read."""
    run = project.finished(project.job("printf 'first \\033[31mred\\033[0m\\n'; seq 1 15000"))
    opened(tab, run)
    with tab.page.expect_download() as waiting:
        tab.button("Download").click()
    assert waiting.value.suggested_filename == f"{run['id']}.log"
    lines = waiting.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 15_002
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in lines)
    assert lines[1][25:] == "first \033[31mred\033[0m"
    assert [line[25:] for line in lines[2:]] == [str(number) for number in range(1, 15_001)]


def test_times_can_be_left_out(tab: Tab, project: Project) -> None:
    """So that lines have more room, or can be copied."""
    opened(tab, project.finished(project.job("echo one")))
    expect(output(tab).locator(".row-time")).to_have_count(2)
    tab.page.get_by_label("Times").uncheck()
    expect(output(tab).locator(".row-time")).to_have_count(0)


def test_who_reads_further_up_is_left_there(tab: Tab, project: Project, tmp_path: Path) -> None:
    """New lines come in below; Follow leads to them."""
    gate = tmp_path / "gate"
    script = f"seq 1 500; while [ ! -e {gate} ]; do sleep 0.05; done; echo the end"
    run = project.api.trigger(project.job(script)["id"])
    opened(tab, run)
    expect(output(tab)).to_contain_text("500")
    output(tab).focus()
    tab.page.keyboard.press("Home")
    expect(output(tab)).to_contain_text("this is a process")
    gate.touch()
    expect(foot(tab)).to_contain_text("502 lines")
    assert "this is a process" in " ".join(shown(tab))
    tab.button("End").click()
    expect(output(tab)).to_contain_text("the end")
