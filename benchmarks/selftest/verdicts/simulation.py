"""Simulated comparisons: noise as machines show it, bias of builds, and effects, taken through the real judge."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from gdbench.compare.judge.cases import needs_confirmation
from gdbench.compare.judge.precision import layout_of
from gdbench.compare.judge.rule import judge
from gdbench.compare.judge.terms import CaseBlocks, Verdicts
from gdbench.compare.measure.controls import CANARIES, control_names, spike_in
from gdbench.compare.measure.stages import SAMPLED
from gdbench.compare.record.tiers import ComparisonTier
from selftest.noises import NOISES, Floats

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
UNLIKE = np.random.default_rng(0).standard_normal(len(IDS))
"""How unlike the others the noise of each is."""


@dataclass(frozen=True)
class World:
    """How log-ratios vary: from block to block, from one fresh build to the next, and from case to case for good."""

    noise: str = "normal"
    pair_sd: float = 0.01
    unlike: float = 0.0
    """Standard deviation over cases of the logarithm of their pair sd, which is that of the case in every run."""
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
    sds = world.pair_sd * np.exp(world.unlike * UNLIKE[:cases])
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
