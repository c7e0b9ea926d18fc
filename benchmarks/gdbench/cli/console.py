"""What every command shares: the console, errors, and JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console

from gdbench.basics.folders import writing
from gdbench.basics.records import plain
from gdbench.basics.storage import check_writable, write_text
from kernels import InputError

Command = TypeVar("Command", bound=Callable[..., Any])


@contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """Say in a sentence that memory does not suffice, and the remedy."""
    try:
        yield
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        raise InputError(f"memory does not suffice{reason}: {remedy}") from error


def _console(*, stderr: bool) -> Console:
    """Console that prints every text as it is: brackets in names of files, columns and classes are no markup."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


stdout = _console(stderr=False)
"""For people: standard output."""
stderr = _console(stderr=True)
"""For progress and remarks, so that ``--json -`` leaves standard output to the machine."""


def fail(sentence: str, code: int) -> NoReturn:
    """Print one sentence on standard error and exit."""
    stderr.print(f"gdbench: {sentence}", style="red", soft_wrap=True)
    sys.exit(code)


def json_option(command: Command) -> Command:
    """Add ``--json PATH`` to a command; the parameter is called ``json_path``."""
    help_text = "Write the answer as JSON; - is standard output."
    return click.option("--json", "json_path", metavar="PATH", callback=_check_target, help=help_text)(command)


def _check_target(_context: click.Context, _option: click.Parameter, json_path: str | None) -> str | None:
    """Refuse a path that cannot be written before minutes of measuring, rather than after them."""
    if json_path not in (None, "-"):
        path = Path(str(json_path))
        check_writable(path.parent)
        if path.is_dir():
            raise InputError(f"cannot write {path}, which is a folder: name a file in it")
    return json_path


def human_output(json_path: str | None) -> Console:
    """Console for people: standard error when ``--json -`` gives standard output to a machine."""
    return stderr if json_path == "-" else stdout


def write_json(json_path: str | None, answer: object) -> None:
    """Write an answer where ``--json`` says, if it says anything."""
    if json_path is None:
        return
    text = json.dumps(plain(answer), indent=2) + "\n"
    if json_path == "-":
        click.echo(text, nl=False)
        return
    path = Path(json_path)
    with writing(path.parent, "name a file in another folder with --json"):
        write_text(path, text)
