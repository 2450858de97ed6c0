"""How much one answer can carry, and the JSON of the records that go into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from chalicelib.http.answer import render

T = TypeVar("T")

MAX_BODY = 5_000_000
"""Bytes of an answer's records as Lambda encodes them; Lambda itself refuses over 6 MB."""
_LINE_OVERHEAD = 256
"""Bytes of a log line's JSON beside its message, encoded twice; rounded up."""
_WIDEST = 12
"""Bytes that a character can take in it: two escaped surrogates."""
_CUT = " … [cut: the line is too long for one answer]"


def encoded_size(value: Any) -> int:
    """
    Bytes that `value` takes of MAX_BODY.

    Lambda encodes the body once more as a JSON string: quotes and backslashes take two bytes,
    and what is not ASCII six or twelve, unless its runtime knows better (it decides by a variable
    that Chalice changes), so the larger figure counts.
    """
    text = render(value)
    if text.isascii():  # it is JSON, so its control characters are escaped already
        return len(text) + text.count('"') + text.count("\\")
    return len(json.dumps(text)) - 2


class Rendered(Generic[T]):
    """The JSON of a list's records, made once, and whether they still fit in one answer."""

    def __init__(
        self, view: Callable[[T], dict[str, Any]], changes: Callable[[T], bool] = lambda _: False
    ) -> None:
        """`changes`: whether a record may change before it is shown, and is rendered again."""
        self._view = view
        self._changes = changes
        self._size = 0
        self._shown: dict[int, dict[str, Any]] = {}

    def fits(self, record: T) -> bool:
        """Whether `record` fits beside the records that were passed before."""
        shown = self._view(record)
        if not self._changes(record):
            self._shown[id(record)] = shown
        self._size += encoded_size(shown) + 1
        return self._size <= MAX_BODY

    def all(self, records: Iterable[T]) -> list[dict[str, Any]]:
        """The records as JSON."""
        return [self._shown.get(id(record)) or self._view(record) for record in records]


class LineRoom:
    """Room for the lines of a log."""

    capacity = MAX_BODY

    def size(self, message: str) -> int:
        """Bytes of a line in an answer: its JSON is a string within the JSON of the answer."""
        return len(json.dumps(json.dumps(message, ensure_ascii=False))) + _LINE_OVERHEAD

    def cut(self, message: str) -> str:
        """The beginning of a line that is too long for any answer, as much as certainly fits."""
        kept = (MAX_BODY - _LINE_OVERHEAD) // _WIDEST - len(_CUT)
        return message[:kept] + _CUT
