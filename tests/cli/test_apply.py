"""
plan, apply and dump against the API: apply makes what the manifest says, and changes nothing else.
"""

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


def test_a_plan_shows_what_would_be_done_and_does_nothing(shell: Shell) -> None:
    """It also shows the next fires of each schedule that begins."""
    write(shell, [HELLO, NIGHTLY])
    shell.extra["TAG"] = "1"
    shown = shell("plan").stdout
    assert "+ hello: create" in shown
    assert 'image: "etl:1"' in shown
    assert shown.count("03:00:00 UTC") == 3
    assert shown.endswith("Plan: 2 to create, 0 to change, 0 to remove.\n")
    assert shell.json("jobs")["jobs"] == []


def test_detailed_exitcode_is_2_where_there_is_something_to_do_and_0_where_not(
    shell: Shell,
) -> None:
    """
    The status is 0 or 2; every error gets 1, wrong usage too, because 2 has this meaning here.
    """
    write(shell, [HELLO])
    shell("plan", "--detailed-exitcode", status=2)
    shell("plan", status=0)
    shell("apply", "--yes")
    shell("plan", "--detailed-exitcode", status=0)
    shell("plan", "--detailed-exitcode", "-f", "absent.yaml", status=1)
    write(shell, [HELLO], project="another")
    shell("--project", "one", "plan", "--detailed-exitcode", status=1)


def test_apply_creates_changes_and_removes(shell: Shell) -> None:
    """After the apply a plan has nothing to do."""
    write(shell, [HELLO, {"name": "old", "image": "x"}])
    done = shell("apply", "--yes")
    assert "2 done, 0 not." in done.stderr
    write(shell, [{**HELLO, "command": ["echo", "ho"], "env": {"A": "1"}}])
    shown = shell("plan", "--prune").stdout
    assert 'command: ["echo", "hi"] → ["echo", "ho"]' in shown
    assert 'env.A: none → "1"' in shown
    assert "- old: remove" in shown
    shell("apply", "--prune", "--yes")
    (job,) = shell.json("jobs")["jobs"]
    assert (job["name"], job["command"]) == ("hello", ["echo", "ho"])
    assert (job["env"], job["managed_by"]) == ({"A": "1"}, shell.settings["JOBYARD_PROJECT"])
    assert shell("plan").stdout == "Nothing to do.\n"


def test_without_prune_a_job_that_left_the_manifest_stays(shell: Shell) -> None:
    """The plan says that the job is not in the manifest any more."""
    write(shell, [HELLO])
    shell("apply", "--yes")
    write(shell, [])
    assert "? hello: not in the manifest any more" in shell("plan").stdout
    shell("apply", "--yes")
    assert len(shell.json("jobs")["jobs"]) == 1


def test_a_job_that_the_manifest_does_not_manage_is_refused_unless_adopted(shell: Shell) -> None:
    """The other jobs of the manifest are applied."""
    shell.create("hello", "echo mine")
    write(shell, [HELLO, {"name": "new", "image": "x"}])
    shell("plan", status=1)
    done = shell("apply", "--yes", status=1)
    assert "1 done, 1 not." in done.stderr
    assert shell.json("get", "hello")["command"] == ["sh", "-c", "echo mine"]
    shell("apply", "--adopt", "--yes")
    assert shell.json("get", "hello")["command"] == ["echo", "hi"]
    assert shell("plan").stdout == "Nothing to do.\n"


def test_apply_asks_and_without_a_terminal_wants_yes(shell: Shell) -> None:
    """Without a terminal and --yes nothing is done."""
    write(shell, [HELLO])
    assert "--yes" in shell("apply", status=2).stderr
    assert shell.json("jobs")["jobs"] == []


def test_a_refusal_by_the_api_is_shown_with_the_line_of_the_field(shell: Shell) -> None:
    """The jobs that the API accepts are applied."""
    write(shell, [{"name": "bad", "image": "A B"}, HELLO])
    done = shell("apply", "--yes", status=1)
    assert "jobs.yaml:4: bad: image must be an image reference" in done.stderr
    assert "1 done, 1 not." in done.stderr
    assert [job["name"] for job in shell.json("jobs")["jobs"]] == ["hello"]


def test_a_schedule_that_the_api_refuses_is_a_mistake_in_the_plan(shell: Shell) -> None:
    """The plan shows the mistake with its line, and apply does nothing."""
    write(shell, [{"name": "bad", "image": "x", "schedule": "0 0 30 2 *"}, HELLO])
    done = shell("plan", status=1)
    assert "jobs.yaml:5: bad: schedule" in done.stderr
    shell("apply", "--yes", status=1)
    assert shell.json("jobs")["jobs"] == []


def test_a_plan_of_what_dump_wrote_has_nothing_to_do(shell: Shell) -> None:
    """This holds for jobs that were made without a manifest too."""
    write(shell, [HELLO, {**NIGHTLY, "env": {"A": "$${B}", "C": "#: |"}}], name="mine")
    shell.extra["TAG"] = "1"
    shell("apply", "--yes")
    shell.create("by-hand", "echo ${HOME}\necho two")
    dumped = shell("dump").stdout
    schema = f"{shell.settings['JOBYARD_URL']}/jobs.schema.json"
    assert dumped.startswith(f"# yaml-language-server: $schema={schema}\n")
    done = shell("plan", "-f", "-", "--detailed-exitcode", input=dumped, status=0)
    assert done.stdout.endswith("Nothing to do.\n")


def test_a_plan_as_json_has_actions_and_nothing_else_on_stdout(shell: Shell) -> None:
    """A build can read the JSON."""
    write(shell, [HELLO])
    data = json.loads(shell("plan", "-o", "json").stdout)
    assert [(one["action"], one["name"]) for one in data["actions"]] == [("create", "hello")]


def test_a_manifest_with_mistakes_changes_nothing(shell: Shell) -> None:
    """Every mistake is reported, and the status is 1."""
    (shell.directory / "jobs.yaml").write_text("version: 1\njobs:\n  - name: a\n  - image: b\n")
    done = shell("apply", "--yes", status=1)
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
def test_apply_does_what_the_plan_says_and_changes_no_other_job(
    stack: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    wanted: dict[str, Json],
    there: dict[str, tuple[Json, str | None]],
    meddled: set[str],
    prune: bool,
    adopt: bool,
) -> None:
    """
    For any existing jobs and any manifest, while somebody else changes jobs.

    1. Create the existing jobs, and make the plan.
    2. Somebody else changes some of the jobs in the plan.
    3. Apply the plan: the jobs that were changed meanwhile stay as they are.
    4. Apply again: a new plan is empty, and jobs that the manifest does not manage are unchanged.
    """
    here = Shell(
        tmp_path_factory.mktemp("apply"),
        stack | {"JOBYARD_PROJECT": f"h{uuid.uuid4().hex[:10]}"},
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
    """Do a plan that was made earlier, and return the names of the jobs that it could not do."""
    from jobyard.cli import manifests
    from jobyard.cli.session import Session

    flags = {name: shell.settings[f"JOBYARD_{name.upper()}"] for name in (
        "url", "token", "workspace", "project")}  # fmt: skip
    session = Session(dict(flags), None)
    read = manifests.Read(manifest.Manifest("jobs.yaml", None, None, None, ()), made, {})
    return {action.name for action in made.acting if not manifests.did(session, read, action)}


def run(shell: Shell, *arguments: str) -> None:
    """Run the command in this process, because it is called many times."""
    flags = [
        *("--url", shell.settings["JOBYARD_URL"], "--token", shell.settings["JOBYARD_TOKEN"]),
        *("--workspace", "local", "--project", shell.settings["JOBYARD_PROJECT"]),
    ]
    file = str(Path(shell.directory) / "jobs.yaml")
    assert main([*flags, *arguments, "-f", file]) in (0, 1)


def test_plan_works_on_a_stage_without_the_schedule_endpoint(older: Shell) -> None:
    """The stage cannot calculate the next fires, and the plan says so."""
    write(older, [{**NIGHTLY, "image": "x"}])
    shown = older("plan").stdout
    assert "next fires: this stage does not tell them beforehand" in shown
    assert "1 to create" in shown
