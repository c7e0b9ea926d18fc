"""When the mean of some runs has come down to a loss, and how sure that is: numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from selftest.simulated.descent import Steps
from selftest.simulated.losses import Goal
from selftest.simulated.problems import Values

DRAWS = 200
"""Times that runs are drawn again for a standard error."""
TINY = 1e-300


def is_bracketed(losses: Values, goal: Goal) -> bool:
    """Whether the mean of losses (R, T) is above the target at the first look, and not at some later one."""
    mean = losses.mean(axis=0)
    return bool(mean[0] > goal.target and (mean <= goal.target).any())


def crossings(steps: Steps, means: Values, goal: Goal) -> Values:
    """(D,) first crossings of mean curves (D, T) with the target: real numbers, log-linear between looks.

    Curves that do not cross between the looks are prolonged from their last or first two, to twice as far at most.
    """
    with np.errstate(all="ignore"):
        heights = np.log(np.maximum(means - goal.floor, TINY)) - math.log(goal.target - goal.floor)
    reached = heights <= 0
    place = np.where(reached.any(axis=1), reached.argmax(axis=1), means.shape[1] - 1).clip(1)
    rows = np.arange(len(means))
    above, below = heights[rows, place - 1], heights[rows, place]
    left, right = steps[place - 1], steps[place]
    with np.errstate(all="ignore"):
        share = above / (above - below)
    return np.where(np.isfinite(share), left + share * (right - left), right).clip(steps[0] / 2, 2 * steps[-1])


def redrawn(runs: int, seed: int) -> npt.NDArray[np.float64]:
    """(D, R) weights of runs that are drawn again with replacement (Efron 1979)."""
    rng = np.random.default_rng((seed, runs))
    return rng.multinomial(runs, np.full(runs, 1 / runs), size=DRAWS) / runs


def spread(values: Values) -> float:
    """Standard error of the logarithm, from what came out when the runs were drawn again."""
    return float(np.std(np.log(np.maximum(values, TINY)), ddof=1)) if len(values) > 1 else 0.0


def vertex(rates: Sequence[float], steps: Values) -> tuple[float, Values]:
    """Fewest steps by the parabola through three rates, in logarithms; steps (3, D), the first column tells the rate.

    Returns
    -------
    tuple of float and array
        Learning rate, and steps (D,) at the vertices; never below the lower neighbour or above the middle's steps.
    """
    x = np.log(rates) - math.log(rates[1])
    y = np.log(steps)
    left, right = (y[0] - y[1]) / x[0], (y[2] - y[1]) / x[2]
    bend = (right - left) / (x[2] - x[0])
    slope = left - bend * x[0]
    with np.errstate(all="ignore"):
        place = np.where(bend > 0, -slope / (2 * bend), 0.0).clip(x[0], x[2])
    return float(rates[1] * math.exp(place[0])), np.exp(y[1] + slope * place + bend * place**2)
