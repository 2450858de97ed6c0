"""Bodies that two JSON parsers could read differently are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import BadRequest
from chalicelib.http import strict_json

PORTABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
)


@given(PORTABLE, st.booleans())
def test_portable_json_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    """A value that `json` has written, escaped or not, is read as an equal value."""
    assert strict_json.decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8: byte 7"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1, "a": 1}', '"a" is there twice'),
        (b'{"env": {"A": "1", "B": "2", "A": "1"}}', '"A" is there twice'),
        (b'{"a": 1, "\\u0061": 1}', '"a" is there twice'),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 123456789012345678901}', "too large"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "too large"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\udfff": 1}', "half of a surrogate pair"),
        (b'{"a": [{"b": ["\\ud83d\\ud83d"]}]}', "half of a surrogate pair"),
        (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
        (b"[" * 262_144, "nested deeper than 32"),
        (b'{"a":' * 50_000, "nested deeper than 32"),
    ],
)
def test_json_that_parsers_read_differently_is_refused_with_the_reason(
    body: bytes, message: str
) -> None:
    """The message says in one sentence what is wrong and where."""
    with pytest.raises(BadRequest) as refused:
        strict_json.decode(body)
    assert message in refused.value.message
    assert len(refused.value.message) < 300


def test_a_surrogate_pair_is_one_character() -> None:
    """An emoji that is escaped as JSON does it is text like any other."""
    assert strict_json.decode(b'["\\ud83d\\ude00"]') == ["😀"]


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    """Brackets count only outside of strings, also if a string contains escaped quotes."""
    text = '\\"[' * 100
    assert strict_json.decode(f'["{text}"]'.encode()) == ['"[' * 100]


@pytest.mark.parametrize(
    "body",
    [
        b'"' * 262_144,
        b'\\"' * 131_072,
        b'["' + b'\\"' * 131_000,
        b"[]" * 131_072,
        b"{" + b",".join(b'"%d":0' % n for n in range(30_000)) + b',"0":0}',
    ],
    ids=["quotes", "escaped quotes", "an open string", "brackets", "many names"],
)
def test_large_bodies_are_refused_in_linear_work(body: bytes) -> None:
    """With quadratic work each of these bodies would take minutes."""
    with pytest.raises(BadRequest):
        strict_json.decode(body)
