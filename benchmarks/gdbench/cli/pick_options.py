"""The options of ``gdbench pick``: what there is, and how their words become a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import click

from gdbench.cli.console import json_option
from gdbench.cli.number_types import SEED, NumberType, whole
from gdbench.experiments.cases import PRESETS
from gdbench.pick.choose.objectives import NAMES
from gdbench.pick.data.files import KINDS
from gdbench.pick.data.source import RowSource
from gdbench.pick.question import Question
from gdbench.pick.request import USUAL, Request, build_question, check_network
from gdbench.pick.steps.tiers import TIERS
from kernels.auto import AUTO
from kernels.errors import choices
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES, SCHEMES

Command = TypeVar("Command", bound=Callable[..., Any])
Options = Mapping[str, Any]

PAIRS = choices(" + ".join(pair) for pair in OUTPUT_LOSSES)
DATA = (
    click.argument("file", required=False),
    click.option(
        "--dataset", metavar="NAME", help="Data set that ships with gdbench, in place of FILE; see gdbench list."
    ),
    click.option(
        "--target",
        metavar="COL",
        multiple=True,
        help="FILE: column to be learnt; once for each. In .npy its number (from 0; -1 is the last), in .npz the name "
        "of an array.",
    ),
    click.option(
        "--no-header",
        is_flag=True,
        help="FILE: .csv or .tsv without a line of names; --target is then a column's number, from 0; -1 is the last.",
    ),
    click.option("--kind", metavar="NAME", help=f"FILE: {choices(KINDS)}; default by the target's values and network."),
    click.option("--no-standardise", is_flag=True, help="FILE: leave inputs and targets as they are."),
    click.option(
        "--validation",
        type=NumberType(click.FLOAT, "a share between 0 and 1, such as 0.2"),
        metavar="SHARE",
        help="Hold out this share of the rows; target is their loss.",
    ),
)
NETWORK = (
    click.option("--network", "preset", metavar="NAME", help=f"{choices(PRESETS)}."),
    click.option("--hidden", metavar="UNITS", help="mlp: units of each hidden layer, such as 64,32; default 128."),
    click.option("--activation", metavar="NAME", help=f"mlp: {choices(HIDDEN)}; default sigmoid."),
    click.option("--output-activation", metavar="NAME", help="mlp: output activation, with --loss one of its pairs."),
    click.option("--loss", metavar="NAME", help=f"mlp: loss; default by the kind of data. Pairs: {PAIRS}."),
    click.option(
        "--init", "scheme", metavar="NAME", help=f"{choices(SCHEMES)}; default normal for mlp and zeros for the others."
    ),
)
GOAL = (
    click.option("--loss-target", metavar="LOSS", default=AUTO, show_default=True, help="Loss to reach, or auto."),
    click.option("--objective", metavar="NAME", default="time", show_default=True, help=f"{choices(NAMES)}."),
    click.option("--memory-limit", metavar="SIZE", help="memory: what a step may need, such as 512MB."),
    click.option(
        "--time-weight",
        type=NumberType(click.FLOAT, "a weight from 0 to 1, such as 0.5"),
        metavar="W",
        help="blend: weight of time, 0 to 1; default 0.5.",
    ),
    click.option("--current", type=whole(32), metavar="B", help="Your batch size, to compare with."),
    click.option("--max-batch", type=whole(512), metavar="B", help="Largest batch size to consider; default all rows."),
)
MACHINE = (
    click.option(
        "--variant", metavar="NAME", default=AUTO, show_default=True, help="Kernels to time, see gdbench list."
    ),
    click.option(
        "--threads", type=whole(1), metavar="N", default=1, show_default=True, help="Threads of the timed variant."
    ),
    click.option(
        "--dtype",
        metavar="NAME",
        default=USUAL.dtype,
        show_default=True,
        help=f"Dtype of the timed variant: {choices(DTYPES)}.",
    ),
)
SEARCH = (
    click.option("--tier", metavar="NAME", default=USUAL.tier, show_default=True, help=f"How sure: {choices(TIERS)}."),
    click.option("--budget", metavar="TIME", help="Longest time to search: 30s, 2m, 1h; default by the tier."),
    click.option("--seed", type=SEED, default=0, show_default=True, help="Fixes starts, orders and choices of rows."),
    click.option("--workers", type=whole(2), metavar="N", help="Processes that train; default one for each core."),
    click.option("--scheduler", metavar="ADDRESS", help="Train on the Dask cluster of this scheduler instead."),
    click.option("--fresh", is_flag=True, help="Neither use nor keep finished runs of earlier searches."),
    click.option(
        "--output", metavar="DIR", help="Folder for the files (older ones are replaced); default: new in picks/."
    ),
    click.option(
        "--replan",
        metavar="RECORD",
        help="Take steps, data and network from an earlier pick; measure only seconds per step.",
    ),
)


def all_options(command: Command) -> Command:
    """Add every option to a command."""
    for option in reversed((*DATA, *NETWORK, *GOAL, *MACHINE, *SEARCH)):
        command = option(command)
    return json_option(command)


def request_of(options: Options) -> Request:
    """Return what the options ask for."""
    same = {name: options[name] for name in (each.name for each in fields(Request)) if name in options}
    renamed = {"network": options["preset"], "init": options["scheme"], "standardise": not options["no_standardise"]}
    return Request(**(same | renamed))


def question_of(options: Options) -> Question:
    """Read options, load the data and make the network; raises InputError where anything is wrong."""
    request = request_of(options)
    settings = request.settings
    check_network(request)
    source = RowSource(
        options["dataset"],
        options["file"],
        options["target"],
        standardise=request.standardise,
        kind=request.usual_kind if options["file"] is not None else request.kind,
        header=not options["no_header"],
        seed=settings.seed,
    )
    return build_question(request, settings, source, source.load())
