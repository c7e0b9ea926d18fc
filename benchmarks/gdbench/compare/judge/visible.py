"""What a run can find: the smallest slowdown of a case, and the blocks that a slowdown needs.

A run finds a slowed case when its screen sends it on, the test rejects its margin at the level of the family, and its
interval reaches beyond "unchanged". Each of some thousand simulated runs gives the effect from which on it does all
three; the smallest effect is a quantile of these. Noise is known from the run's own blocks alone, so both the variance
that this run reports and that which the next one finds are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from gdbench.compare.judge.location import Floats
from gdbench.compare.judge.precision import MIN_BLOCKS
from gdbench.compare.judge.terms import JudgeSettings

RUNS = 4000
"""Simulated runs: the power that results is within about half a percentage point of the one asked for."""
COARSE_DOF = 10
SPARE = 0.7
"""Share of the misses that are planned for; the rest is for noise with heavier tails, known less well."""
LARGEST_LOG = 100.0
"""Beyond it a logarithm is of no ratio that anybody sees; with one degree of freedom it may be in the thousands."""
MAX_BLOCKS = 10_000
"""Nobody waits for more."""


@dataclass(frozen=True)
class Stage:
    """Standard error of a case in one stage, as it was estimated."""

    error: float
    known_dof: float
    """Degrees of freedom of this estimate."""
    dof: float
    """Degrees of freedom of the estimate that such a stage makes by itself."""


def smallest_effect(screen: Stage | None, confirm: Stage, *, family: int, settings: JudgeSettings) -> float:
    """Return the relative slowdown that is found with the power of the settings; infinite if none is.

    ``screen`` is None where every case is confirmed. The case is the only slow one among ``family`` cases.
    """
    if not (math.isfinite(confirm.error) and confirm.known_dof > 0 and confirm.dof > 0):
        return math.inf
    dof = _rounded(confirm.dof)
    reported, normal, own = _draws(1, _rounded(confirm.known_dof), dof)
    error = confirm.error / reported
    proof = _quantile(dof, settings.fdr / (2 * family))
    half = _quantile(dof, (1 - settings.confidence) / 2) * own * error
    found_from = math.log1p(settings.margin) + error * (proof * own - normal)
    found_from = np.maximum(found_from, math.log1p(settings.equivalence) - error * normal - half)
    if screen is not None and math.isfinite(screen.error) and screen.known_dof > 0:
        found_from = np.maximum(found_from, _sent_from(screen, settings))
    last = math.ceil((1 - SPARE * (1 - settings.power)) * RUNS) - 1
    log_ratio = max(0.0, float(np.partition(found_from, last)[last]))
    return math.expm1(log_ratio) if log_ratio < LARGEST_LOG else math.inf


def _sent_from(screen: Stage, settings: JudgeSettings) -> Floats:
    """Return the effect from which on each simulated screen sends a case on."""
    dof = _rounded(screen.dof)
    reported, normal, own = _draws(2, _rounded(screen.known_dof), dof)
    error = screen.error / reported
    half = _quantile(dof, (1 - settings.confidence) / 2) * own * error
    unresolved = math.log1p(settings.screened_out) - half
    return np.asarray(np.minimum(unresolved, math.log1p(settings.margin) + half) - error * normal)


def blocks_needed(noise: Stage, blocks: int, lasting: float, *, family: int, settings: JudgeSettings) -> int | None:
    """Return the confirmation blocks that find the effect of the settings with their power; None if none do.

    ``noise`` is the standard error by noise with so many ``blocks``; ``lasting`` that by builds, which more blocks do
    not change.
    """
    known = math.isfinite(noise.error) and noise.known_dof > 0 and noise.dof > 0
    if not known or settings.effect < settings.equivalence:
        return None
    dof = _rounded(noise.dof)
    reported, normal, own = _draws(1, _rounded(noise.known_dof), dof)
    scaled = (_quantile(dof, settings.fdr / (2 * family)) * own - normal) / reported
    errors = float(np.quantile(scaled, 1 - SPARE * (1 - settings.power)))
    room = max(0.0, math.log1p(settings.effect) - math.log1p(settings.margin)) / errors
    spare = room**2 - lasting**2
    if spare <= 0:
        return None
    needed = max(MIN_BLOCKS, math.ceil(blocks * noise.error**2 / spare))
    return needed if needed <= MAX_BLOCKS else None


def _rounded(dof: float) -> float:
    """Round degrees of freedom, so that few sets of simulated runs serve all cases."""
    return max(1.0, round(2 * dof) / 2 if dof < COARSE_DOF else float(round(dof)))


@cache
def _quantile(dof: float, chance: float) -> float:
    return float(stats.t.isf(chance, dof))


@cache
def _draws(seed: int, known_dof: float, dof: float) -> tuple[Floats, Floats, Floats]:
    """Return, for each simulated run, estimated over true standard errors of this run and the next, and its noise."""
    rng = np.random.default_rng((seed, round(10 * known_dof), round(10 * dof)))
    reported, own = (np.sqrt(rng.chisquare(n, RUNS) / n) for n in (known_dof, dof))
    return reported, rng.standard_normal(RUNS), own
