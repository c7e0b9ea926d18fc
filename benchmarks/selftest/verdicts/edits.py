"""Changes of source text that must fit exactly once, so that none is made elsewhere or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from kernels import InputError


@dataclass(frozen=True)
class Edit:
    """Replace ``old``, which a text must hold exactly once, by ``new``."""

    old: str
    new: str

    def apply(self, text: str) -> str:
        """Return the changed text.

        Raises
        ------
        InputError
            If the text does not hold ``old`` exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            raise InputError(f"{self.old!r} is {found} times in the source, not once: correct the edit")
        return text.replace(self.old, self.new)


def apply_all(edits: tuple[Edit, ...], text: str) -> str:
    """Return a text after all edits, each made on what the one before it left."""
    for edit in edits:
        text = edit.apply(text)
    return text
