"""The unit of work of the statistical half: runs of one batch size, all rates and seeds advanced together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps.hitting import first_crossing, mean_curve, mean_losses
from gdbench.pick.steps.problem import DescentProblem

Values = npt.NDArray[np.float64]
RATIO = 1.1
"""Ratio of the numbers of steps at which the loss is looked at; the curve between is interpolated and smoothed."""
BLOW_UP = 100.0
"""A run whose loss exceeds this multiple of that at its start has diverged."""


@dataclass(frozen=True)
class Block:
    """What to run: every rate with every seed, at one batch size. Plain values, so that it can be sent and hashed."""

    batch_size: int
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    """Numbers of runs; a run's randomness comes from the problem's entropy, the batch size and this number."""
    goal: float
    """Loss to reach by the mean over the seeds."""
    most_steps: int
    """Updates after which the block ends, whatever has been reached."""
    slack: float = 1.5
    """The block also ends at this multiple of the steps in which the first rate reached the goal."""


@dataclass(frozen=True)
class Curves:
    """What came of a block: losses at a geometric grid of steps, beginning with step 0."""

    steps: npt.NDArray[np.int64]
    """(T,) updates made before each point, ascending."""
    losses: Values
    """(T, L, S) loss by step, rate and seed; infinite from where a run has diverged or its rate was given up."""
    rows: float
    """Rows processed by all runs."""
    noise: Values
    """(2, 2) tr(Σ) and |G|² of the first seed: at its start; at the end, of the rate first at the goal, or NaN."""


def run_block(problem: DescentProblem, block: Block) -> Curves:
    """Run descent for every rate and seed of a block; the same arguments give the same values, bit for bit."""
    with np.errstate(all="ignore"):  # a rate that is too high overflows: that is what is to be found out
        return _Run(problem, block).result()


def step_grid(most: int) -> Iterator[int]:
    """Yield 1, 2, … in a geometric progression of ``RATIO``, each a whole number, the last one ``most``."""
    step = 0
    while step < most:
        step = min(max(step + 1, int(step * RATIO)), most)
        yield step


class _Run:
    """The state of a block's runs: parameters of the rates that are still alive, and the losses so far."""

    def __init__(self, problem: DescentProblem, block: Block) -> None:
        self.problem, self.block = problem, block
        starts = np.stack([problem.start(seed) for seed in block.seeds])
        self.thetas = np.repeat(starts[None], len(block.rates), axis=0)
        self.alive = np.arange(len(block.rates))
        self.steps, self.losses = [0], [self._losses()]
        self.limit, self.rows = math.inf, 0.0
        self.noise = np.full((2, 2), np.nan)
        self.noise[0] = problem.noise_scale(starts[0])

    def result(self) -> Curves:
        """Advance until the block is done."""
        draw = self.problem.sampler(self.block.batch_size, self.block.seeds)
        for step in step_grid(self.block.most_steps):
            self._advance(draw, step - self.steps[-1])
            self._look(step)
            if step >= self.limit or not self.alive.size:
                break
        return Curves(np.array(self.steps), np.stack(self.losses), self.rows, self.noise)

    def _advance(self, draw: Callable[[], Any], count: int) -> None:
        rates = np.array(self.block.rates)[self.alive, None, None]
        for _ in range(count):
            change = self.problem.gradients(self.thetas, draw())
            change *= rates
            self.thetas -= change
        self.rows += float(count * self.block.batch_size * self.alive.size * len(self.block.seeds))

    def _losses(self) -> Values:
        """Losses (L, S), infinite for the rates that are no longer alive."""
        found = np.full((len(self.block.rates), len(self.block.seeds)), np.inf)
        flat = self.thetas.reshape(-1, self.thetas.shape[-1])
        found[self.alive] = self.problem.losses(flat).reshape(self.thetas.shape[:2])
        return found

    def _look(self, step: int) -> None:
        """Compute losses, see whether a rate has reached the goal, and give up those that diverged."""
        losses = self._losses()
        losses[~(losses <= BLOW_UP * self.losses[0]) | np.isinf(self.losses[-1])] = np.inf  # once diverged, for good
        self.steps.append(step)
        self.losses.append(losses)
        self._set_limit()
        keep = np.isfinite(mean_losses(losses[self.alive]))
        self.thetas, self.alive = self.thetas[keep], self.alive[keep]

    def _set_limit(self) -> None:
        """Let the block end a while after the first rate has reached the goal, as far as the smoothed curves tell."""
        goal, floor = self.block.goal, self.problem.floor
        steps, losses = np.array(self.steps, float), np.stack(self.losses)
        self.limit = math.inf
        for place, rate in enumerate(self.alive):
            means = mean_losses(losses[:, rate])
            if means.min() > goal or not np.isfinite(means[-1]):
                continue
            curve = mean_curve(steps, losses[:, rate], floor=floor)
            crossing = first_crossing(steps, curve, goal=goal, floor=floor)
            if self.block.slack * crossing < self.limit:
                self.limit = self.block.slack * crossing
                self.noise[1] = self.problem.noise_scale(self.thetas[place, 0])
