"""
CloudWatch's filter patterns for lines that are plain text.

Terms separated by blanks must all be in a line; `-term` must not be, and of `?term`s one must.
A term in double quotes is a phrase, in which a backslash escapes a quote or a backslash; a term
with anything but letters, digits and underscores must be quoted. Everything is case-sensitive.
Patterns for JSON (`{…}`), columns (`[…]`) and regular expressions (`%…%`) are refused, so that
nobody takes a filter for working here that is not understood.

Source: "Filter pattern syntax" in the CloudWatch Logs user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TERM = re.compile(
    r'\s*(?P<sign>[-?]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|(?P<word>\w+))(?=\s|$)', re.DOTALL
)
_ESCAPE = re.compile(r'\\(["\\])')


class BadPattern(ValueError):
    """Not a pattern, or one of a kind that is not understood here."""


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a line matches `pattern`; an empty one matches every line."""
    signs: dict[str, list[str]] = {"": [], "-": [], "?": []}
    at, text = 0, pattern.rstrip()
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise BadPattern(f"at character {at + 1}")
        phrase = term["phrase"]
        word = term["word"] if phrase is None else _ESCAPE.sub(r"\1", phrase)
        signs[term["sign"]].append(word)
        at = term.end()
    required, excluded, optional = signs[""], signs["-"], signs["?"]
    if len(required) == 1 and not excluded and not optional:
        (only,) = required
        return lambda line: only in line

    def matches(line: str) -> bool:
        return (
            all(term in line for term in required)
            and not any(term in line for term in excluded)
            and (not optional or any(term in line for term in optional))
        )

    return matches
