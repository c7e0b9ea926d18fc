"""The options that narrow the grid, shared by commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gdbench.grid import Filters
from kernels import InputError

Command = TypeVar("Command", bound=Callable[..., Any])


class Names(click.ParamType[tuple[Any, ...]]):
    """Comma-separated names or sizes; the option may also be repeated."""

    name = "names"

    def __init__(self, of: type) -> None:
        self.of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Split a text; sizes are whole numbers, or n where it stands for all rows."""
        if self.of is str:
            return (str(value),) if ":" in str(value) else tuple(str(value).split(","))
        return tuple(self._size(part, param) for part in str(value).split(","))

    def _size(self, text: str, param: click.Parameter | None) -> int | str:
        if text == "n" and param is not None and param.name == "batch_size":
            return text
        try:
            return int(text)
        except ValueError:
            option = "--" + (param.name or "").replace("_", "-") if param else "the option"
            raise InputError(f"{option} takes whole numbers such as 1,32, got {text!r}") from None


OPTIONS = (
    ("network", str, "Networks of the grid, for instance mlp."),
    ("dataset", str, "Data sets of the grid, for instance mnist5k."),
    ("variant", str, "Variants, for instance jit,buffered."),
    ("batch_size", int, "Batch sizes in rows, any of 1 to n; n is all rows."),
    ("dtype", str, "float32 or float64."),
    ("task", str, "forward, loss, gradient or epoch."),
    ("threads", int, "Threads of BLAS and Numba."),
)


def filter_options(*names: str) -> Callable[[Command], Command]:
    """Add the filters of these names, or all of them."""

    def decorate(command: Command) -> Command:
        for name, kind, help_text in reversed(OPTIONS):
            if not names or name in names:
                option = "--" + name.replace("_", "-")
                add = click.option(option, name, type=Names(kind), multiple=True, metavar="X[,Y]", help=help_text)
                command = add(command)
        return command

    return decorate


def read_filters(values: dict[str, tuple[tuple[Any, ...], ...]]) -> Filters:
    """Flatten what click collected."""
    return Filters(**{name: tuple(value for group in groups for value in group) for name, groups in values.items()})
