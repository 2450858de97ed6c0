"""
What differs between a manifest and the jobs that exist, and what apply would do (pure).

A job with another `managed_by`, or none, does not belong to the manifest: it is neither changed nor
removed unless it is adopted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobyard.job_fields import FIELDS

if TYPE_CHECKING:
    from jobyard.manifest import Manifest, WantedJob

Json = dict[str, Any]

CREATE, CHANGE, REMOVE = "create", "change", "remove"
REFUSE = "refuse"
"""It differs, and is not this manifest's."""
KEEP = "keep"
"""Nothing to do."""
LEAVE = "leave"
"""It belongs to this manifest, which does not have it any more, and --prune was not given."""

ACTS = frozenset({CREATE, CHANGE, REMOVE})
SCHEDULE = frozenset({"schedule", "timezone", "paused"})
_MOVES = ("name", *sorted(SCHEDULE))


@dataclass(frozen=True, slots=True)
class Change:
    """A field's value now and then."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done with one job."""

    kind: str
    name: str
    job: Json | None = None
    """As it is now; None where there is none."""
    wanted: WantedJob | None = None
    """As the manifest has it; None where it has none."""
    changes: tuple[Change, ...] = ()
    note: str = ""

    @property
    def acts(self) -> bool:
        return self.kind in ACTS

    @property
    def new_schedule(self) -> tuple[str, str] | None:
        """The schedule and time zone that begin with this action, where some do."""
        if self.kind not in (CREATE, CHANGE) or self.wanted is None:
            return None
        is_new = self.kind == CREATE or any(one.field in SCHEDULE for one in self.changes)
        wanted = self.wanted.fields
        if not is_new or not wanted.get("schedule") or wanted.get("paused"):
            return None
        return wanted["schedule"], wanted.get("timezone", FIELDS["timezone"].default)

    def as_dict(self) -> Json:
        """As `-o json` shows it."""
        changes = [{"field": c.field, "old": c.old, "new": c.new} for c in self.changes]
        job_id = None if self.job is None else self.job["id"]
        shown = {"action": self.kind, "name": self.name, "job_id": job_id, "changes": changes}
        return {**shown, "note": self.note or None}


@dataclass(frozen=True, slots=True)
class Plan:
    """Every job of the manifest and of `managed_by`, in the order in which they are done."""

    managed_by: str
    actions: tuple[Action, ...] = field(default_factory=tuple)

    @property
    def acting(self) -> list[Action]:
        return [action for action in self.actions if action.acts]

    @property
    def refused(self) -> list[Action]:
        return [action for action in self.actions if action.kind == REFUSE]


def make(
    manifest: Manifest,
    jobs: Iterable[Mapping[str, Any]],
    *,
    project: str,
    prune: bool = False,
    adopt: bool = False,
) -> Plan:
    """The plan for `jobs`, all that the project has, as the API answers them."""
    managed_by = manifest.managed_by(project)
    existing = {str(job["name"]): dict(job) for job in jobs}
    wanted = {job.name: job for job in manifest.jobs}
    actions = [
        _for_wanted(job, existing.get(name), managed_by, adopt) for name, job in wanted.items()
    ]
    gone = [
        job
        for name, job in existing.items()
        if name not in wanted and job.get("managed_by") == managed_by
    ]
    # removals first: they are not undone, so they are read first, and a name may be reused
    removals = [Action(REMOVE if prune else LEAVE, str(job["name"]), job=job) for job in gone]
    return Plan(managed_by, (*removals, *_with_renames(actions, gone, prune)))


def _for_wanted(wanted: WantedJob, job: Json | None, managed_by: str, adopt: bool) -> Action:
    if job is None:
        return Action(CREATE, wanted.name, wanted=wanted, changes=_creation(wanted))
    changes = _changes(wanted, job)
    owner = job.get("managed_by")
    if owner == managed_by:
        return Action(CHANGE if changes else KEEP, wanted.name, job, wanted, changes)
    whose = "by nobody" if owner is None else f"by {owner!r}"
    if adopt:
        taken = Change("managed_by", owner, managed_by)
        return Action(CHANGE, wanted.name, job, wanted, (*changes, taken))
    note = f"it is managed {whose}: --adopt takes it over"
    return Action(REFUSE if changes else KEEP, wanted.name, job, wanted, changes, note)


def _creation(wanted: WantedJob) -> tuple[Change, ...]:
    return tuple(
        Change(name, None, wanted.fields[name])
        for name in FIELDS
        if name in wanted.fields and name != "name"
    )


def _changes(wanted: WantedJob, job: Json) -> tuple[Change, ...]:
    """
    Field by field; one that the manifest leaves out goes back to its default.

    A field that the API does not know is not compared, unless the manifest names it.
    """
    found = []
    for name, known in FIELDS.items():
        if name not in wanted.fields and name not in job:
            continue
        old, new = job.get(name), wanted.fields.get(name, known.default)
        if _normal(name, old) != _normal(name, new):
            found.append(Change(name, old, new))
    return tuple(found)


def _normal(name: str, value: Any) -> Any:
    """Values that mean the same are the same; the API stores a schedule with single spaces."""
    return " ".join(value.split()) if name == "schedule" and isinstance(value, str) else value


def _with_renames(actions: list[Action], gone: list[Json], prune: bool) -> list[Action]:
    """A note at each creation that looks like a new name of a removed job."""
    return [_with_rename(action, gone, prune) for action in actions]


def _with_rename(action: Action, gone: list[Json], prune: bool) -> Action:
    if action.kind != CREATE or action.wanted is None:
        return action
    for job in gone:
        differing = {change.field for change in _changes(action.wanted, job)}
        if differing <= set(_MOVES):
            fate = "is removed with its runs and logs" if prune else "stays until --prune"
            note = f"it looks like {job['name']} renamed: a new job begins, and that one {fate}"
            return Action(CREATE, action.name, None, action.wanted, action.changes, note)
    return action


def body(action: Action, managed_by: str) -> Json:
    """What to send for an action that creates or changes."""
    if action.kind == CREATE and action.wanted is not None:
        return {**action.wanted.fields, "managed_by": managed_by}
    return {change.field: change.new for change in action.changes}
