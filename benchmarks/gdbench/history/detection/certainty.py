"""How certain a step must be to be told, so that one error rate holds for all series that are judged together."""

from __future__ import annotations

import numpy as np

ALONE = 4.4
"""Long-run standard errors by which two levels must differ, where few series are judged.

In noise alone, 0.1 % (normal) to 0.8 % (t with 3 degrees) of simulated series of 100 values are told a step;
their length changes little.
"""
MAX_ALONE = 5
"""Series up to which that is enough for an error rate of 5 % together."""
GROWTH = 5.5
"""Growth of the squared threshold with the logarithm of the number of series.

Beyond 4, the square of the greatest difference falls off as an exponential distribution does, with a mean of 2.1 in
normal noise and of 5.3 in the worst (AR(1) 0.5): the noise is estimated from the series itself.
"""


def threshold(n_series: int) -> float:
    """Return the long-run standard errors that a step or a drift must have.

    Parameters
    ----------
    n_series : int
        Series that are judged together, in whatever environment; in noise alone, one of them or more has a greater
        step in about 5 % of histories, in most noises fewer.
    """
    return float(np.sqrt(ALONE**2 + GROWTH * np.log(max(n_series / MAX_ALONE, 1.0))))
