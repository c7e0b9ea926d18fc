"""Simulated comparisons: noise as machines show it, bias of builds, and effects, taken through the real judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gdbench.compare.judge.cases import needs_confirmation
from gdbench.compare.judge.precision import layout_of
from gdbench.compare.judge.rule import judge
from gdbench.compare.judge.terms import CaseBlocks, Verdicts
from gdbench.compare.measure.controls import CANARIES, control_names, spike_in
from gdbench.compare.measure.stages import SAMPLED
from gdbench.compare.record.tiers import ComparisonTier

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

AXES = (
    ("linear@diabetes", "softmax@digits", "mlp@mnist5k"),
    ("gradient", "epoch"),
    ("vectorized", "buffered", "jit", "tiled", "sparse"),
    (1, 8, 32, 128, 442),
)
IDS = tuple(
    f"{network}/{task}/{variant}/B={size}/{('float32', 'float64')[(i + size) % 2]}/threads=1"
    for i, (network, task, variant, size) in enumerate(product(*AXES))
)
"""150 cases of five variants."""
SPIKED, SPIKE_MEAN = 0.1, 3.0
"""Share of the blocks that have a spike, and its mean in standard deviations of the others."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw well-behaved noise of standard deviation 1, (blocks, cases)."""
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw Student's t with 3 degrees of freedom, of standard deviation 1."""
    return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))


def spikes(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw normal noise to which one block of ten adds an exponential spike on one side; standard deviation 1."""
    spike = np.where(rng.random(shape) < SPIKED, rng.exponential(SPIKE_MEAN, shape), 0.0)
    variance = 1 + 2 * SPIKED * SPIKE_MEAN**2 - (SPIKED * SPIKE_MEAN) ** 2
    return np.asarray((rng.standard_normal(shape) + spike) / np.sqrt(variance))


def autocorrelated(coefficient: float) -> Draw:
    """Return noise in which each block resembles the one before: an AR(1) process of standard deviation 1."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        values = rng.standard_normal(shape)
        for i in range(1, shape[0]):
            values[i] = coefficient * values[i - 1] + np.sqrt(1 - coefficient**2) * values[i]
        return values

    return draw


def shared(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw noise of which all cases of a block share half of the variance."""
    return np.asarray((rng.standard_normal(shape) + rng.standard_normal((shape[0], 1))) / np.sqrt(2))


NOISES: dict[str, Draw] = {
    "normal": normal,
    "t, 3 degrees": heavy,
    "one-sided spikes": spikes,
    "AR(1), 0.3": autocorrelated(0.3),
    "AR(1), 0.5": autocorrelated(0.5),
    "half shared": shared,
}


@dataclass(frozen=True)
class World:
    """How log-ratios vary: from block to block, from one fresh build to the next, and from case to case for good."""

    noise: str = "normal"
    pair_sd: float = 0.01
    unlike: float = 0.0
    """Standard deviation over cases of the logarithm of their pair sd."""
    fresh_sd: float = 0.0
    """Spread of the bias of a fresh build or compilation."""
    lasting_sd: float = 0.0
    """Spread of a bias that no fresh build averages out."""


def compare(
    rng: np.random.Generator, tier: ComparisonTier, world: World, effects: ArrayLike = 0.0, *, cases: int = len(IDS)
) -> Verdicts:
    """Compare a suite whose heads are slower by these relative amounts, in the stages of a tier.

    Controls have the noise of the cases, and no builds.
    """
    chosen, settings = IDS[:cases], tier.settings
    sds = world.pair_sd * np.exp(world.unlike * rng.standard_normal(cases))
    centres = np.log1p(np.broadcast_to(np.asarray(effects, float), (cases,)))
    centres = centres + world.lasting_sd * rng.standard_normal(cases)
    builds = world.fresh_sd * rng.standard_normal((tier.layouts, cases))
    controls = control_names(tier.effect)
    control_centres = np.array([0.0] * len(CANARIES) + [np.log(spike_in(tier.effect).ratio)])

    def draw(blocks: int) -> tuple[Floats, Floats]:
        noise = NOISES[world.noise](rng, (blocks, cases + len(controls)))
        on = [layout_of(i, blocks, tier.layouts) for i in range(blocks)]
        return centres + builds[on] + sds * noise[:, :cases], control_centres + world.pair_sd * noise[:, cases:]

    (screen, control_screen), (confirm, control_confirm) = draw(tier.screen_blocks), draw(tier.confirm_blocks)
    wanted = needs_confirmation({name: CaseBlocks(screen[:, i]) for i, name in enumerate(chosen)}, settings)
    if tier.layouts > 1:
        wanted |= dict.fromkeys(rng.permutation(chosen)[:SAMPLED].tolist(), True)
    return judge(
        {name: CaseBlocks(screen[:, i], confirm[:, i] if wanted[name] else ()) for i, name in enumerate(chosen)},
        {name: CaseBlocks(control_screen[:, i], control_confirm[:, i]) for i, name in enumerate(controls)},
        settings,
    )
