"""The rule of each field of a job, with values just inside and just outside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.job_bodies import SECRET, errors, spec


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
def test_image_references_of_the_oci_grammar_are_accepted(image: str) -> None:
    """A reference may have a registry, a port, a path, a tag and a digest."""
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
def test_text_that_is_not_an_image_reference_is_refused(image: str) -> None:
    """The API refuses it at once, so that no task fails to start because of it."""
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
def test_a_name_of_invisible_characters_is_refused(name: str) -> None:
    """A name of spaces, marks, fillers and format characters alone shows nothing to a reader."""
    found = errors(name=name)["name"]
    assert found in ("must have a visible character", "must hold only printable characters")


@pytest.mark.parametrize(
    "name",
    [
        *("a", "7", "-", "$", "한글", "夜間", "é", "e\u0301", "❤\ufe0f", "\u2803", "٣", "ﬀ", "␣"),
        *("␢", "a b", "a\u3164", "\u0301a", "∅"),
    ],
)
def test_a_name_with_a_visible_character_is_accepted(name: str) -> None:
    """The character may be of any script, and marks and fillers may stand beside it."""
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
        ("jitter_seconds", -1),
        ("jitter_seconds", 3_601),
        ("starting_deadline_seconds", 86_401),
        ("capacity", "fargate_spot"),
        ("capacity", ["spot"]),
        ("cpu", 3),
        ("cpu", -1),
        ("memory_mib", 513),
        ("memory_mib", 10**30),
        ("timeout_seconds", 1_209_601),
        ("max_retries", -1),
        ("notify", "failing"),
        ("notify", ["failed"]),
        ("notify", ["missed", "missed"]),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_under_its_field(field: str, value: Any) -> None:
    """Each value is just beyond a limit."""
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
        ("jitter_seconds", 3_600),
        ("starting_deadline_seconds", 86_400),
        ("timeout_seconds", 1),
        ("notify", []),
        ("notify", ["missed", "recovered", "failing", "every_failure"]),
    ],
)
def test_a_value_that_keeps_every_rule_is_accepted(field: str, value: Any) -> None:
    """Each value is just within a limit."""
    assert getattr(spec(**{field: value}), field) == value
