"""Splitting a command into words as a shell does."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import shell_split


@settings(max_examples=150)
@given(st.text(alphabet="ab \t\"'\\", max_size=14))
def test_a_command_is_split_into_the_words_that_sh_makes(text: str) -> None:
    """The test compares with what `sh` itself makes of the text."""
    shell = subprocess.run(
        ["sh", "-c", f"printf '<%s>\\0' {text}"], capture_output=True, check=False
    )
    if text.endswith("\\") or shell.returncode or shell.stderr:
        try:
            shell_split.split(text)
        except ValueError:
            return
        assert text.endswith("\\\\"), "a text that sh refuses was split"
    else:
        made = "".join(f"<{word}>\0" for word in shell_split.split(text)) or "<>\0"
        assert made == shell.stdout.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python -m app", ["python", "-m", "app"]),
        ("  a\tb\nc  ", ["a", "b", "c"]),
        ("a \\\n  b", ["a", "b"]),
        ("a\\\nb", ["ab"]),
        ("sh -c 'a && b | c > $D; e'", ["sh", "-c", "a && b | c > $D; e"]),
        ('echo "x > y" \\$HOME a\\;b', ["echo", "x > y", "$HOME", "a;b"]),
        ("--empty '' \"\"", ["--empty", "", ""]),
        ("curl http://x/?a=1&b=2 # *", ["curl", "http://x/?a=1&b=2", "#", "*"]),
        ("", []),
        (" \t", []),
    ],
)
def test_quotes_and_backslashes_are_resolved(text: str, expected: list[str]) -> None:
    """Quoted operators are text; `#`, `*` and `?` are left as they are."""
    assert shell_split.split(text) == expected


@pytest.mark.parametrize("operator", ["&&", "|", ">", "<", ";", "$"])
@pytest.mark.parametrize("text", ["a {} b", "a{}b", "{}", "'x' {}", '"x"{}y'])
def test_an_unquoted_operator_is_refused_with_the_suggestion_of_sh_c(
    operator: str, text: str
) -> None:
    """The error names the operator and suggests the list that runs a shell."""
    with pytest.raises(ValueError, match=r'\["sh", "-c", "…"\]') as refused:
        shell_split.split(text.format(operator))
    assert f"unquoted {operator}," in str(refused.value)


@pytest.mark.parametrize("text", ["'a", 'a "b', "a\\", '"a\\"', "it's"])
def test_an_open_quote_is_refused(text: str) -> None:
    """A shell would ask for the rest of the line; the API cannot."""
    with pytest.raises(ValueError, match="not closed"):
        shell_split.split(text)
