"""A command written as one string, split into words as a POSIX shell splits them (pure)."""

from __future__ import annotations

import re

_PART = re.compile(
    r"""
      (?P<blank>(?:[ \t\r\n]|\\\n)+)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<operator>&&|[|><;$])
    | (?P<plain>[^'"\\])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE_IN_DOUBLE = re.compile(r'\\([$`"\\\n])')
"""The characters that a backslash escapes within double quotes; before others it stays."""


def split(text: str) -> list[str]:
    """
    The words of `text`, with its quotes and backslashes resolved.

    No shell will run, so an unquoted `&&`, `|`, `>`, `<`, `;` or `$`, which only a shell gives a
    meaning, is a ValueError, and so is a quote that is not closed. Nothing is expanded: `*`, `~`
    and `#` are ordinary characters, and a line's end is a blank.
    """
    words: list[str] = []
    word: list[str] = []
    inside = False  # of a word; '' makes an empty one
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError("has a quote that is not closed, or ends in a backslash")
        at = part.end()
        if part.lastgroup == "operator":
            raise ValueError(
                f"has an unquoted {part[0]}, which needs a shell, and none is run: quote it, "
                'or send the list ["sh", "-c", "…"]'
            )
        if part.lastgroup != "blank":
            word.append(_resolved(part))
            inside = True
        elif inside and part[0].replace("\\\n", ""):
            words.append("".join(word))
            word, inside = [], False
    return [*words, "".join(word)] if inside else words


def _resolved(part: re.Match[str]) -> str:
    if part.lastgroup == "double":
        return _ESCAPE_IN_DOUBLE.sub(lambda found: found[1].strip("\n"), part["double"])
    return part[part.lastgroup or 0]
