"""What every command shares: the console, errors, and JSON for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.text import Text

from gdbench.basics.folders import writing
from gdbench.basics.records import plain
from gdbench.basics.storage import check_file_writable, write_text
from gdbench.views.unpadded import Unpadding
from kernels import InputError

Command = TypeVar("Command", bound=Callable[..., Any])
STDOUT = "-"
UNFOLDED = 1000
"""Columns of what is no terminal: longer than any line of ours."""
STDOUT_PATHS = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Other names that people have for it."""


@contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """Say in a sentence that memory does not suffice, and the remedy."""
    try:
        yield
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        raise InputError(f"memory does not suffice{reason}: {remedy}") from error


def _console(*, stderr: bool) -> Console:
    """Console that prints every text as it is: brackets in names of files, columns and classes are no markup.

    In a file or a pipe no line ends with blanks, and none is folded unless COLUMNS says how wide it is.
    """
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.push_render_hook(Unpadding())
        if "COLUMNS" not in os.environ:
            console.width = UNFOLDED
    return console


stdout = _console(stderr=False)
"""For people: standard output."""
stderr = _console(stderr=True)
"""For progress and remarks, so that ``--json -`` leaves standard output to the machine."""


def say(console: Console, text: str | Text, style: str = "") -> None:
    """Print prose: folded between words in a terminal, below its own margin; elsewhere a sentence stays one line."""
    text = Text(text) if isinstance(text, str) else text
    margin = len(text.plain) - len(text.plain.lstrip(" "))
    if not console.is_terminal:
        console.print(text, style=style, soft_wrap=True)
        return
    for line in text[margin:].wrap(console, max(console.width - margin, 1)):
        console.print(Text(" " * margin) + line, style=style)


def fail(sentence: str, code: int) -> NoReturn:
    """Print one sentence on standard error and exit."""
    with suppress(OSError):  # the code is told though nothing can be written
        say(stderr, f"gdbench: {sentence}", "red")
    sys.exit(code)


def json_option(command: Command) -> Command:
    """Add ``--json PATH`` to a command; the parameter is called ``json_path``."""
    return _file_option("json", "Write the answer as JSON; - is standard output.")(command)


def markdown_option(command: Command) -> Command:
    """Add ``--markdown PATH`` to a command; the parameter is called ``markdown_path``."""
    about = "Write the findings as Markdown, for a pull request; - is standard output."
    return _file_option("markdown", about)(command)


def _file_option(name: str, about: str) -> Callable[[Command], Command]:
    parameter = f"{name}_path"
    return click.option(f"--{name}", parameter, metavar="PATH", callback=_check_target, help=about)


def _check_target(context: click.Context, option: click.Parameter, path: str | None) -> str | None:
    """Refuse a path that cannot be written before minutes of measuring, rather than after them."""
    if path is None:
        return None
    if path != STDOUT and path not in STDOUT_PATHS:
        check_file_writable(Path(path))
        return path
    if STDOUT in (context.params.get("json_path"), context.params.get("markdown_path")):
        raise InputError("--json and --markdown cannot both go to standard output: name a file for one of them")
    return STDOUT


def human_output(*paths: str | None) -> Console:
    """Console for people: standard error when one of these paths gives standard output to a machine."""
    return stderr if STDOUT in paths else stdout


def write_json(json_path: str | None, answer: object) -> None:
    """Write an answer where ``--json`` says, if it says anything."""
    if json_path is not None:
        _write("--json", json_path, json.dumps(plain(answer), indent=2) + "\n")


def write_markdown(markdown_path: str | None, text: str) -> None:
    """Write findings where ``--markdown`` says, if it says anything."""
    if markdown_path is not None:
        _write("--markdown", markdown_path, text)


def _write(option: str, path: str, text: str) -> None:
    if path == STDOUT:
        click.echo(text, nl=False)
        return
    with writing(Path(path).parent, f"name a file in another folder with {option}"):
        write_text(Path(path), text)
