"""plan, apply and dump against the API: what a manifest says becomes true, and nothing else."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobyard import manifest, plan
from jobyard.cli import main
from jobyard.render import as_yaml
from tests.cli.local_stack import Shell
from tests.cli.manifest_project import HELLO, NIGHTLY, Json, write
from tests.cli.relay import Relay


def test_a_plan_shows_what_would_be_done_and_does_nothing(project: Shell) -> None:
    """With the next fires of each schedule that begins."""
    write(project, [HELLO, NIGHTLY])
    project.extra["TAG"] = "1"
    shown = project("plan").stdout
    assert "+ hello: create" in shown
    assert 'image: "etl:1"' in shown
    assert shown.count("03:00:00 UTC") == 3
    assert shown.endswith("Plan: 2 to create, 0 to change, 0 to remove.\n")
    assert project.json("jobs")["jobs"] == []


def test_detailed_exitcode_tells_whether_there_is_something_to_do(project: Shell) -> None:
    """0, 2, and 1 for an error, a mistake of usage too: 2 has its meaning here."""
    write(project, [HELLO])
    project("plan", "--detailed-exitcode", status=2)
    project("plan", status=0)
    project("apply", "--yes")
    project("plan", "--detailed-exitcode", status=0)
    project("plan", "--detailed-exitcode", "-f", "absent.yaml", status=1)
    write(project, [HELLO], project="another")
    project("--project", "one", "plan", "--detailed-exitcode", status=1)


def test_apply_creates_changes_and_removes(project: Shell) -> None:
    """And afterwards a plan has nothing to do."""
    write(project, [HELLO, {"name": "old", "image": "x"}])
    done = project("apply", "--yes")
    assert "2 done, 0 not." in done.stderr
    write(project, [{**HELLO, "command": ["echo", "ho"], "env": {"A": "1"}}])
    shown = project("plan", "--prune").stdout
    assert 'command: ["echo", "hi"] → ["echo", "ho"]' in shown
    assert 'env.A: none → "1"' in shown
    assert "- old: remove" in shown
    project("apply", "--prune", "--yes")
    (job,) = project.json("jobs")["jobs"]
    assert (job["name"], job["command"]) == ("hello", ["echo", "ho"])
    assert (job["env"], job["managed_by"]) == ({"A": "1"}, project.settings["JOBYARD_PROJECT"])
    assert project("plan").stdout == "Nothing to do.\n"


def test_without_prune_a_job_that_left_the_manifest_stays(project: Shell) -> None:
    """And the plan says how it would go."""
    write(project, [HELLO])
    project("apply", "--yes")
    write(project, [])
    assert "? hello: not in the manifest any more" in project("plan").stdout
    project("apply", "--yes")
    assert len(project.json("jobs")["jobs"]) == 1


def test_a_job_that_is_not_the_manifests_is_refused_unless_adopted(project: Shell) -> None:
    """The other jobs of the manifest are done all the same."""
    project.create("hello", "echo mine")
    write(project, [HELLO, {"name": "new", "image": "x"}])
    project("plan", status=1)
    done = project("apply", "--yes", status=1)
    assert "1 done, 1 not." in done.stderr
    assert project.json("get", "hello")["command"] == ["sh", "-c", "echo mine"]
    project("apply", "--adopt", "--yes")
    assert project.json("get", "hello")["command"] == ["echo", "hi"]
    assert project("plan").stdout == "Nothing to do.\n"


def test_apply_asks_and_without_a_terminal_wants_yes(project: Shell) -> None:
    """Nothing is done meanwhile."""
    write(project, [HELLO])
    assert "--yes" in project("apply", status=2).stderr
    assert project.json("jobs")["jobs"] == []


def test_what_the_api_refuses_is_said_with_the_line_of_the_field(project: Shell) -> None:
    """The jobs that it does not refuse are done."""
    write(project, [{"name": "bad", "image": "A B"}, HELLO])
    done = project("apply", "--yes", status=1)
    assert "jobs.yaml:4: bad: image must be an image reference" in done.stderr
    assert "1 done, 1 not." in done.stderr
    assert [job["name"] for job in project.json("jobs")["jobs"]] == ["hello"]


def test_a_schedule_that_the_api_refuses_is_a_mistake_of_the_plan(project: Shell) -> None:
    """With its line, before anything is done."""
    write(project, [{"name": "bad", "image": "x", "schedule": "0 0 30 2 *"}, HELLO])
    done = project("plan", status=1)
    assert "jobs.yaml:5: bad: schedule" in done.stderr
    project("apply", "--yes", status=1)
    assert project.json("jobs")["jobs"] == []


def test_dump_reads_as_a_plan_with_nothing_to_do(project: Shell) -> None:
    """Also for jobs that no manifest made."""
    write(project, [HELLO, {**NIGHTLY, "env": {"A": "$${B}", "C": "#: |"}}], name="mine")
    project.extra["TAG"] = "1"
    project("apply", "--yes")
    project.create("by-hand", "echo ${HOME}\necho two")
    dumped = project("dump").stdout
    done = project("plan", "-f", "-", "--detailed-exitcode", input=dumped, status=0)
    assert done.stdout.endswith("Nothing to do.\n")


def test_a_plan_as_json_has_actions_and_nothing_else_on_stdout(project: Shell) -> None:
    """For a build that reads it."""
    write(project, [HELLO])
    data = json.loads(project("plan", "-o", "json").stdout)
    assert [(one["action"], one["name"]) for one in data["actions"]] == [("create", "hello")]


def test_a_manifest_with_mistakes_changes_nothing(project: Shell) -> None:
    """All of them are said; the status is 1."""
    (project.directory / "jobs.yaml").write_text("version: 1\njobs:\n  - name: a\n  - image: b\n")
    done = project("apply", "--yes", status=1)
    assert "jobs.yaml:3: jobs[0].image is required" in done.stderr
    assert "jobs.yaml:4: jobs[1].name is required" in done.stderr
    assert "2 mistakes" in done.stderr


names = st.sampled_from(["a", "b", "c", "d"])

fields = st.fixed_dictionaries(
    {"image": st.sampled_from(["i", "j:1"])},
    optional={
        "command": st.lists(st.sampled_from(["echo", "a b", "$X"]), min_size=1, max_size=3),
        "schedule": st.sampled_from(["0  3 * * *", "@daily", "*/7 * * * *"]),
        "timezone": st.sampled_from(["UTC", "Asia/Tokyo"]),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "no", "x: y"])),
        "tags": st.lists(st.sampled_from(["x", "y=z"]), unique=True),
        "max_retries": st.integers(0, 10),
        "paused": st.booleans(),
    },
)

jobs = st.dictionaries(names, fields, max_size=4)

owners = st.sampled_from([None, "another", "the manifest"])


@settings(deadline=None, max_examples=25)
@given(
    wanted=jobs,
    there=st.dictionaries(names, st.tuples(fields, owners), max_size=4),
    meddled=st.sets(names, max_size=2),
    prune=st.booleans(),
    adopt=st.booleans(),
)
def test_apply_makes_it_so_touches_nothing_else_and_overwrites_nobody(
    stack: dict[str, str],
    with_schedule: Relay,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: dict[str, Json],
    there: dict[str, tuple[Json, str | None]],
    meddled: set[str],
    prune: bool,
    adopt: bool,
) -> None:
    """
    For any jobs that there are and any manifest, with somebody who changes jobs in between.

    1. Make what there is, and the plan.
    2. Somebody changes some jobs that the plan is about.
    3. Apply that plan: what was changed meanwhile stays as that somebody left it.
    4. Apply again, and a plan is empty; what is not the manifest's is as it was.
    """
    here = Shell(
        tmp_path_factory.mktemp("apply"),
        stack | {"JOBYARD_URL": with_schedule.url, "JOBYARD_PROJECT": f"h{uuid.uuid4().hex[:10]}"},
    )
    text = as_yaml({"version": 1, "jobs": [{"name": n, **one} for n, one in wanted.items()]})
    (here.directory / "jobs.yaml").write_text(text)
    mine = here.settings["JOBYARD_PROJECT"]
    options = [*(["--prune"] if prune else []), *(["--adopt"] if adopt else [])]
    with here.client() as client:
        for name, (spec, owner) in there.items():
            by = mine if owner == "the manifest" else owner
            client.create_job({"name": name, **spec, "managed_by": by})
        read = manifest.read((here.directory / "jobs.yaml").read_text(), "jobs.yaml", {})
        before = list(client.jobs())
        made = plan.make(read, before, project=mine, prune=prune, adopt=adopt)
        left: dict[str, Json] = {}
        for job in before:
            if job["name"] in meddled:
                retries = (job["max_retries"] + 1) % 11
                left[job["name"]] = client.update_job(job["id"], {"max_retries": retries})
        conflicts = {action.name for action in made.acting if action.job and action.name in meddled}
        assert apply_plan(here, made) == conflicts
        after = {job["name"]: job for job in client.jobs()}
        assert {name: after[name] for name in conflicts} == {n: left[n] for n in conflicts}
        run(here, "apply", "--yes", *options)
        final = {job["name"]: job for job in client.jobs()}
        assert not plan.make(read, final.values(), project=mine, prune=prune, adopt=adopt).acting
        foreign = {job["name"]: job for job in before if job["managed_by"] != mine}
        for name, job in foreign.items():
            if name not in wanted or not adopt:
                assert final[name] == left.get(name, job)
        assert {job["name"] for job in before} - set(wanted) - set(final) <= {
            job["name"] for job in before if prune and job["managed_by"] == mine
        }


def apply_plan(shell: Shell, made: plan.Plan) -> set[str]:
    """Do a plan that was made before; the names of the jobs that it could not do."""
    from jobyard.cli import manifests
    from jobyard.cli.session import Session

    flags = {name: shell.settings[f"JOBYARD_{name.upper()}"] for name in (
        "url", "token", "workspace", "project")}  # fmt: skip
    session = Session(dict(flags), None)
    read = manifests.Read(manifest.Manifest("jobs.yaml", None, None, None, ()), made, {})
    return {action.name for action in made.acting if not manifests.did(session, read, action)}


def run(shell: Shell, *arguments: str) -> None:
    """The command in this process: it is called many times."""
    flags = [
        *("--url", shell.settings["JOBYARD_URL"], "--token", shell.settings["JOBYARD_TOKEN"]),
        *("--workspace", "local", "--project", shell.settings["JOBYARD_PROJECT"]),
    ]
    file = str(Path(shell.directory) / "jobs.yaml")
    assert main([*flags, *arguments, "-f", file]) in (0, 1)


def test_a_stage_without_the_schedule_endpoint_is_planned_all_the_same(shell: Shell) -> None:
    """The next fires are then not known beforehand, and the plan says so."""
    write(shell, [{**NIGHTLY, "image": "x"}])
    shown = shell("plan").stdout
    assert "next fires: this stage does not tell them beforehand" in shown
    assert "1 to create" in shown
