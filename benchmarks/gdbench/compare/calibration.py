"""What this machine's noise is: stored by ``gdbench calibrate``, used by every comparison on the same machine.

Two builds of one commit differ in nothing but where their code and data happen to lie. The spread of their pairs is
noise, which more blocks average away; the median by which they differ is bias, which they do not: so the margin that
a change must exceed follows from the spread of the biases over cases.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_state_path

from gdbench.basics.storage import write_text
from gdbench.compare.planning import Rule, smallest_effect
from gdbench.compare.tiers import TIERS
from gdbench.machine.environment import Environment

MIN_MARGIN = 0.005
"""Relative difference that is always taken for memory layout."""
BIAS_FACTOR = 2.0
COMPILE_MARGIN = 0.05
"""The same for CPU seconds of compilation, which were not calibrated."""
NOISIER = 1.5
"""A comparison whose pairs spread more than so many times the stored spread is worth a warning."""
DOUBTFUL_BIAS = 0.005
"""Spread of biases above which slowdowns of 2 % cannot be claimed here."""
MIN_SHARED = 5
MACHINE = ("cpu", "logical_cores", "memory_bytes", "system", "python")


@dataclass(frozen=True)
class Stored:
    """A calibration: spreads are standard deviations of log-ratios, relative; ``cases`` has one entry each."""

    date: str
    commit: str | None
    machine: dict[str, Any]
    blocks: int
    case_seconds: float
    """How long a case was sampled in a block: comparisons that sample otherwise have another spread."""
    load: float
    bias_sd: float
    margin: float
    cases: dict[str, dict[str, float]]
    """``pair_sd`` and ``bias`` of a case."""


def bias_spread(medians: Sequence[float], sds: Sequence[float], blocks: int) -> float:
    """Standard deviation of the biases over cases, without what ``blocks`` noisy pairs add to their medians.

    The variance of a median of n normal values is pi / 2 times that of their mean.
    """
    if not medians:
        return 0.0
    sampling = math.pi / 2 * float(np.mean(np.square(sds))) / blocks
    return math.sqrt(max(0.0, float(np.mean(np.square(medians))) - sampling))


def margin_from(bias_sd: float) -> float:
    """Relative difference that a change must exceed on a machine whose builds differ so much by themselves."""
    return max(MIN_MARGIN, BIAS_FACTOR * bias_sd)


def smallest_effects(stored: Stored, case: str) -> dict[str, float]:
    """Slowdown that each tier finds in a case with a chance of 90 %, alone among those it confirms; infinite: none."""
    found = {}
    for tier in TIERS.values():
        rule = Rule(effect=tier.effect)
        found[tier.name] = smallest_effect(
            stored.cases[case]["pair_sd"],
            stored.margin,
            family=max(1, round(0.1 * len(stored.cases))),
            screen=tier.screen_blocks,
            blocks=tier.confirm_blocks,
            rule=rule,
            known_from=stored.blocks,
        )
    return found


def file_of(environment: Environment) -> Path:
    """Where the calibration of a machine is kept: in the user's folder, under what tells machines apart."""
    digest = hashlib.sha256(json.dumps([getattr(environment, name) for name in MACHINE]).encode()).hexdigest()
    return user_state_path("gdbench") / f"calibration-{digest[:16]}.json"


def write(stored: Stored, environment: Environment) -> Path:
    """Keep a calibration; the former one of this machine is replaced."""
    path = file_of(environment)
    write_text(path, json.dumps(asdict(stored), indent=1) + "\n")
    return path


def read(environment: Environment) -> Stored | None:
    """Return the calibration of a machine; None if there is none, or one of another version."""
    try:
        return Stored(**json.loads(file_of(environment).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def margin(stored: Stored | None) -> float:
    """Margin to use."""
    return MIN_MARGIN if stored is None else stored.margin


def source(stored: Stored | None) -> str:
    """Where the margin comes from, in words."""
    return "default" if stored is None else f"calibration of {stored.date[:10]}"


def merged(former: Stored | None, new: Stored) -> Stored:
    """Return a calibration of part of the grid together with the former one, which keeps the rest of its cases."""
    if former is None or former.case_seconds != new.case_seconds:
        return new
    cases = {**former.cases, **new.cases}
    blocks = min(former.blocks, new.blocks)
    biases = [math.log1p(entry["bias"]) for entry in cases.values()]
    bias_sd = bias_spread(biases, [entry["pair_sd"] for entry in cases.values()], blocks)
    return replace(new, cases=cases, blocks=blocks, bias_sd=bias_sd, margin=margin_from(bias_sd))


def warnings(stored: Stored | None, rows: Sequence[dict[str, Any]], *, case_seconds: float) -> list[str]:
    """Say whether the machine has become noisier than it was calibrated, or cannot show small changes at all."""
    if stored is None:
        return []
    found = []
    pairs = [
        (row["pair_sd"], stored.cases[row["case"]]["pair_sd"])
        for row in rows
        if row["metric"] == "time" and row["pair_sd"] and row["case"] in stored.cases
    ]
    if len(pairs) >= MIN_SHARED and case_seconds == stored.case_seconds:
        growth = float(np.median([now / max(then, 1e-9) for now, then in pairs]))
        if growth > NOISIER:
            found.append(
                f"Pairs spread {growth:.1f} times as much as when this machine was calibrated ({stored.date[:10]}): "
                "compare when it is quieter, or run gdbench calibrate again."
            )
    if stored.bias_sd > DOUBTFUL_BIAS:
        found.append(
            f"Two builds of one commit differ by {100 * stored.bias_sd:.1f} % on this machine, whatever they contain: "
            f"nothing below {100 * stored.margin:.1f} % is claimed."
        )
    return found
