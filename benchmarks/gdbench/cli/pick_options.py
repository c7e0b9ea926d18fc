"""The options of ``gdbench pick``: what there is, and how their words become a question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from gdbench.cli.console import json_option
from gdbench.experiments.cases import PRESETS
from gdbench.pick.choose.objectives import NAMES
from gdbench.pick.data.files import KINDS
from gdbench.pick.data.source import RowSource, usual_kind
from gdbench.pick.quantities import read_bytes, read_seconds
from gdbench.pick.question import Question, ask, label_of
from gdbench.pick.record.settings import Settings, check
from gdbench.pick.steps.tiers import TIERS
from gdbench.train.options import build_network, layer_sizes
from kernels import InputError
from kernels.auto import AUTO
from kernels.errors import choices
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES, SCHEMES

Command = TypeVar("Command", bound=Callable[..., Any])
Options = Mapping[str, Any]

USUAL = Settings()
PAIRS = choices(" + ".join(pair) for pair in OUTPUT_LOSSES)
DATA = (
    click.argument("file", required=False),
    click.option("--dataset", metavar="NAME", help="Data set that ships with gdbench, in place of FILE; see below."),
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
        "--validation", type=float, metavar="SHARE", help="Hold out this share of the rows; target is their loss."
    ),
)
NETWORK = (
    click.option("--network", "preset", metavar="NAME", help=f"{choices(PRESETS)}."),
    click.option("--hidden", metavar="UNITS", help="mlp: units of each hidden layer, such as 64,32; default 128."),
    click.option("--activation", metavar="NAME", help=f"mlp: {choices(HIDDEN)}; default sigmoid."),
    click.option("--output-activation", metavar="NAME", help="mlp: output activation, with --loss a pair, see below."),
    click.option("--loss", metavar="NAME", help="mlp: loss; default by the kind of data."),
    click.option(
        "--init", "scheme", metavar="NAME", help=f"{choices(SCHEMES)}; default normal for mlp and zeros for the others."
    ),
)
GOAL = (
    click.option("--loss-target", metavar="LOSS", default=AUTO, show_default=True, help="Loss to reach, or auto."),
    click.option("--objective", metavar="NAME", default="time", show_default=True, help=f"{choices(NAMES)}."),
    click.option("--memory-limit", metavar="SIZE", help="memory: what a step may need, such as 512MB."),
    click.option("--time-weight", type=float, metavar="W", help="blend: weight of time, 0 to 1; default 0.5."),
    click.option("--current", type=int, metavar="B", help="Your batch size, to compare with."),
    click.option("--max-batch", type=int, metavar="B", help="Largest batch size to consider; default all rows."),
)
MACHINE = (
    click.option(
        "--variant", metavar="NAME", default=AUTO, show_default=True, help="Kernels to time, see gdbench list."
    ),
    click.option("--threads", type=int, metavar="N", default=1, show_default=True, help="Of the timed variant."),
    click.option(
        "--dtype",
        metavar="NAME",
        default=USUAL.dtype,
        show_default=True,
        help=f"Of the timed variant: {choices(DTYPES)}.",
    ),
)
SEARCH = (
    click.option("--tier", metavar="NAME", default=USUAL.tier, show_default=True, help=f"How sure: {choices(TIERS)}."),
    click.option("--budget", metavar="TIME", help="Longest time to search: 30s, 2m, 1h; default by the tier."),
    click.option("--seed", type=int, default=0, show_default=True, help="Fixes starts, orders and choices of rows."),
    click.option("--workers", type=int, metavar="N", help="Processes that train; default one for each core."),
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


def settings_of(options: Options) -> Settings:
    """Read the settings; raises InputError where one makes no sense."""
    names = (
        "tier",
        "objective",
        "variant",
        "threads",
        "dtype",
        "seed",
        "scheme",
        "validation",
        "current",
        "max_batch",
        "fresh",
    )
    scheme = options["scheme"] or ("normal" if options["preset"] == "mlp" else "zeros")
    settings = Settings(**({name: options[name] for name in names} | {"scheme": scheme}), **amounts_of(options))
    check(settings)
    return settings


def amounts_of(options: Options) -> dict[str, Any]:
    """Read the settings that are written in words of their own."""
    budget, limit = options["budget"], options["memory_limit"]
    return {
        "loss_target": _loss_target(options["loss_target"]),
        "budget_seconds": None if budget is None else read_seconds(budget),
        "memory_bytes": None if limit is None else read_bytes(limit),
        "time_weight": options["time_weight"],
    }


def question_of(options: Options) -> Question:
    """Read options, load the data and make the network; raises InputError where anything is wrong."""
    settings = settings_of(options)
    if options["preset"] is None:
        raise InputError(f"no network is named: add --network with one of {choices(PRESETS)}")
    hidden = layer_sizes(options["hidden"]) if options["hidden"] is not None else None
    output, loss = options["output_activation"], options["loss"]
    kind = options["kind"]
    if kind is None and options["file"] is not None:
        kind = usual_kind(options["preset"], output=output, loss=loss)
    source = RowSource(
        options["dataset"],
        options["file"],
        options["target"],
        standardise=not options["no_standardise"],
        kind=kind,
        header=not options["no_header"],
        seed=settings.seed,
    )
    dataset = source.load()
    network = build_network(
        options["preset"], dataset, hidden=hidden, activation=options["activation"], output=output, loss=loss
    )
    return ask(settings, source, dataset, network, label=label_of(options["preset"], network))


def _loss_target(text: str) -> float | str:
    if text == AUTO:
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"--loss-target must be a finite number or the word auto, got {text!r}: correct it")
    return value
