"""
Modules that are imported at the first use of anything in them.

A cold start pays for every module that it imports, and most of them serve one kind of request:
what only some need is named by `lazily`, what nearly every one needs is imported as usual.
"""

from __future__ import annotations

import importlib
from typing import Any


class Lazy:
    """Stands for a module; Python's import lock sees to it that threads import it once."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazily(*names: str) -> tuple[Lazy, ...]:
    """Modules of this package, each to be imported when it is first used."""
    return tuple(Lazy(f"{__package__}.{name}") for name in names)
