"""``gdbench calibrate``: this machine's noise and smallest visible effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from rich.table import Table

from gdbench.basics.exit_codes import INTERRUPTED, KERNEL_WRONG, OK
from gdbench.cli.console import fail, human_output, json_option, say, stderr, write_json
from gdbench.cli.filters import filter_options
from gdbench.cli.number_types import SEED, whole
from gdbench.cli.steps import steps
from gdbench.compare import calibration
from gdbench.compare.calibration import BLOCKS, Calibration, calibrate
from gdbench.compare.measure.session import NothingMeasured
from gdbench.compare.record.tiers import TIERS
from gdbench.compare.views.tables import percent
from gdbench.experiments.cases import network_and_variant
from gdbench.experiments.grid import Filters
from gdbench.machine.environment import one_line
from gdbench.processes.live import AnswerError, ProcessLost
from kernels.validation import check_seed

EXAMPLES = """
Examples:

\b
  gdbench calibrate
  gdbench calibrate --network mlp --blocks 24
"""


@dataclass(frozen=True)
class CalibrateAnswer(Calibration):
    """What ``--json`` writes: the calibration as it is stored now, and what it lets each tier see."""

    smallest_effects: Mapping[str, Mapping[str, float | None]]
    """Smallest slowdown that each tier finds, by case and name of the tier; None in JSON where it finds none."""


@click.command("calibrate", short_help="Measure how noisy this machine is, once, for compare.", epilog=EXAMPLES)
@filter_options()
@click.option(
    "--blocks", type=whole(BLOCKS), default=BLOCKS, show_default=True, help="Fresh pairs of processes; at least 6."
)
@click.option("--seed", type=SEED, help="Seed of orders, hash seeds and padding; drawn anew if not given.")
@json_option
def command(*, blocks: int, seed: int | None, json_path: str | None, **filters: Any) -> int:
    """Compare the current commit with itself, built twice: what differs is noise and memory layout.

    What builds differ by and the spread of pairs are stored for this machine, and gdbench compare uses them. A
    calibration of part of the grid is added to the stored one.
    """
    check_seed(0 if seed is None else seed)
    try:
        with steps("Calibrating") as report:
            measured, environment = calibrate(filters=Filters(**filters), blocks=blocks, seed=seed, report=report)
    except KeyboardInterrupt:
        fail("stopped; nothing was stored, and a former calibration is kept: run the same command again.", INTERRUPTED)
    except (AnswerError, ProcessLost, NothingMeasured) as error:
        fail(f"nothing was measured: {error}", KERNEL_WRONG)
    kept = calibration.keep(measured, environment, part=any(filters.values()))
    stored = kept.stored
    effects = {case: calibration.smallest_effects(stored, case) for case in stored.cases}
    write_json(json_path, CalibrateAnswer(**vars(stored), smallest_effects=effects))
    out = human_output(json_path)
    say(out, one_line(environment), "dim")
    out.print(_table(stored, effects))
    say(out, _summary(stored, kept.former))
    say(stderr, f"Stored in {kept.path}")
    return OK


def _table(stored: Calibration, effects: dict[str, dict[str, float]]) -> Table:
    """Return a line per network and variant: median spread, largest bias, smallest visible slowdown of each tier."""
    table = Table(title="Two builds of one commit", title_justify="left", box=None, pad_edge=False)
    for name in ("network and variant", "cases", "pair sd", "largest bias", *TIERS):
        table.add_column(name, justify="left" if name == "network and variant" else "right")
    groups: dict[str, list[str]] = {}
    for case in stored.cases:
        groups.setdefault(", ".join(network_and_variant(case)), []).append(case)
    for name, members in groups.items():
        sds = [stored.cases[case].pair_sd for case in members]
        bias = max((stored.cases[case].bias for case in members), key=abs)
        seen = [percent(float(np.median([effects[case][tier] for case in members]))) for tier in TIERS]
        table.add_row(name, str(len(members)), percent(float(np.median(sds))), f"{100 * bias:+.2f} %", *seen)
    return table


def _summary(stored: Calibration, former: Calibration | None) -> str:
    sds = [noise.pair_sd for noise in stored.cases.values()]
    median, tenth = percent(float(np.median(sds))), percent(float(np.quantile(sds, 0.9)))
    text = (
        f"Pairs spread by {median} in the median case, {tenth} in one of ten; builds differ by "
        f"{percent(stored.bias_sd)} (standard deviation over cases). "
        "The last columns are the smallest slowdowns that each tier finds nine times out of ten, if its pairs spread "
        "like these, which were sampled as the standard tier samples."
    )
    if former is None:
        return text
    then = float(np.median([noise.pair_sd for noise in former.cases.values()]))
    return f"{text} The calibration of {former.date[:10]}, now replaced, had {percent(then)} in the median case."
