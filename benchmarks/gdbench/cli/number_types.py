"""Numbers on the command line: what is none is refused with the form that the option takes."""

from __future__ import annotations

from typing import Any

import click


class NumberType(click.ParamType):  # type: ignore[type-arg] # no generic in older releases
    """Type of an option that takes a number.

    Parameters
    ----------
    base : click.ParamType
        What reads the number: ``click.INT`` or ``click.FLOAT``.
    words : str
        What the option takes, with an example, for a message: ``a share between 0 and 1, such as 0.2``.
    """

    def __init__(self, base: click.ParamType[Any], words: str) -> None:
        self.base, self.words = base, words
        self.name = base.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; raises BadParameter, with the words, for what is none."""
        try:
            return self.base.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not {self.words}", param, ctx)


def whole(example: int) -> NumberType:
    """Type of an option that takes a whole number, such as the example."""
    return NumberType(click.INT, f"a whole number, such as {example}")


SEED = whole(0)
