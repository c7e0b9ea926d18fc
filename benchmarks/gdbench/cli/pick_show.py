"""What ``gdbench pick`` shows: what it is going to do, how far it is, and the answer."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from gdbench.basics.exit_codes import INTERRUPTED
from gdbench.basics.units import counted, duration
from gdbench.cli.console import say, stderr
from gdbench.pick.question import Question
from gdbench.pick.record.record import PickRecord
from gdbench.pick.views.tables import table
from gdbench.views.progress import bar
from kernels.errors import choices

LARGE_FILE = 50_000_000
"""Bytes from which on reading takes seconds."""


@contextmanager
def reading(file: str | None) -> Iterator[None]:
    """Say that a large file is being read, before the wait."""
    path = Path(file) if file is not None else None
    size = path.stat().st_size if path is not None and path.is_file() else 0
    if path is None or size < LARGE_FILE:
        yield
        return
    with bar("Reading", stderr) as tell:
        tell(None, f"{path.name}, {size / 1e9:.2f} GB; the budget of the search begins afterwards", "")
        yield


def announce(question: Question, console: Console) -> None:
    """Say in two lines what is going to be done, and what it costs."""
    settings, data = question.settings, question.dataset
    apart = f", {counted(data.n_rows - question.n_rows, 'row')} held out" if question.held_out else ""
    shape = f"n = {question.n_rows:,}, d = {data.X.shape[1]:,}, k = {data.Y.shape[1]:,}{apart}"
    subject = Text.assemble((question.label, "bold"), f" on {data.name} ({shape}), {settings.dtype}")
    say(console, subject)
    if question.source.file is not None:
        say(console, f"read: {data.origin}")
    sizes, count = question.batch_sizes, counted(len(question.batch_sizes), "batch size")
    span = f"{count} from {sizes[0]:,} to {sizes[-1]:,}" if len(sizes) > 1 else f"batch size {sizes[0]:,}"
    say(console, f"{_work(question, span)}; Ctrl-C gives the best answer so far.")


def _work(question: Question, span: str) -> str:
    """Say what will be done with a span of batch sizes, and how long that takes."""
    settings = question.settings
    if not settings.needs_steps:
        return f"Times steps of {span}, about 10 s; nothing is trained"
    return (
        f"Times steps of {span}, then trains to the target at each that may win, tier {settings.tier}: "
        f"at most {duration(settings.most_seconds)}, less where the answer is sure before"
    )


@contextmanager
def interrupts() -> Iterator[None]:
    """Let the first Ctrl-C end the search, and the second everything."""
    usual, count = signal.getsignal(signal.SIGINT), 0
    if usual is signal.SIG_IGN:  # as under nohup
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 1:
            sys.exit(INTERRUPTED)  # which nothing on the way takes for the first one
        say(stderr, "stopping with the best answer so far; Ctrl-C again ends at once")
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def show(record: PickRecord, console: Console) -> None:
    """Print the answer: a sentence in bold, a few more, the table and warnings; the rest is in the report."""
    first, *others = record.sentences
    console.print()
    say(console, Text(first, "bold"))
    for sentence in others:
        say(console, f"  {sentence}")
    if record.choice:
        console.print(table(record, width=console.width))
    for sentence in record.apart:
        say(console, f"  {sentence}")
    for warning in record.warnings:
        say(console, f"Warning: {warning}")


def show_files(files: Sequence[str], console: Console) -> None:
    """Say where the page is, and what was written beside it."""
    (page,) = [file for file in files if file.endswith(".html")]
    beside = choices(Path(file).name for file in files if file != page)
    say(console, f"Report, with picture and details: {page} (beside it {beside})")
