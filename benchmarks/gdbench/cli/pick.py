"""``gdbench pick``: the batch size to use, for your data, your network and this machine."""

from __future__ import annotations

import shlex
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gdbench.basics.folders import fresh_folder, own_named_folder
from gdbench.basics.storage import check_writable
from gdbench.cli import pick_show
from gdbench.cli.console import enough_memory, fail, human_output, stderr, write_json
from gdbench.cli.pick_options import all_options, question_of, request_of
from gdbench.experiments import datasets
from gdbench.pick.data.files import READERS
from gdbench.pick.live import drawn
from gdbench.pick.progress import Clock
from gdbench.pick.record.record import read_record
from gdbench.pick.replan import CHANGEABLE, MAX_SECONDS, ask_again
from gdbench.pick.runners.journal import Journal, default_folder
from gdbench.pick.runners.opening import runner_for
from gdbench.pick.session import Session
from gdbench.pick.views.files import PARENT, subject, write_views
from gdbench.views.drawing import check_plotting
from kernels import InputError
from kernels.errors import choices

EXAMPLES = f"""
Time to a target loss is the number of steps to it, which data and network decide, times the seconds of a step,
which variant and machine decide. Both are measured, and the answer says which batch size to use, how sure that is,
what it ties with and why.

\b
Examples:
  gdbench pick --dataset mnist5k --network mlp --hidden 128
  gdbench pick houses.parquet --target price --network mlp --hidden 64,32
  gdbench pick --dataset digits --network softmax --tier quick --current 512
  gdbench pick flowers.csv --target species --network softmax --budget 2m
  gdbench pick sensors.csv --no-header --target -1 --network linear
  gdbench pick --replan picks/2026-01-31-digits-softmax --variant vectorized

Files: {choices(READERS)}. Data sets: {choices(datasets.names())}.

Exit codes: 0 answered; 2 wrong usage or unreadable input; 3 not enough evidence: the target was not
reached or the budget was too small; 4 a kernel is wrong or nothing was measured; 130 stopped by
Ctrl-C, with the best answer so far.
"""
RENAMED = {"memory_limit": "memory_bytes"}
"""Options whose setting has another name."""
FREE = ("replan", "file", "output", "json_path")
"""Options that go with --replan, beside the settings that can be changed."""


@click.command("pick", short_help="Find the batch size that reaches a loss soonest.", epilog=EXAMPLES)
@all_options
@click.pass_context
def command(context: click.Context, /, *, json_path: str | None, output: str | None, **options: Any) -> int:
    """Find the batch size with which training reaches a loss soonest, for FILE or a data set, on this machine."""
    folder = Path(output) if output else None
    remedy = "take fewer rows or columns, a smaller network, or fewer --workers"
    with enough_memory(remedy), pick_show.interrupts(), own_named_folder(folder):
        work = _search if options["replan"] is None else partial(_replan, context)
        session = work(json_path, folder, options)
        number = context.obj[0] if context.obj else signal.SIGINT
        record = session.record(shlex.join(["gdbench", *sys.argv[1:]]), number=number)
        pick_show.show(record, human_output(json_path))
        write_json(json_path, record)  # before the files: what took minutes is told even if their disk is full
        with fresh_folder(folder, subject(record), PARENT) as place:
            files = write_views(record, place)
    pick_show.show_files(files, human_output(json_path))
    if session.fault:
        fail(session.fault, record.exit_code)
    return record.exit_code


def _search(json_path: str | None, folder: Path | None, options: dict[str, Any]) -> Session:
    open_runner = runner_for(options["workers"], options["scheduler"])
    with pick_show.reading(options["file"]):
        question = question_of(options)
    check_writable(folder or PARENT)
    check_plotting()
    pick_show.announce(question, human_output(json_path))
    with drawn(stderr) as (listen, remark):
        session = Session(question, Clock(question.settings.most_seconds, listen, remark))
        session.search(open_runner, lambda key: None if question.settings.fresh else Journal(default_folder(), key))
    return session


def _replan(context: click.Context, json_path: str | None, folder: Path | None, options: dict[str, Any]) -> Session:
    given = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    wrong = sorted(name for name in given if RENAMED.get(name, name) not in (*CHANGEABLE, *FREE))
    if wrong:
        flag = next(option.opts[0] for option in context.command.params if option.name == wrong[0])
        raise InputError(
            f"{flag} does not go with --replan, which keeps data, network and steps: leave one of them out"
        )
    values = {**options, **{name: value for name, value in request_of(options).amounts.items() if value is not None}}
    changes = {name: values[name] for name in (RENAMED.get(option, option) for option in given) if name in CHANGEABLE}
    earlier = read_record(options["replan"])
    question = ask_again(earlier, changes, file=options["file"])
    check_writable(folder or PARENT)
    check_plotting()
    with drawn(stderr) as (listen, remark):
        session = Session(question, Clock(MAX_SECONDS, listen, remark))
        session.plan_again(earlier, most_seconds=MAX_SECONDS)
    return session
