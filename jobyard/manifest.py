"""
jobs.yaml: which jobs a project should have (pure).

`read` answers a Manifest, or a ManifestError with every mistake, each with its line and what
would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from jobyard import job_fields, yaml_nodes
from jobyard.errors import FieldError, ManifestError, Problem
from jobyard.job_fields import FIELDS, REQUIRED
from jobyard.yaml_nodes import Reader, line

VERSION = 1
_TOP = ("version", "name", "workspace", "project", "defaults", "jobs")
_MERGED = ("env", "secrets")
"""Names and values: a job's own are added to those of `defaults`; other fields replace."""


@dataclass(frozen=True, slots=True)
class WantedJob:
    """A job as the manifest has it."""

    name: str
    fields: dict[str, Any]
    """What the manifest says, `defaults` included; a field that it leaves out has the API's
    default."""
    lines: dict[str, int]
    """Where each field stands; `""` is the job itself."""

    def problem(self, file: str, error: FieldError) -> Problem:
        """An error of the API's at the line of the field that it names."""
        name = error.field.partition(".")[0]
        at = self.lines.get(name, self.lines[""])
        return Problem(file, at, f"{self.name}: {error.field}", error.message)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file says."""

    file: str
    name: str | None
    """Whose jobs they are: `managed_by`; None: the project's name."""
    workspace: str | None
    project: str | None
    jobs: tuple[WantedJob, ...]

    def managed_by(self, project: str) -> str:
        return self.name or project


def read(text: str, file: str, environment: Mapping[str, str]) -> Manifest:
    """The manifest in `text`; `file` is its name in messages."""
    root = yaml_nodes.compose(text, file)
    reader = Reader(file, environment)
    parts = dict(reader.items(root))
    for name, node in parts.items():
        if name not in _TOP:
            reader.wrong(node, name, job_fields.unknown(name, dict.fromkeys(_TOP)))
    _check_version(reader, root, parts.get("version"))
    known = {name: _text(reader, parts, name) for name in ("name", "workspace", "project")}
    defaults, default_lines = _fields(reader, parts.get("defaults"), "defaults")
    for name in ("name",):
        if name in defaults:
            reader.wrong(parts["defaults"], f"defaults.{name}", "belongs to a single job")
    jobs = _jobs(reader, root, parts.get("jobs"), defaults, default_lines)
    if reader.problems:
        raise ManifestError(_once(reader.problems))
    return Manifest(file, known["name"], known["workspace"], known["project"], tuple(jobs))


def _once(problems: list[Problem]) -> list[Problem]:
    """A value of `defaults` is read for each job, but a mistake in it is reported once."""
    return list(dict.fromkeys(problems))


def _check_version(reader: Reader, root: yaml.Node, node: yaml.Node | None) -> None:
    if node is None:
        reader.wrong(root, "version", f"is required: write `version: {VERSION}`")
    elif reader.value(node, "version") != VERSION:
        reader.wrong(node, "version", f"must be {VERSION}, the only one that there is")


def _text(reader: Reader, parts: Mapping[str, yaml.Node], name: str) -> str | None:
    node = parts.get(name)
    value = None if node is None else reader.value(node, name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        reader.wrong(parts[name], name, f"must be text: put {value} in quotes")
    return str(value)


def _fields(
    reader: Reader, node: yaml.Node | None, where: str
) -> tuple[dict[str, Any], dict[str, int]]:
    """Fields and their lines; mistakes are noted."""
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        reader.wrong(node, where, "must be names and values: the fields of a job")
        return {}, {}
    fields: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for name, one in reader.items(node):
        lines[name] = line(one)
        if name not in FIELDS:
            reader.wrong(one, f"{where}.{name}", _unknown(name))
            continue
        before = len(reader.problems)
        value = reader.value(one, f"{where}.{name}")
        fields[name] = value
        if value is not None and len(reader.problems) == before:
            for part, message in FIELDS[name].check(value):
                reader.wrong(_part(reader, one, part), f"{where}.{name}{part}", message)
    return fields, lines


def _unknown(name: str) -> str:
    if name == "managed_by":
        return "is set by apply: it is the manifest's name, or its project's"
    return job_fields.unknown(name, dict(FIELDS))


def _part(reader: Reader, node: yaml.Node, part: str) -> yaml.Node:
    """The node of a member, for its line."""
    if part.startswith("[") and isinstance(node, yaml.SequenceNode):
        found: yaml.Node = node.value[int(part[1:-1])]
        return found
    if part.startswith(".") and isinstance(node, yaml.MappingNode):
        return dict(reader.items(node)).get(part[1:], node)
    return node


def _jobs(
    reader: Reader,
    root: yaml.Node,
    node: yaml.Node | None,
    defaults: dict[str, Any],
    default_lines: dict[str, int],
) -> list[WantedJob]:
    if not isinstance(node, yaml.SequenceNode):
        reader.wrong(node or root, "jobs", "is required: a list of jobs, or [] for none")
        return []
    jobs: list[WantedJob] = []
    seen: dict[str, int] = {}
    for index, one in enumerate(node.value):
        own, lines = _fields(reader, one, f"jobs[{index}]")
        fields = _merged(defaults, own)
        job = _job(reader, one, f"jobs[{index}]", fields, default_lines | lines)
        if job is None:
            continue
        if job.name in seen:
            message = f"is taken by the job in line {seen[job.name]}"
            reader.wrong(one, f"jobs[{index}].name", message)
        seen.setdefault(job.name, line(one))
        jobs.append(job)
    return jobs


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    fields = {**defaults, **own}
    for name in _MERGED:
        if isinstance(defaults.get(name), dict) and isinstance(own.get(name), dict):
            fields[name] = {**defaults[name], **own[name]}
    return fields


def _job(
    reader: Reader, node: yaml.Node, where: str, fields: dict[str, Any], lines: dict[str, int]
) -> WantedJob | None:
    """The job, its nulls resolved; mistakes across its fields are noted."""
    if not isinstance(node, yaml.MappingNode):
        return None
    for name in REQUIRED:
        if fields.get(name) is None:
            reader.wrong(node, f"{where}.{name}", "is required")
    cpu = fields.get("cpu") or FIELDS["cpu"].default
    memory_mib = fields.get("memory_mib") or FIELDS["memory_mib"].default
    if isinstance(memory_mib, int) and isinstance(cpu, int | float):
        wrong = job_fields.check_memory(cpu, memory_mib)
        if wrong is not None:
            at = lines.get("memory_mib", lines.get("cpu", line(node)))
            reader.problems.append(Problem(reader.file, at, f"{where}.memory_mib", wrong))
    for name in fields.get("secrets") or {}:
        if name in (fields.get("env") or {}):
            reader.wrong(node, f"{where}.secrets.{name}", "is in env too: one name, one place")
    if not isinstance(fields.get("name"), str):
        return None
    kept = {
        name: job_fields.command_words(value) if _is_line(name, value) else value
        for name, value in fields.items()
        if value is not None
    }
    return WantedJob(str(fields["name"]), kept, {**lines, "": line(node)})


def _is_line(name: str, value: Any) -> bool:
    """A command written as one string, and a right one."""
    return name == "command" and isinstance(value, str) and not any(FIELDS[name].check(value))


def dump(
    jobs: list[dict[str, Any]], *, workspace: str | None, project: str, name: str | None
) -> dict[str, Any]:
    """A manifest, as data, of jobs as the API answers them: what differs from the defaults."""
    head: dict[str, Any] = {"version": VERSION, "name": name, "workspace": workspace}
    shown = [
        {
            field: _escaped(job[field])
            for field in FIELDS
            if field in job and job[field] != FIELDS[field].default
        }
        for job in sorted(jobs, key=lambda job: str(job["name"]))
    ]
    kept = {key: value for key, value in head.items() if value is not None}
    return {**kept, "project": project, "jobs": shown}


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return yaml_nodes.escape(value)
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        return {name: _escaped(one) for name, one in value.items()}
    return value
