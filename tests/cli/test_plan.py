"""A plan lists the differences, and leaves alone what the manifest does not manage (no API)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobyard import manifest, plan
from jobyard.job_fields import FIELDS
from jobyard.plan import Plan
from jobyard.render import as_yaml

Json = dict[str, Any]


def existing(name: str, managed_by: str | None = "p", **fields: Any) -> Json:
    """A job as the API returns it."""
    defaults = {field: known.default for field, known in FIELDS.items()}
    named = {"id": f"job_{name}", "version": 1, "name": name, "image": "i"}
    return {**defaults, **named, "managed_by": managed_by, **fields}


def made(jobs: list[Json], there: list[Json], **options: Any) -> Plan:
    text = as_yaml({"version": 1, "project": "p", "jobs": jobs})
    return plan.make(manifest.read(text, "f", {}), there, project="p", **options)


def kinds(found: Plan) -> dict[str, str]:
    return {action.name: action.kind for action in found.actions}


def test_a_job_that_does_not_exist_is_created() -> None:
    """The request has the manifest's fields and managed_by."""
    found = made([{"name": "a", "image": "i", "cpu": 1, "memory_mib": 2048}], [])
    (action,) = found.actions
    assert plan.body(action, found.managed_by) == {
        "name": "a",
        "image": "i",
        "cpu": 1,
        "memory_mib": 2048,
        "managed_by": "p",
    }


def test_a_change_lists_each_field_with_its_old_and_new_value() -> None:
    """A field that the manifest leaves out gets its default again."""
    there = existing("a", image="old", max_retries=3, version=7)
    (action,) = made([{"name": "a", "image": "new"}], [there]).actions
    assert [(c.field, c.old, c.new) for c in action.changes] == [
        ("image", "old", "new"),
        ("max_retries", 3, 0),
    ]
    assert plan.body(action, "p") == {"image": "new", "max_retries": 0}


def test_a_field_that_the_stage_does_not_have_is_not_a_difference() -> None:
    """If the manifest names the field, it is sent, and the API may refuse it."""
    there = existing("a")
    del there["capacity"]
    assert kinds(made([{"name": "a", "image": "i"}], [there])) == {"a": plan.KEEP}
    named = made([{"name": "a", "image": "i", "capacity": "spot"}], [there])
    assert kinds(named) == {"a": plan.CHANGE}


def test_a_job_without_managed_by_is_refused_unless_adopted() -> None:
    """A job of another manifest is refused too, unless nothing differs."""
    wanted = [{"name": "a", "image": "new"}, {"name": "b", "image": "i"}]
    there = [existing("a", None), existing("b", "other")]
    assert kinds(made(wanted, there)) == {"a": plan.REFUSE, "b": plan.KEEP}
    adopting = made(wanted, there, adopt=True)
    assert kinds(adopting) == {"a": plan.CHANGE, "b": plan.CHANGE}
    assert [plan.body(action, "p") for action in adopting.actions] == [
        {"image": "new", "managed_by": "p"},
        {"managed_by": "p"},
    ]


def test_only_the_manifests_own_jobs_are_removed_and_only_if_asked() -> None:
    """--prune removes the jobs with this manifest's name in managed_by, and no others."""
    there = [existing("mine"), existing("nobodys", None), existing("others", "q")]
    assert kinds(made([], there)) == {"mine": plan.LEAVE}
    assert kinds(made([], there, prune=True)) == {"mine": plan.REMOVE}


def test_the_plan_says_that_a_job_was_renamed() -> None:
    """The plan has a removal and a creation; the old job's runs are not moved."""
    found = made([{"name": "new", "image": "x"}], [existing("old", image="x")], prune=True)
    assert kinds(found) == {"old": plan.REMOVE, "new": plan.CREATE}
    assert "old renamed" in found.actions[1].note


def test_a_schedule_begins_with_a_creation_a_change_or_the_end_of_a_pause() -> None:
    """The plan shows next fires only for a schedule that begins."""
    wanted = {"name": "a", "image": "i", "schedule": "0 3 * * *", "timezone": "Asia/Tokyo"}
    (action,) = made([wanted], []).actions
    assert action.new_schedule == ("0 3 * * *", "Asia/Tokyo")
    there = existing("a", schedule="0 3 * * *", timezone="Asia/Tokyo")
    (action,) = made([{**wanted, "image": "j"}], [there]).actions
    assert action.new_schedule is None
    (action,) = made([wanted], [{**there, "paused": True}]).actions
    assert action.new_schedule == ("0 3 * * *", "Asia/Tokyo")
    (action,) = made([{**wanted, "paused": True}], []).actions
    assert action.new_schedule is None


names = st.sampled_from("abcdef")
fields = st.fixed_dictionaries(
    {"image": st.sampled_from(["i", "j"])},
    optional={
        "schedule": st.sampled_from(["0 3 * * *", "@daily"]),
        "env": st.dictionaries(st.sampled_from("AB"), st.sampled_from(["1", "${X", "no"])),
        "tags": st.lists(st.sampled_from(["x", "y=z"]), unique=True),
        "max_retries": st.integers(0, 10),
        "paused": st.booleans(),
    },
)
wanted_jobs = st.dictionaries(names, fields).map(
    lambda found: [{"name": name, **one} for name, one in found.items()]
)
there_jobs = st.dictionaries(names, st.tuples(fields, st.sampled_from(["p", "q", None]))).map(
    lambda found: [existing(name, owner, **one) for name, (one, owner) in found.items()]
)


@settings(deadline=None)
@given(wanted_jobs, there_jobs, st.booleans(), st.booleans())
def test_after_doing_a_plan_there_is_nothing_to_do_and_nothing_else_changed(
    jobs: list[Json], there: list[Json], prune: bool, adopt: bool
) -> None:
    """This holds for any existing jobs and any manifest."""
    jobs = [
        {n: v.replace("${", "$${") if isinstance(v, str) else _escaped(v) for n, v in job.items()}
        for job in jobs
    ]
    found = made(jobs, there, prune=prune, adopt=adopt)
    after = {job["name"]: dict(job) for job in there}
    for action in found.acting:
        if action.kind == plan.REMOVE:
            del after[action.name]
        elif action.kind == plan.CREATE:
            after[action.name] = existing(**plan.body(action, found.managed_by))
        else:
            after[action.name] |= plan.body(action, found.managed_by)
    again = made(jobs, list(after.values()), prune=prune, adopt=adopt)
    assert not again.acting
    foreign = {job["name"]: job for job in there if job["managed_by"] != "p"}
    if not adopt:
        assert {name: after[name] for name in foreign} == foreign
    untouched = set(foreign) - {job["name"] for job in jobs}
    assert {name: after[name] for name in untouched} == {n: foreign[n] for n in untouched}


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: one.replace("${", "$${") for name, one in value.items()}
    return value
