"""What a job may be: every rule of the contract, and all that is wrong at once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import fields
from chalicelib.domain.errors import InvalidFields
from chalicelib.domain.fields import Tenancy
from chalicelib.domain.job_spec import (
    CONTAINER_FIELDS,
    JobPatch,
    JobSpec,
    RunOverrides,
    apply_patch,
    check_overrides,
    stored_spec,
)
from chalicelib.domain.validation import validate

HERE = Tenancy(
    "dev",
    "acme",
    (
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jobs/{workspace}/",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/{workspace}",
    ),
    "arn:aws:iam::123456789012:",
)
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jobs/acme/db-AbCdEf"
ROLE = "arn:aws:iam::123456789012:role/jobyard/dev/acme/etl"
MINIMAL = {"name": "nightly", "image": "python:3.13-slim"}


def spec(**changes: Any) -> JobSpec:
    return validate(JobSpec, MINIMAL | changes, HERE)


def errors(tenancy: Tenancy | None = HERE, **changes: Any) -> dict[str, str]:
    """Field to message, of a job that must be refused."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobSpec, MINIMAL | changes, tenancy)
    return {error.field: error.message for error in refused.value.errors}


def test_a_name_and_an_image_make_a_job_with_the_contract_s_defaults() -> None:
    """What is stored is complete, so that a later default changes no job."""
    assert spec().model_dump(mode="json") == {
        "name": "nightly",
        "image": "python:3.13-slim",
        "entrypoint": None,
        "command": None,
        "env": {},
        "secrets": {},
        "tags": [],
        "schedule": None,
        "timezone": "UTC",
        "paused": False,
        "concurrency_policy": "allow",
        "starting_deadline_seconds": 3600,
        "cpu": 0.25,
        "memory_mib": 512,
        "architecture": "x86_64",
        "task_role_arn": None,
        "timeout_seconds": 86400,
        "max_retries": 0,
        "managed_by": None,
    }


def test_a_job_with_every_field_is_stored_as_it_was_sent() -> None:
    """Only the command, which may be a string, is stored as the list it means."""
    full: dict[str, Any] = {
        "name": "Nächtlich 🌙",
        "image": "registry.example.com:5000/team/app:1.2@sha256:" + "a" * 64,
        "entrypoint": ["/bin/tini", "--"],
        "command": ["sh", "-c", "a && b\n\tc"],
        "env": {"MODE": "full", "_x": "", "TEXT": "two\nlines\t\r\n"},
        "secrets": {"DB_URL": SECRET},
        "tags": ["team=data", "nightly", "a=b=c"],
        "schedule": "0 3 * * 1-5",
        "timezone": "Europe/Berlin",
        "paused": True,
        "concurrency_policy": "forbid",
        "starting_deadline_seconds": 300,
        "cpu": 16,
        "memory_mib": 122880,
        "architecture": "arm64",
        "task_role_arn": ROLE,
        "timeout_seconds": 1_209_600,
        "max_retries": 10,
        "managed_by": "etl/jobs.yaml",
    }
    assert spec(**full).model_dump(mode="json") == full
    assert spec(command="sh -c 'a && b'").command == ["sh", "-c", "a && b"]
    assert stored_spec(json.loads(json.dumps(spec(**full).model_dump(mode="json")))) == spec(**full)


def test_container_fields_are_fields() -> None:
    """A name that no field has would make a change go unseen."""
    assert set(JobSpec.model_fields) > CONTAINER_FIELDS


def test_all_that_is_wrong_is_named_at_once_across_fields_too() -> None:
    """One answer, not one a try: unknown fields, wrong types, and what does not go together."""
    found = errors(
        name="",
        image="Python:3.13",
        entrypoint=[],
        command="a && b",
        env={"1A": "x", "AWS_REGION": "x", "N": 1},
        secrets={"X": "nothing"},
        tags=["a=1", "a=2"],
        timezone="Mars/Olympus",
        schedule="61 * * * *",
        paused="no",
        concurrency_policy="queue",
        starting_deadline_seconds=299,
        cpu=4,
        memory_mib=512,
        architecture="arm",
        task_role_arn="arn:aws:iam::123456789012:role/Admin",
        timeout_seconds=0,
        max_retries=11,
        shedule="@daily",
    )
    assert set(found) == {
        "name",
        "image",
        "entrypoint",
        "command",
        "env.1A",
        "env.AWS_REGION",
        "env.N",
        "secrets.X",
        "tags",
        "timezone",
        "schedule",
        "paused",
        "concurrency_policy",
        "starting_deadline_seconds",
        "cpu",
        "memory_mib",
        "architecture",
        "task_role_arn",
        "timeout_seconds",
        "max_retries",
        "shedule",
    }
    assert found["shedule"] == "is unknown; did you mean `schedule`?"


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
def test_a_body_that_is_no_object_is_one_error(body: Any) -> None:
    """There is no field to name; the body is."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobSpec, body, HERE)
    assert [error.field for error in refused.value.errors] == ["body"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", None),
        ("image", None),
        ("image", ["a"]),
        ("command", 1),
        ("command", {"a": "b"}),
        ("command.1", ["a", 1]),
        ("command.0", [None]),
        ("entrypoint", "sh"),
        ("env", ["A=1"]),
        ("env.A", {"A": None}),
        ("env.A", {"A": True}),
        ("secrets", "x"),
        ("tags", "x"),
        ("tags.0", [1]),
        ("schedule", 5),
        ("timezone", 5),
        ("paused", 1),
        ("paused", "true"),
        ("starting_deadline_seconds", "3600"),
        ("starting_deadline_seconds", 3600.5),
        ("cpu", "1"),
        ("cpu", True),
        ("cpu", [1]),
        ("memory_mib", 512.5),
        ("memory_mib", True),
        ("timeout_seconds", True),
        ("max_retries", "1"),
        ("task_role_arn", 1),
    ],
)
def test_types_are_strict(field: str, value: Any) -> None:
    """No string for a number, no number for true: what was meant is not guessed."""
    assert field in errors(**{field.split(".")[0]: value})


def test_a_whole_number_may_be_written_as_json_writes_numbers() -> None:
    """Some clients know only one kind of number; it is stored as an integer."""
    taken = spec(memory_mib=1024.0, timeout_seconds=6e1, max_retries=-0.0).model_dump_json()
    assert '"memory_mib":1024,' in taken and '"timeout_seconds":60,' in taken


@pytest.mark.parametrize("field", sorted(set(JobSpec.model_fields) - {"name", "image"}))
def test_null_means_the_default(field: str) -> None:
    """In a new job as in a patch; only name and image have none."""
    assert spec(**{field: None}) == spec()


@pytest.mark.parametrize(
    "image",
    [
        "a",
        "python:3.13-slim",
        "public.ecr.aws/docker/library/python:3.13-slim",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app",
        "localhost:5000/a_b/c__d/e--f.g:Tag_1",
        "[2001:db8::1]:5000/a",
        "ghcr.io/x/y@sha256:" + "0123456789abcdef" * 4,
        "x:" + "t" * 128,
        "r.io/" + "a" * 250,
    ],
)
def test_image_references_of_the_oci_grammar_are_taken(image: str) -> None:
    """Registry, port, path, tag, digest."""
    assert spec(image=image).image == image


@pytest.mark.parametrize(
    "image",
    [
        "",
        " python",
        "python ",
        "Python",
        "a/B",
        "a:",
        "a@",
        "a:-x",
        "a:" + "t" * 129,
        "a@sha256:" + "a" * 63,
        "a@sha256:" + "A" * 64,
        "a@md5:" + "a" * 32,
        "https://docker.io/a",
        "/a",
        "a/",
        "a//b",
        "a..b",
        "a.-b",
        "-a",
        "a\n",
        "pythön",
        "r.io/" + "a" * 251,
    ],
)
def test_what_is_no_image_reference_is_refused(image: str) -> None:
    """Found here, not by a task that fails to start."""
    assert "image" in errors(image=image)


@pytest.mark.parametrize(
    "name",
    [
        " ",
        "\u200b",  # zero width space
        "\ufeff",  # byte order mark
        "\xad",  # soft hyphen
        "\xa0",  # no-break space
        "\u2060",  # word joiner
        "\ufe0f",  # variation selector
        "\U000e0100",  # variation selector of the supplement
        "\u0301",  # a combining mark alone
        "\u034f",  # combining grapheme joiner
        "\u20e3",  # combining enclosing keycap
        "\u115f\u1160",  # fillers of Hangul
        "\u3164",
        "\uffa0",
        "\u2800",  # Braille pattern without a dot
        "\U0001d159",  # notehead without a shape
        " \u3164\u0301 ",
    ],
)
def test_a_name_that_nobody_can_see_is_refused(name: str) -> None:
    """Of spaces, marks, fillers and format characters alone."""
    found = errors(name=name)["name"]
    assert found in ("must have a visible character", "must hold only printable characters")


@pytest.mark.parametrize(
    "name",
    [
        *("a", "7", "-", "$", "한글", "夜間", "é", "e\u0301", "❤\ufe0f", "\u2803", "٣", "ﬀ", "␣"),
        *("␢", "a b", "a\u3164", "\u0301a", "∅"),
    ],
)
def test_a_name_with_something_to_see_is_taken(name: str) -> None:
    """In any script; marks and fillers may stand beside it."""
    assert spec(name=name).name == name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a\nb"),
        ("name", "a\x00"),
        ("name", "a\u202eb"),
        ("name", "x" * 129),
        ("managed_by", ""),
        ("managed_by", "x" * 129),
        ("managed_by", "a\nb"),
        ("managed_by", "\u3164"),
        ("command", ["a\x00"]),
        ("command", "a\x1b"),
        ("command", []),
        ("command", ""),
        ("command", "  "),
        ("command", ["x" * 16_385]),
        ("command", ["é" * 8_193]),
        ("command", "x" * 16_385),
        ("entrypoint", ["x" * 16_385]),
        ("entrypoint", ["\x07"]),
        ("env", {"A": "\x00"}),
        ("env", {"A": "\x85"}),
        ("env", {"": "x"}),
        ("env", {"A-B": "x"}),
        ("env", {"Ä": "x"}),
        ("env", {"A\n": "x"}),
        ("env", {"JOBYARD_X": "x"}),
        ("env", {"ECS_X": "x"}),
        ("env", {"A": "x" * 32_768}),
        ("env", {"A": "é" * 16_384}),
        ("secrets", {"AWS_X": SECRET}),
        ("tags", [""]),
        ("tags", ["a b"]),
        ("tags", ["ä"]),
        ("tags", ["a\n"]),
        ("tags", ["x" * 65]),
        ("tags", ["=x"]),
        ("tags", ["aws:x"]),
        ("tags", ["AWS:x"]),
        ("tags", ["jobyard:x=1"]),
        ("tags", ["a", "a"]),
        ("tags", ["a", "a=1"]),
        ("tags", [f"t{n}" for n in range(21)]),
        ("schedule", ""),
        ("schedule", "* * * *"),
        ("schedule", "@reboot"),
        ("schedule", "0 0 30 2 *"),
        ("schedule", "0 0 0 0 0\x00"),
        ("timezone", ""),
        ("timezone", "europe/berlin"),
        ("timezone", "../UTC"),
        ("timezone", "America"),
        ("timezone", "posix/Europe/Berlin"),
        ("starting_deadline_seconds", 86_401),
        ("cpu", 3),
        ("cpu", -1),
        ("memory_mib", 513),
        ("memory_mib", 10**30),
        ("timeout_seconds", 1_209_601),
        ("max_retries", -1),
    ],
)
def test_what_breaks_a_rule_is_refused_under_its_field(field: str, value: Any) -> None:
    """Each limit, just beyond it."""
    assert {found.split(".")[0] for found in errors(**{field: value})} == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x"),
        ("name", "x" * 128),
        ("command", ["x" * 16_384]),
        ("command", ["é" * 8_192]),
        ("command", ["", "\t\r\n"]),
        ("entrypoint", ["x" * 16_384]),
        ("env", {"A": "x" * 32_767}),
        ("tags", ["a=", "b:c/d+e@f", "x" * 64]),
        ("tags", [f"t{n}" for n in range(20)]),
        ("schedule", "@daily"),
        ("schedule", "*/5 0-3 1,15 * MON-FRI"),
        ("timezone", "America/Argentina/Buenos_Aires"),
        ("timezone", "Etc/GMT+5"),
        ("starting_deadline_seconds", 86_400),
        ("timeout_seconds", 1),
    ],
)
def test_what_keeps_every_rule_is_taken(field: str, value: Any) -> None:
    """Each limit, just within it."""
    assert getattr(spec(**{field: value}), field) == value


@pytest.mark.parametrize("cpu", fields.MEMORY_MIB)
def test_a_memory_that_does_not_go_with_the_cpu_lists_those_that_do(cpu: float) -> None:
    """The message is the documentation."""
    sizes = fields.MEMORY_MIB[cpu]
    for memory_mib in sizes:
        assert spec(cpu=cpu, memory_mib=memory_mib).memory_mib == memory_mib
    message = errors(cpu=cpu, memory_mib=sizes[-1] + 1)["memory_mib"]
    assert message.endswith(", ".join(map(str, sizes)))


def test_a_cpu_alone_may_not_go_with_the_default_memory() -> None:
    """The default is a value like any other: it has to go with the rest; both fields are named."""
    assert errors(cpu=4) == {
        "memory_mib": "512 MiB does not go with 4 vCPU: choose one of "
        + ", ".join(str(size) for size in range(8192, 30721, 1024)),
        "cpu": "4 vCPU does not go with 512 MiB: choose one of 0.25",
    }


@pytest.mark.parametrize(
    ("current", "reset", "choices"),
    [
        ({"cpu": 4, "memory_mib": 8192}, "memory_mib", {"cpu": "0.25", "memory_mib": "8192, 9216"}),
        ({"cpu": 4, "memory_mib": 8192}, "cpu", {"cpu": "1, 2, 4", "memory_mib": "512, 1024"}),
        ({"cpu": 16, "memory_mib": 122880}, "cpu", {"cpu": "16", "memory_mib": "512, 1024, 2048"}),
        ({"cpu": 0.5, "memory_mib": 1024}, "memory_mib", {"cpu": "0.25", "memory_mib": "1024, 2"}),
    ],
)
def test_a_reset_that_does_not_go_with_the_other_field_names_both(
    current: dict[str, Any], reset: str, choices: dict[str, str]
) -> None:
    """null is the default and no other value; for each field the error says what would do."""
    with pytest.raises(InvalidFields) as refused:
        patched(spec(**current), **{reset: None})
    found = {error.field: error.message for error in refused.value.errors}
    assert set(found) == {"cpu", "memory_mib"}
    for field, first in choices.items():
        assert found[field].partition("choose one of ")[2].startswith(first), found[field]


@pytest.mark.parametrize(
    ("current", "change", "outcome"),
    [
        ({"cpu": 1, "memory_mib": 2048}, {"cpu": None}, (0.25, 2048)),
        ({"cpu": 0.25, "memory_mib": 2048}, {"memory_mib": None}, (0.25, 512)),
        ({"cpu": 4, "memory_mib": 8192}, {"cpu": None, "memory_mib": None}, (0.25, 512)),
        ({"cpu": 4, "memory_mib": 8192}, {"cpu": None, "memory_mib": 1024}, (0.25, 1024)),
    ],
)
def test_a_reset_that_goes_with_the_other_field_is_taken(
    current: dict[str, Any], change: dict[str, Any], outcome: tuple[float, int]
) -> None:
    """The field's default, and the other field stays as it is."""
    after = patched(spec(**current), **change)
    assert (after.cpu, after.memory_mib) == outcome


def test_a_memory_is_not_judged_by_a_cpu_that_is_wrong_itself() -> None:
    """One mistake, one error."""
    assert set(errors(cpu=3, memory_mib=3)) == {"cpu"}


def test_a_name_is_either_plain_or_secret() -> None:
    """ECS refuses a variable that is both."""
    assert set(errors(env={"A": "1"}, secrets={"A": SECRET})) == {"secrets.A"}


@pytest.mark.parametrize(
    "arn",
    [
        SECRET,
        SECRET + ":key::",
        SECRET + ":key:AWSCURRENT:0123-ab",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/acme/db",
    ],
)
def test_secrets_under_the_stage_s_prefixes_are_taken(arn: str) -> None:
    """`{workspace}` stands for the job's own."""
    assert spec(secrets={"A": arn}).secrets == {"A": arn}


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "db",
        "arn:aws:s3:::bucket",
        SECRET.replace("acme", "evil"),
        SECRET.replace("acme/", "acme-2/"),
        SECRET + "\n",
        SECRET + ":a:b",
        SECRET.replace("jobs/acme", "*"),
        "arn:aws:ssm:eu-west-1:123456789012:parameter/acme-2/db",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/acmee",
        "arn:aws:ssm:us-east-1:123456789012:parameter/acme/db",
        "arn:aws:ssm:eu-west-1:210987654321:parameter/acme/db",
        "arn:aws-cn:ssm:eu-west-1:123456789012:parameter/acme/db",
    ],
)
def test_other_secrets_are_refused(arn: str) -> None:
    """Another workspace's, region's, account's or partition's, or none; no account is named."""
    found = errors(secrets={"A": arn})
    assert set(found) == {"secrets.A"}
    assert not re.search("[0-9]{12}", found["secrets.A"])


def test_a_refused_secret_is_told_where_secrets_may_be() -> None:
    """Everything of the stage's prefixes but the account's number."""
    other = SECRET.replace("123456789012", "210987654321")
    assert errors(secrets={"A": other})["secrets.A"] == (
        "must begin with arn:aws:secretsmanager:eu-west-1:<account>:secret:jobs/acme/ or "
        "arn:aws:ssm:eu-west-1:<account>:parameter/acme, where <account> is the stage's own AWS "
        "account"
    )


def test_a_stage_without_prefixes_allows_no_secret() -> None:
    """Closed unless its operator opens it, and the error says whom to ask."""
    closed = Tenancy("dev", "acme", (), HERE.iam_prefix)
    assert "operator" in errors(closed, secrets={"A": SECRET})["secrets.A"]


def test_without_a_tenancy_no_role_and_no_secret_is_allowed() -> None:
    """Validation that was not told whose job it is cannot open anything."""
    found = errors(None, secrets={"A": SECRET}, task_role_arn=ROLE)
    assert set(found) == {"secrets.A", "task_role_arn"}


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "etl",
        ROLE.replace("acme", "acme-2"),
        ROLE.replace("dev", "prod"),
        ROLE.replace("/acme/etl", "/acme"),
        ROLE.replace("role/", "role/x/"),
        ROLE.replace("iam", "sts"),
        ROLE + "\n",
        ROLE + "*",
        "arn:aws:iam::123456789012:role/jobyard/dev/acme/",
    ],
)
def test_a_role_outside_the_workspace_s_path_is_refused(arn: str) -> None:
    """The path is named, so that the reader knows where to make one."""
    assert "/jobyard/dev/acme/" in errors(task_role_arn=arn)["task_role_arn"]


@pytest.mark.parametrize(
    "arn",
    [ROLE.replace("123456789012", "210987654321"), ROLE.replace("arn:aws:", "arn:aws-cn:")],
)
def test_a_role_of_another_account_or_partition_is_refused(arn: str) -> None:
    """When the job is saved, since no run could ever have it; neither account is named."""
    found = errors(task_role_arn=arn)["task_role_arn"]
    assert "account and partition" in found and "/jobyard/dev/acme/" in found
    assert not re.search("[0-9]{12}", found)


def test_a_role_deeper_under_the_path_is_taken() -> None:
    """IAM paths may go on."""
    deeper = ROLE.replace("/etl", "/team/etl")
    assert spec(task_role_arn=deeper).task_role_arn == deeper


def test_a_body_of_nothing_but_mistakes_gets_a_short_answer() -> None:
    """20,000 unknown fields are a kind of attack, not a help to anybody."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobSpec, {f"f{n}": "x" for n in range(20_000)}, HERE)
    assert len(refused.value.errors) == 201
    assert refused.value.errors[-1].message == "19802 more fields are invalid"
    assert len(refused.value.message) < 20_000


def patched(current: JobSpec, **changes: Any) -> JobSpec:
    return apply_patch(current, validate(JobPatch, changes, HERE))


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    """An omitted field stays; null resets to the default."""
    current = spec(env={"A": "1"}, cpu=1, memory_mib=2048, schedule="@daily", secrets={"B": SECRET})
    assert patched(current) == current
    assert patched(current, name="weekly") == current.model_copy(update={"name": "weekly"})
    assert patched(current, env={"C": "2"}).env == {"C": "2"}
    assert patched(current, schedule=None).schedule is None
    reset = patched(current, env=None, cpu=None, memory_mib=None, secrets=None, schedule=None)
    assert reset == spec()


def test_a_patch_is_judged_by_what_the_job_becomes() -> None:
    """Fields that do not go with those that stay, unknown ones, wrong types: all at once."""
    current = spec(secrets={"A": SECRET})
    with pytest.raises(InvalidFields) as refused:
        patched(current, env={"A": "1"}, cpu=2, name=None, image=None, bogus=1, tags=["="])
    assert {error.field for error in refused.value.errors} == {
        "name",
        "image",
        "secrets.A",
        "cpu",
        "memory_mib",
        "tags.0",
        "bogus",
    }


@pytest.mark.parametrize("body", [[], None, "x"])
def test_a_patch_is_an_object(body: Any) -> None:
    """Anything else names the body."""
    with pytest.raises(InvalidFields) as refused:
        validate(JobPatch, body, HERE)
    assert [error.field for error in refused.value.errors] == ["body"]


def test_a_run_overrides_command_and_env_and_nothing_else() -> None:
    """The same rules as a job's; nothing, null and absent are the same."""
    assert validate(RunOverrides, {}, HERE) == validate(
        RunOverrides, {"command": None, "env": None}, HERE
    )
    taken = validate(RunOverrides, {"command": "a 'b c'", "env": {"A": "1"}}, HERE)
    assert (taken.command, taken.env) == (["a", "b c"], {"A": "1"})
    with pytest.raises(InvalidFields) as refused:
        validate(RunOverrides, {"command": "a | b", "env": {"AWS_X": "1"}, "cpu": 1}, HERE)
    assert {error.field for error in refused.value.errors} == {"command", "env.AWS_X", "cpu"}


def test_a_run_cannot_override_a_secret_of_its_job() -> None:
    """ECS would refuse the task; the caller hears it before there is a run."""
    overrides = validate(RunOverrides, {"env": {"DB_URL": "x", "MODE": "y"}}, HERE)
    check_overrides(overrides, {"OTHER": SECRET})
    with pytest.raises(InvalidFields) as refused:
        check_overrides(overrides, {"DB_URL": SECRET})
    assert [error.field for error in refused.value.errors] == ["env.DB_URL"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(JobSpec.model_fields)) | st.text(max_size=12), JSON, max_size=10
    )
)
def test_any_json_is_either_a_valid_job_or_refused_field_by_field(body: dict[str, Any]) -> None:
    """Never another exception; and what is taken once, is taken again as it was stored."""
    taken: JobSpec | None = None
    messages: list[str] = []
    try:
        taken = validate(JobSpec, MINIMAL | body, HERE)
    except InvalidFields as refused:
        messages = [error.message for error in refused.errors]
    if taken is None:
        assert messages and all(messages)
    else:
        assert validate(JobSpec, taken.model_dump(mode="json"), HERE) == taken
