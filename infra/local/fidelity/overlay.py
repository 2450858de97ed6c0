"""What is put over moto's own methods, and taken off again."""

from __future__ import annotations

from typing import Any, ClassVar, Self


class Overlay:
    """
    Methods in place of moto's, from their `_replace` until `uninstall`; one overlay of a kind.

    A subclass's `install` takes off the one before, and then replaces.
    """

    _installed: ClassVar[dict[type[Overlay], Overlay]] = {}

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any]] = []

    @classmethod
    def _take_off(cls) -> None:
        earlier = Overlay._installed.get(cls)
        if earlier is not None:
            earlier.uninstall()

    def _replace(self, owner: Any, name: str, replacement: Any) -> None:
        """`owner`, a class or a module, has `replacement` under that name from now on."""
        Overlay._installed[type(self)] = self
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, replacement)

    def uninstall(self) -> None:
        """Give moto its own methods back; harmless twice."""
        for owner, name, original in reversed(self._originals):
            setattr(owner, name, original)
        self._originals.clear()
        if Overlay._installed.get(type(self)) is self:
            del Overlay._installed[type(self)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.uninstall()
