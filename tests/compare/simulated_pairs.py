"""Simulated comparisons: log-ratios with the noise that machines show, taken through screen and confirmation."""

import math
from dataclasses import dataclass
from itertools import product
from unittest import mock

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gdbench.compare import verdicts
from gdbench.compare.verdicts import Judgement, Rule, confirm_blocks, judge, needs_confirmation

Floats = NDArray[np.float64]
SCREEN_BLOCKS, CONFIRM_BLOCKS = 8, 24
MARGIN = 0.005
RULE = Rule()


@dataclass(frozen=True)
class Noise:
    """How log-ratios vary from block to block, and from build to build."""

    heavy: bool = False
    """Student's t with 3 degrees of freedom instead of the normal distribution, of the same variance."""
    shared: float = 0.0
    """Share of the variance that all cases of a block have in common."""
    bias_sd: float = 0.0
    """Spread of the bias by memory layout: one draw for each case and build, which no repetition removes."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        if self.heavy:
            return rng.standard_t(3, size=shape) / np.sqrt(3)
        return rng.standard_normal(shape)


def draw_blocks(rng: np.random.Generator, blocks: int, centres: Floats, sds: Floats, noise: Noise) -> Floats:
    """Draw log-ratios (blocks, cases)."""
    own, common = noise.draw(rng, (blocks, len(centres))), noise.draw(rng, (blocks, 1))
    return centres + sds * (np.sqrt(1 - noise.shared) * own + np.sqrt(noise.shared) * common)


def run_suite(
    rng: np.random.Generator,
    slowdowns: ArrayLike,
    sds: ArrayLike,
    *,
    noise: Noise = Noise(),
    margin: float = MARGIN,
    rule: Rule = RULE,
    screen: int = SCREEN_BLOCKS,
    confirm: int = CONFIRM_BLOCKS,
) -> list[Judgement]:
    """Compare a suite whose heads are slower by these relative amounts, in two stages, as a session does.

    The findings have no plans of blocks, which take most of the time and decide nothing.
    """
    slowdown, sd = np.broadcast_arrays(np.asarray(slowdowns, float), np.asarray(sds, float))
    centres = np.log1p(slowdown) + noise.bias_sd * rng.standard_normal(slowdown.shape)
    screened = draw_blocks(rng, screen, centres, sd, noise)
    doubtful = needs_confirmation(screened, rule)
    blocks = confirm_blocks(int(doubtful.sum()), confirm, rule)
    confirmed = np.where(doubtful, draw_blocks(rng, blocks, centres, sd, noise), np.nan)
    return verdicts_of(screened, confirmed, margins=np.full(len(sd), margin), rule=rule)


def verdicts_of(screened: Floats, confirmed: Floats, *, margins: Floats, rule: Rule = RULE) -> list[Judgement]:
    """Judge without bootstrap and without plans."""
    plans = {"smallest_effect": lambda *_, **__: math.nan, "blocks_needed": lambda *_, **__: None}
    with mock.patch.multiple(verdicts, **plans):
        return judge(screened, confirmed, margins=margins, rule=rule, resamples=0)


def quiet_sds(rng: np.random.Generator, cases: int) -> Floats:
    """Draw pair standard deviations of a machine as it should be: median 1.5 %, 90th percentile 3 %."""
    return 0.015 * np.exp(rng.standard_normal(cases) * np.log(2) / 1.2816)


def share(findings: list[Judgement], *verdicts: str) -> float:
    """Return the share of the findings that have one of these verdicts."""
    return float(np.mean([finding.verdict in verdicts for finding in findings]))


def draw_stages(seed: int, *, cases: int = 12) -> tuple[Floats, Floats]:
    """Draw a screen and a confirmation of cases from 30 % faster to 30 % slower; some are noisy, some blocks lost."""
    rng = np.random.default_rng(seed)
    centres, sds = np.linspace(-0.3, 0.3, cases) ** 3 * 10, rng.uniform(0.002, 0.08, cases)
    screened, confirmed = (centres + sds * rng.standard_normal((blocks, cases)) for blocks in (8, 24))
    confirmed[rng.random(confirmed.shape) < 0.03] = np.nan
    confirmed[:, ~needs_confirmation(screened, RULE)] = np.nan
    return screened, confirmed


def judge_all(screened: Floats, confirmed: Floats, *, resamples: int = 0, margin: float = MARGIN) -> list[Judgement]:
    """Judge all cases of two stages."""
    margins = np.full(np.shape(screened)[1], margin)
    return judge(screened, confirmed, margins=margins, rule=RULE, resamples=resamples)


def judge_one(confirmed: object, *, margin: float = MARGIN) -> Judgement:
    """Judge one case from its confirmation."""
    column = np.asarray(confirmed, float)[:, None]
    return judge(np.full((1, 1), np.nan), column, margins=[margin], rule=RULE)[0]


def enumerated_p(values: Floats) -> float:
    """Chance of a sum of the ranks of positive values at least as large, over all signs, one by one."""
    ranks = np.argsort(np.argsort(np.abs(values))) + 1
    signs = np.array(list(product([False, True], repeat=len(values))))
    sums = signs @ ranks
    return float(np.mean(sums >= ranks[values > 0].sum()))
