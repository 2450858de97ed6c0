"""A plan as a person reads it."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from jobyard import durations, plan, render
from jobyard.plan import Action, Plan

_SIGNS = {
    plan.CREATE: ("+", "green", "create"),
    plan.CHANGE: ("~", "yellow", "change"),
    plan.REMOVE: ("-", "red", "remove, with its runs and output"),
    plan.REFUSE: ("!", "red", "refused"),
    plan.LEAVE: ("?", "cyan", "not in the manifest any more: --prune removes it"),
}


def show(made: Plan, fires: dict[str, list[str]], out: TextIO) -> None:
    """Every job that is not as the manifest has it, its fields old → new, and a summary."""
    colour = render.has_colour(out)

    def line(text: str, style: str | None = None) -> None:
        out.write((click.style(text, fg=style) if colour and style else text) + "\n")

    for action in made.actions:
        if action.kind == plan.KEEP:
            if action.note:
                line(f"  {action.name}: nothing differs; {action.note}")
            continue
        sign, style, words = _SIGNS[action.kind]
        line(f"{sign} {action.name}: {words}", style)
        if action.note:
            line(f"    {action.note}")
        for text in _changes(action):
            line(f"    {text}")
        if slots := fires.get(action.name):
            line(f"    next fires: {', '.join(map(durations.moment, slots))}")
        elif action.new_schedule is not None:
            line("    next fires: this stage does not tell them beforehand")
    line(_summary(made))


def _changes(action: Action) -> list[str]:
    lines: list[str] = []
    for change in action.changes:
        if isinstance(change.new, dict) and action.kind != plan.CREATE:
            lines += _members(change.field, change.old or {}, change.new)
        elif action.kind == plan.CREATE:
            lines.append(f"{change.field}: {_shown(change.new)}")
        else:
            lines.append(f"{change.field}: {_shown(change.old)} → {_shown(change.new)}")
    return lines


def _members(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Of names and values only what differs."""
    lines = []
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            before, after = (_shown(one[key]) if key in one else "none" for one in (old, new))
            lines.append(f"{name}.{key}: {before} → {after}")
    return lines


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _summary(made: Plan) -> str:
    counts = {
        kind: sum(one.kind == kind for one in made.actions)
        for kind in (plan.CREATE, plan.CHANGE, plan.REMOVE, plan.REFUSE)
    }
    if not any(counts.values()):
        return "Nothing to do."
    words = [f"{counts[kind]} to {kind}" for kind in (plan.CREATE, plan.CHANGE, plan.REMOVE)]
    refused = counts[plan.REFUSE]
    return "Plan: " + ", ".join(words) + (f", {refused} refused" if refused else "") + "."


def number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
