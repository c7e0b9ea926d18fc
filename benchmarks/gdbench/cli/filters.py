"""The options that narrow the grid, shared by commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kernels import InputError

Command = TypeVar("Command", bound=Callable[..., Any])


def _names(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Split at commas, but for synthetic data sets, whose options hold commas."""
    names = (name for text in given for name in ([text] if ":" in text else text.split(",")))
    return tuple(dict.fromkeys(names))  # a name given twice is measured once


def _sizes(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[int | str, ...]:
    """Read whole numbers; n stands for all rows where it is a batch size."""
    words = _names(context, option, given)
    sizes = (word if word == "n" and option.name == "batch_size" else _whole(word, option) for word in words)
    return tuple(dict.fromkeys(sizes))


def _whole(text: str, option: click.Parameter) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{option.opts[0]} takes whole numbers such as 1,32, got {text!r}") from None


OPTIONS = (
    ("network", _names, "Networks of the grid, for instance mlp."),
    ("dataset", _names, "Data sets of the grid, for instance mnist5k."),
    ("variant", _names, "Variants, for instance jit,buffered."),
    ("batch_size", _sizes, "Batch sizes in rows, any of 1 to n; n is all rows."),
    ("dtype", _names, "float32 or float64."),
    ("task", _names, "forward, loss, gradient or epoch."),
    ("threads", _sizes, "Threads of BLAS and Numba."),
)


def filter_options(*names: str) -> Callable[[Command], Command]:
    """Add the filters of these names, or all of them."""

    def decorate(command: Command) -> Command:
        for name, read, help_text in reversed(OPTIONS):
            if not names or name in names:
                option = "--" + name.replace("_", "-")
                add = click.option(option, name, callback=read, multiple=True, metavar="X[,Y]", help=help_text)
                command = add(command)
        return command

    return decorate
