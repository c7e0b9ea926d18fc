"""``gdbench train``: fit one network on one data set; loss in the terminal, as a picture and as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.text import Text
from threadpoolctl import threadpool_limits

from gdbench.basics.exit_codes import INTERRUPTED, KERNEL_WRONG
from gdbench.basics.folders import fresh_folder, own_named_folder, writing
from gdbench.basics.storage import check_writable, replacing_together, write_text
from gdbench.cli import train_tables
from gdbench.cli.console import enough_memory, fail, human_output, json_option, say, stderr, write_json
from gdbench.cli.number_types import SEED, NumberType, whole
from gdbench.experiments import datasets, synthetic
from gdbench.experiments.cases import PRESETS
from gdbench.experiments.networks import build_network, layer_sizes
from gdbench.train import proof
from gdbench.train.options import read_batch_size, regimes
from gdbench.train.proof import Refused, Taken
from gdbench.train.record import answer
from gdbench.train.training import EpochPoint, FitHistory, Training, check, fit_descent, history_csv
from gdbench.views.drawing import check_plotting
from gdbench.views.progress import ShowShare, bar
from kernels import InputError, descent_name
from kernels.errors import choices, unknown
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES, SCHEMES

TRAINING_FOLDER = Path("training")
"""New folders of fits are made in it, where the command is run."""
PAIRS = choices(" + ".join(pair) for pair in OUTPUT_LOSSES)


@click.command(
    "train",
    short_help="Fit one network on one data set.",
    help=f"""Fit one network on one data set by gradient descent.

    Prints loss and accuracy (classes) or R² (regression) by epoch, on the rows of the fit, and writes
    loss.png and history.csv. The variant is checked against the reference before the clock starts. Seconds
    are those of the passes over the data on one BLAS thread; compilation, loss and score are outside them.

    \b
    Examples:
      gdbench train --dataset diabetes --network linear
      gdbench train --dataset breast_cancer --network logistic --batch-size n
      gdbench train --dataset mnist5k --network mlp --compare-descents
      gdbench train --dataset synthetic_regression:n=500,d=20 --network linear

    Data sets: {choices(datasets.names())}.
    The last two take options after a colon: {synthetic.options("synthetic_regression")}.
    """,
)
@click.option(
    "--dataset", "dataset_name", metavar="NAME", required=True, help="Data set, such as digits; see gdbench list."
)
@click.option("--network", "preset", metavar="NAME", required=True, help=f"{choices(PRESETS)}.")
@click.option("--hidden", metavar="UNITS", help="mlp: units of each hidden layer, such as 64,32; default 128.")
@click.option("--activation", metavar="NAME", help=f"mlp: {choices(HIDDEN)}; default sigmoid.")
@click.option("--output-activation", metavar="NAME", help="mlp: output activation, with --loss one of its pairs.")
@click.option(
    "--loss",
    metavar="NAME",
    help=f"mlp: loss. Pairs: {PAIRS}. Default sigmoid + cross_entropy on classes, identity + squared_error else.",
)
@click.option(
    "--variant",
    metavar="NAME",
    default="jit",
    show_default=True,
    help="Kernels to use, see gdbench list; auto: those that suit network, data and batch size.",
)
@click.option("--batch-size", metavar="B", default="32", show_default=True, help="Rows per update, or n for all.")
@click.option(
    "--learning-rate",
    type=NumberType(click.FLOAT, "a number, such as 0.1"),
    metavar="RATE",
    default=0.1,
    show_default=True,
    help="Learning rate, the same for all epochs.",
)
@click.option("--epochs", type=whole(20), metavar="COUNT", default=20, show_default=True, help="Passes over the data.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Fixes the start and the order of rows.")
@click.option("--dtype", metavar="NAME", default="float64", show_default=True, help=f"{choices(DTYPES)}.")
@click.option("--init", "scheme", metavar="NAME", default="normal", show_default=True, help=f"{choices(SCHEMES)}.")
@click.option("--compare-descents", is_flag=True, help="Also fit with B = n and B = 1, and draw all three.")
@click.option(
    "--output", metavar="DIR", help="Folder for the files (older ones are replaced); default: a new one in training/."
)
@json_option
def command(*, output: str | None, json_path: str | None, **options: Any) -> None:
    """Check everything, fit, write, print; a wrong input ends it before anything is written."""
    named = Path(output) if output else None
    check_writable(named or TRAINING_FOLDER)
    check_plotting()
    with own_named_folder(named):
        _train(named, json_path, FitOptions(**options))


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What the command line says of a fit, as it was typed."""

    dataset_name: str
    preset: str
    hidden: str | None
    activation: str | None
    output_activation: str | None
    loss: str | None
    variant: str
    batch_size: str
    learning_rate: float
    epochs: int
    seed: int
    dtype: str
    scheme: str
    compare_descents: bool


def _train(named: Path | None, json_path: str | None, options: FitOptions) -> None:
    with enough_memory("choose a data set with fewer rows or columns, or a smaller network"):
        training, batch_sizes = _plan(options)
        _headline(training, batch_sizes, json_path)
        taken = _take(training, batch_sizes)
        for sentence in proof.sentences(training.variant, taken):
            say(human_output(json_path), sentence)
        stderr.print(*proof.remarks(taken), sep="\n", style="dim")
        with threadpool_limits(1, user_api="blas"):
            histories = _fit(taken)
    interrupted = any(history.interrupted for history in histories)
    histories = _worth_keeping(histories)
    names = choices(dict.fromkeys(history.variant for history in histories))
    subject = f"{synthetic.base_of(options.dataset_name)}-{options.preset}"
    show = human_output(json_path)
    show.print(*train_tables.tables(training, histories), sep="\n")  # first: it is told even if a disk is full
    show.print(*train_tables.curves(histories), sep="\n", soft_wrap=True)
    with fresh_folder(named, subject, TRAINING_FOLDER) as folder, writing(folder):
        files = _write(folder, replace(training, variant=names), histories)
    say(show, f"written: {choices(files)}")
    proven = proof.proof_of(training.variant, taken)
    write_json(json_path, answer(training, histories, proven, interrupted=interrupted, files=files))
    if interrupted:
        fail("stopped: the files hold the epochs completed until then.", INTERRUPTED)


def _plan(options: FitOptions) -> tuple[Training, tuple[int, ...]]:
    """Read the options; return what to fit and the batch size of each regime."""
    if options.dtype not in DTYPES:
        raise unknown("dtype", options.dtype, DTYPES)
    _check_size(options.dataset_name)
    dataset = datasets.load(options.dataset_name, options.dtype)
    network = build_network(
        options.preset,
        dataset,
        hidden=layer_sizes(options.hidden) if options.hidden is not None else None,
        activation=options.activation,
        output=options.output_activation,
        loss=options.loss,
    )
    training = Training(
        network, dataset, options.variant, options.learning_rate, options.epochs, options.seed, options.scheme
    )
    batch_size = read_batch_size(options.batch_size, dataset.n_rows)
    check(training, batch_size)
    return training, regimes(batch_size, dataset.n_rows) if options.compare_descents else (batch_size,)


def _check_size(dataset_name: str) -> None:
    """Raise MemoryError for sizes that no address reaches: NumPy has another error for these."""
    n, d, k = datasets.shape_of(dataset_name)
    size = 8 * (n * (d + k) + d * k)
    if size > sys.maxsize:
        raise MemoryError(f"{dataset_name} takes {size:.0e} bytes")


def _headline(training: Training, batch_sizes: Sequence[int], json_path: str | None) -> None:
    """Say what is fitted, and how."""
    data = training.dataset
    n, d, k = len(data.X), data.X.shape[1], data.Y.shape[1]
    descents = choices(f"{size:,} ({descent_name(size, n)})" for size in batch_sizes)
    human_output(json_path).print(
        Text.assemble(
            (str(training.network), "bold"),
            f" on {data.name} (n = {n:,}, d = {d:,}, k = {k:,})\n",
            f"{training.variant} {data.X.dtype}, learning rate {training.learning_rate:g}, B = {descents}",
        )
    )


def _take(training: Training, batch_sizes: Sequence[int]) -> list[Taken]:
    """Certify what computes, or exit."""
    try:
        with bar("Certifying", stderr):
            return proof.take(training, batch_sizes)
    except Refused as error:
        fail(str(error), KERNEL_WRONG)


def _fit(taken: Sequence[Taken]) -> list[FitHistory]:
    """Fit each regime under a progress bar; Ctrl-C ends the list early."""
    histories: list[FitHistory] = []
    with bar("Training", stderr, by_hand=True) as tell:
        for entry in taken:
            training, size = entry.training, entry.batch_size
            name = descent_name(size, training.dataset.n_rows)
            histories.append(fit_descent(training, batch_size=size, on_epoch=_show(training, name, tell)))
            if histories[-1].interrupted:
                break
    return histories


def _show(training: Training, name: str, tell: ShowShare) -> Callable[[EpochPoint], None]:
    """Make the function that moves a bar on."""

    def show(point: EpochPoint) -> None:
        score = f"{training.score_name} {train_tables.score_text(training, point.score)}"
        detail = f", epoch {point.epoch} of {training.epochs}, loss {point.loss:.4g}, {score}"
        tell(point.epoch / training.epochs, name, detail)

    return show


def _worth_keeping(histories: Sequence[FitHistory]) -> list[FitHistory]:
    """Histories with something to store; if no regime came through, end with a sentence instead."""
    if histories[-1].interrupted and not any(history.epochs for history in histories):
        fail("stopped before the first epoch was complete: nothing was written.", INTERRUPTED)
    diverged = [history.diverged for history in histories if history.diverged]
    if len(diverged) == len(histories):
        if len(diverged) == 1 or diverged[0].epoch == 0:  # a start out of range is the same for all
            raise diverged[0]
        raise InputError(f"batch, mini-batch and stochastic descent all diverged; {diverged[0]}")
    return [history for history in histories if history.epochs or history.diverged]


def _write(folder: Path, training: Training, histories: Sequence[FitHistory]) -> tuple[str, str]:
    """Write both files or none, and return their paths."""
    from gdbench.train import pictures  # noqa: PLC0415 - matplotlib takes half a second, and --help needs none

    picture = pictures.picture(training, histories)
    with replacing_together() as place:
        write_text(place(folder / "history.csv"), history_csv(histories))
        place(folder / "loss.png").write_bytes(picture)
    return str(folder / "loss.png"), str(folder / "history.csv")
