"""What `make verify` prints: the plan, each result as it comes, and a table at the end."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from infra.verify.results import Result, Verified
from infra.verify.trial import Step, Trial

WIDTH = 80
INDENT = " " * 26


def begin(steps: Sequence[Step], skip: Mapping[str, str], trial: Trial) -> None:
    """The steps, and what each waits for."""
    print(f"workspace {trial.workspace}, image {trial.image}")
    print("\nAll steps at once, in under 12 minutes; each waits for:\n")
    for step in steps:
        if step.name not in skip:
            _entry("", step.name, step.waits_for)
    print(flush=True)


def result(done: Result, at: float) -> None:
    """One step is over."""
    took = f" ({done.seconds:.0f} s)"
    _entry(f"{_clock(at)} {done.outcome}", done.step, done.said + took)


def waiting(names: Sequence[str], at: float) -> None:
    """Which steps are not over yet."""
    if names:
        _entry(f"{_clock(at)} waiting", "", ", ".join(names))


def end(done: Verified) -> None:
    """The table, and what a reader must know besides it."""
    print(f"\n{'step':12}{'outcome':12}{'seconds':>7}")
    for one in sorted(done.results, key=lambda one: one.outcome == "ok"):
        print(f"{one.step:12}{one.outcome:12}{one.seconds:7.0f}")
    _list(
        "Not as it should be",
        [f"{one.step}: {one.said}" for one in done.results if one.outcome in ("wrong", "cut off")],
    )
    _list(
        "Skipped", [f"{one.step}: {one.said}" for one in done.results if one.outcome == "skipped"]
    )
    _list("Found out, where AWS's documentation does not say", done.findings)
    _list("Could not be removed", done.left)
    print(f"\n{_filled(done.cost)}")
    print(
        "\nThe stage does what its users rely on." if done.is_right else "\nThe stage has faults."
    )


def _entry(begin: str, name: str, text: str) -> None:
    print(_filled(text, f"{begin:14}{name:12}", INDENT), flush=True)


def _filled(text: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )


def _list(title: str, entries: Sequence[str]) -> None:
    if entries:
        print(f"\n{title}:")
        for entry in entries:
            print(_filled(entry, "- ", "  "))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
