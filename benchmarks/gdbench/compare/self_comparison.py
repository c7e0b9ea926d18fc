"""``calibrate``: two builds of one commit against each other, all cases in every block."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from gdbench.compare import calibration
from gdbench.compare.record import table
from gdbench.compare.session import NothingMeasured, Report, Session, open_session
from gdbench.compare.sides import here
from gdbench.compare.stages import SCREEN, certify, stage
from gdbench.compare.tiers import TIERS
from gdbench.experiments.grid import Filters
from gdbench.machine.environment import Environment
from kernels import InputError

BLOCKS = 16
MIN_BLOCKS = 6
SAMPLED_AS = "standard"
"""Tier whose length of samples is calibrated."""


def calibrate(
    *, filters: Filters | None = None, blocks: int = BLOCKS, seed: int | None = None, report: Report = lambda step: None
) -> tuple[calibration.Stored, Environment]:
    """Measure this machine's noise and bias; return it with the environment. Nothing is stored here.

    Raises
    ------
    InputError
        If there are too few blocks.
    NothingMeasured
        If every case is broken.
    """
    if blocks < MIN_BLOCKS:
        raise InputError(f"{blocks} blocks say nothing of spread: ask for at least {MIN_BLOCKS}")
    text, tier = here(), replace(TIERS[SAMPLED_AS], screen_blocks=blocks, confirm_blocks=0, compile_pairs=0)
    with (
        tempfile.TemporaryDirectory(prefix="gdbench-") as name,
        open_session(
            text, text, folder=Path(name), tier=tier, filters=filters or Filters(), seed=seed, report=report
        ) as (session, _),
    ):
        certify(session)
        stage(session, SCREEN, session.left(), blocks, ())
        return _stored(session), session.environment


def _stored(session: Session) -> calibration.Stored:
    """Sum up the blocks."""
    cases, blocks = session.left(), session.measured.screen
    if not cases:
        reasons = "; ".join(dict.fromkeys(session.state.broken.values()))
        raise NothingMeasured(f"no case could be measured ({reasons}): run gdbench check")
    ratios = table(blocks, [case.id for case in cases])
    sds, medians = np.nanstd(ratios, axis=0, ddof=1), np.nanmedian(ratios, axis=0)
    bias_sd = calibration.bias_spread(list(medians), list(sds), len(blocks))
    environment = session.environment
    return calibration.Stored(
        date=environment.date,
        commit=session.setting.builds[0].side.commit,
        machine={name: getattr(environment, name) for name in calibration.MACHINE},
        blocks=len(blocks),
        case_seconds=session.tier.case_seconds,
        load=float(np.median([block["load_1_minute"] for block in blocks])),
        bias_sd=bias_sd,
        margin=calibration.margin_from(bias_sd),
        cases={
            case.id: {"pair_sd": float(sd), "bias": float(np.expm1(median))}
            for case, sd, median in zip(cases, sds, medians, strict=True)
        },
    )
