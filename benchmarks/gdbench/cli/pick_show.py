"""What ``gdbench pick`` shows: what it is going to do, how far it is, and the answer."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from gdbench.basics.exit_codes import INTERRUPTED
from gdbench.basics.units import duration
from gdbench.cli.console import stderr
from gdbench.pick.amounts import counted
from gdbench.pick.data.files import printable
from gdbench.pick.data.memory import amount, size_of
from gdbench.pick.progress import Doing
from gdbench.pick.question import Question
from gdbench.pick.steps import BUDGET
from gdbench.pick.tables import table
from kernels.errors import choices

USUAL_SECONDS = {"quick": 30.0, "standard": 180.0}
"""That a tier takes as a rule for some thousand rows on two cores; ``thorough`` takes what it is given."""


def announce_reading(file: str | None) -> None:
    """Say that a large file is read, which takes a while before anything else is said."""
    size = None if file is None else size_of(Path(file))
    if file is not None and size is not None and size.is_large:
        told = f"reading {printable(Path(file).name)} ({amount(size.file_bytes)})"
        stderr.print(f"{told}, which takes about {amount(size.needed_bytes)} of memory", soft_wrap=True)


def announce(question: Question, console: Console) -> None:
    """Say in two lines what is going to be done, and what it costs."""
    settings, data = question.settings, question.dataset
    apart = f", {counted(data.n_rows - question.n_rows, 'row')} held out" if question.held_out else ""
    shape = f"n = {question.n_rows:,}, d = {data.X.shape[1]:,}, k = {data.Y.shape[1]:,}{apart}"
    subject = Text.assemble((question.label, "bold"), f" on {data.name} ({shape}), {settings.dtype}")
    console.print(subject, soft_wrap=True)
    if question.source.file is not None:
        console.print(f"read: {data.origin}", soft_wrap=True)
    sizes, count = question.batch_sizes, counted(len(question.batch_sizes), "batch size")
    span = f"{count} from {sizes[0]:,} to {sizes[-1]:,}" if len(sizes) > 1 else f"batch size {sizes[0]:,}"
    console.print(f"{_work(question, span)}; Ctrl-C gives the best answer so far.", soft_wrap=True)


def _work(question: Question, span: str) -> str:
    """Say what will be done with a span of batch sizes, and how long that takes."""
    settings = question.settings
    if not settings.needs_steps:
        return f"Times steps of {span}, about 10 s; nothing is trained"
    usual = USUAL_SECONDS.get(settings.tier, settings.most_seconds)
    rule = f", {duration(usual)} or less for some thousand rows as a rule" if usual < settings.most_seconds else ""
    return (
        f"Times steps of {span}, then trains to the target at each that may win, tier {settings.tier}: "
        f"at most {duration(settings.most_seconds)}{rule}"
    )


@contextmanager
def progress() -> Iterator[tuple[Callable[[Doing], None], Callable[[str], None]]]:
    """Draw a bar on standard error; where it is no terminal, a line per stage. Also give what prints a remark."""
    columns = TextColumn("Picking", markup=False), BarColumn(), TextColumn("{task.description}", markup=False)

    def remark(sentence: str) -> None:
        if sentence:
            stderr.print(sentence, soft_wrap=True)

    with Progress(*columns, console=stderr, transient=True) as shown:
        bar, said = shown.add_task("", total=1.0), [""]

        def listen(doing: Doing) -> None:
            left = f", at most {duration(doing.seconds_left)} left"
            detail = f" ({doing.detail})" if doing.detail else ""
            shown.update(bar, completed=doing.share, description=f"{doing.words}{detail}{left}")
            if not stderr.is_terminal and doing.words != said[0]:
                remark(f"{doing.words}{left}")
            said[0] = doing.words

        yield listen, remark


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
        stderr.print("stopping with the best answer so far; Ctrl-C again ends at once", soft_wrap=True)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def show(record: dict[str, Any], console: Console) -> None:
    """Print the answer: sentences, the first of them bold, the table, warnings and limits."""
    first, *others = record["sentences"]
    console.print()
    console.print(first, style="bold", soft_wrap=True)
    for sentence in others:
        console.print(f"  {sentence}", soft_wrap=True)
    if record["choice"] or any(row["status"] != BUDGET for row in (record["steps"] or {"rows": ()})["rows"]):
        console.print(table(record, width=console.width))
    for title, sentences in (("Warnings", record["warnings"]), ("Limits of this answer", record["limits"])):
        if sentences:
            console.print(f"{title}:", style="bold")
        for sentence in sentences:
            console.print(f"  {sentence}", soft_wrap=True)


def show_files(files: Sequence[str], console: Console) -> None:
    """Say what was written."""
    console.print(f"written: {choices(files)}", soft_wrap=True)
