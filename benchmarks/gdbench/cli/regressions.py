"""``gdbench regressions``: which commits made a case slower, from asv's stored results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from gdbench.basics.exit_codes import INTERRUPTED
from gdbench.basics.folders import writing
from gdbench.basics.storage import check_writable, write_text
from gdbench.cli.console import (
    fail,
    human_output,
    json_option,
    markdown_option,
    say,
    stderr,
    write_json,
    write_markdown,
)
from gdbench.history import markdown, page
from gdbench.history.asv_folders import choose_machine, results_folder
from gdbench.history.confirm.holm import hold_to_error_rate
from gdbench.history.confirmation import confirm_all
from gdbench.history.labels import DRIFT, ENVIRONMENT, IMPROVEMENT, REGRESSION, SHARED
from gdbench.history.reading import read_histories
from gdbench.history.record import Judged, Record, judge_all, make_record
from gdbench.history.tables import HEAD, headline, remarks, rows, subjects, warnings

EXAMPLES = """
Examples:

\b
  gdbench regressions
  gdbench regressions --machine laptop --environment virtualenv-py3.12
  gdbench regressions --confirm --markdown steps.md

Exit codes: 0 read, whatever is proposed; 1 a regression was confirmed; 2 no results to read;
3 a proposal could be neither confirmed nor refuted, or results are there that could not be judged;
4 too few results to judge any case.
"""
PAGE = "regressions.html"
COLOURS = {REGRESSION: "red", SHARED: "red", IMPROVEMENT: "green", ENVIRONMENT: "magenta", DRIFT: "magenta"}


@click.command("regressions", short_help="Find the commits that changed speed, in asv's results.", epilog=EXAMPLES)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Folder of asv's results; the one in asv.conf.json, or reports/asv/results, if not given.",
)
@click.option(
    "--machine", help="Whose results are read; this machine's if not given. Those of several are never mixed."
)
@click.option(
    "--environment",
    help="The only one of asv's environments that is judged, at the error rate of all; each is if not given.",
)
@click.option("--confirm", is_flag=True, help="Measure each proposed commit against its parent, and search beside it.")
@click.option(
    "--tier", type=click.Choice(["quick", "standard", "deep"]), default="standard", show_default=True,
    help="How much --confirm measures for each pair of commits.",
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help=f"Folder for {PAGE}, and for what --confirm measures.")
@markdown_option
@json_option
def command(
    *,
    results: Path | None,
    machine: str | None,
    environment: str | None,
    confirm: bool,
    tier: str,
    markdown_path: str | None,
    output: Path | None,
    json_path: str | None,
) -> int:
    """Find the commits at which a case became slower or faster, from asv's results of one machine.

    Three detectors vote; slow drift and changes of the environment are no commit's fault. A proposal is no proof:
    --confirm measures the commit against its parent.
    """
    if output is not None:
        check_writable(output)
    place = results or results_folder(Path())
    histories = read_histories(place, choose_machine(place, machine), Path(), environment=environment)
    found = judge_all(histories)

    def finish() -> Record:
        record = make_record(found, confirmed=confirm)
        _show(record, human_output(json_path, markdown_path))  # first: it is told even if a disk is full
        write_json(json_path, record)
        write_markdown(markdown_path, markdown.render(record))
        if output is not None:
            with writing(output):
                write_text(output / PAGE, page.render(histories, record))
            say(stderr, f"Report, with all steps and pictures: {output / PAGE}")
        return record

    if confirm:
        _confirm(found, finish, tier=tier, folder=output)
    return finish().exit_code


def _confirm(found: list[Judged], finish: Callable[[], Record], *, tier: str, folder: Path | None) -> None:
    try:
        for one in found:
            confirm_all(one.history, one.proposals, one.confirmations, tier=tier, folder=folder, report=_say)
        hold_to_error_rate([one.confirmations for one in found])
    except KeyboardInterrupt:
        hold_to_error_rate([one.confirmations for one in found])
        finish()
        fail("stopped: what was measured until then is above.", INTERRUPTED)


def _say(sentence: str) -> None:
    say(stderr, sentence)


def _show(record: Record, out: Console) -> None:
    """Print the headline, a row per step, and what rows leave no room for."""
    say(out, f"{headline(record)}.", "bold")
    for warning in warnings(record):
        say(out, warning, "yellow")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in HEAD:
        table.add_column(name, overflow="fold", no_wrap=name in ("commit", "label", "history"))
    for row in rows(record):
        table.add_row(*row, style=COLOURS[row[HEAD.index("label")]])
    if rows(record):
        out.print(table)
    for commit, subject in subjects(record).items():
        say(out, f"{commit} {subject}")
    for remark in remarks(record):
        say(out, remark, "dim")
