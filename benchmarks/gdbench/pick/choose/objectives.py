"""What can be minimised: functions of steps, seconds per step and batch size, all (…, R) over R batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kernels import Network
from kernels.errors import unknown

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """What is minimised, in words and as a function of steps K, seconds per step t and batch sizes B."""

    words: str
    unit: str
    values: Callable[[Values, Values, Values], Values]


OBJECTIVES = {
    "time": Objective("time to the target", "s", lambda K, t, B: K * t),
    "compute": Objective("rows processed until the target", "rows", lambda K, t, B: K * B),
    "throughput": Objective("seconds per row, whatever is learnt from it", "s/row", lambda K, t, B: t / B),
    "steps": Objective("steps to the target", "steps", lambda K, t, B: K),
    "memory": Objective("time to the target within the memory allowed", "s", lambda K, t, B: K * t),
}
"""All but ``blend``, which takes a weight."""
NAMES = ("time", "compute", "throughput", "steps", "memory", "blend")
NEEDS_NO_STEPS = "throughput"


def objective_of(name: str, weight: float) -> Objective:
    """Return an objective by name.

    Parameters
    ----------
    weight
        Weight of time in ``blend``: ``w T / T* + (1 - w) C / C*``, with the least time T* and the least number of rows
        C* among the same batch sizes (after the knob of Zeus, You et al., NSDI 2023).

    Raises
    ------
    InputError
        If there is no objective of that name.
    """
    if name not in NAMES:
        raise unknown("objective", name, NAMES)
    if name != "blend":
        return OBJECTIVES[name]

    def blend(K: Values, t: Values, B: Values) -> Values:
        time, compute = K * t, K * B
        least = time.min(axis=-1, keepdims=True), compute.min(axis=-1, keepdims=True)
        return np.asarray(weight * time / least[0] + (1 - weight) * compute / least[1])

    return Objective(f"{100 * weight:.3g} % relative time and {100 * (1 - weight):.3g} % relative rows", "", blend)


def training_bytes(network: Network, batch_size: int, dtype: npt.DTypeLike) -> int:
    """Bytes that a step needs at least: the batch, outputs and errors of every layer, parameters and gradient."""
    rows = batch_size * (network.sizes[0] + network.sizes[-1] + 2 * sum(network.sizes[1:]))
    return int((rows + 2 * network.n_parameters) * np.dtype(dtype).itemsize)
