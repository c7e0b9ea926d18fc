"""Made histories of benchmarks with known steps, and how well detected steps match them.

Noise as on shared machines: autocorrelated over commits, with occasional slow outliers, and commits without a result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from asv.step_detect import detect_steps
from scipy import stats

SPIKES = 0.04
"""Share of results that something else slowed by 15 to 60 %."""


@dataclass(frozen=True)
class History:
    """A series over commits: seconds (NaN where a commit has no result) and the commits at which its level steps."""

    seconds: np.ndarray
    steps: tuple[int, ...]


def noise(rng: np.random.Generator, n: int, *, sd: float, autocorrelation: float) -> np.ndarray:
    """AR(1) noise of a marginal standard deviation on the log scale, with spikes upwards."""
    innovations = rng.normal(0, sd * np.sqrt(1 - autocorrelation**2), n)
    values = np.empty(n)
    last = rng.normal(0, sd)
    for i in range(n):
        last = autocorrelation * last + innovations[i]
        values[i] = last
    spiky = rng.random(n) < SPIKES
    return values + spiky * np.log1p(rng.uniform(0.15, 0.6, n))


def history(
    rng: np.random.Generator,
    *,
    n: int = 100,
    sd: float = 0.01,
    autocorrelation: float = 0.4,
    sizes: Sequence[float] = (),
    positions: Sequence[int] | None = None,
    missing: float = 0.0,
) -> History:
    """Make a series with a step of each relative size, at random commits unless their positions are given."""
    if positions is None:
        positions = place(rng, n, len(sizes))
    level = np.zeros(n)
    for position, size in zip(positions, sizes, strict=True):
        level[position:] += np.log1p(size)
    values = 1e-3 * np.exp(level + noise(rng, n, sd=sd, autocorrelation=autocorrelation))
    values[rng.random(n) < missing] = np.nan
    return History(values, tuple(positions))


def place(rng: np.random.Generator, n: int, count: int, *, margin: int = 10, apart: int = 10) -> list[int]:
    """Random commits for steps: off the ends, and apart from each other."""
    while True:
        found = sorted(int(position) for position in rng.integers(margin, n - margin, count))
        if all(b - a >= apart for a, b in pairwise(found)):
            return found


def matches(truth: Sequence[int], found: Sequence[int], *, tolerance: int) -> int:
    """Number of one-to-one pairs of a true and a found step at most ``tolerance`` commits apart; both in order."""
    pairs = [0] * (len(found) + 1)
    for true in truth:  # the longest common subsequence, since the order is kept in a best matching
        row = [0] * (len(found) + 1)
        for i, position in enumerate(found):
            row[i + 1] = max(row[i], pairs[i + 1], pairs[i] + (abs(true - position) <= tolerance))
        pairs = row
    return pairs[-1]


def f1(histories: Sequence[History], detect: Callable[[np.ndarray], Sequence[int]], *, tolerance: int = 3) -> float:
    """F1 score over series: the harmonic mean of precision and recall of their steps."""
    found = [detect(one.seconds) for one in histories]
    hits = sum(matches(one.steps, there, tolerance=tolerance) for one, there in zip(histories, found, strict=True))
    total = sum(len(one.steps) for one in histories) + sum(map(len, found))
    return 2 * hits / total if total else 1.0


def asv_steps(seconds: np.ndarray) -> list[int]:
    """Steps that asv's publish finds in a series of microseconds."""
    present = np.flatnonzero(np.isfinite(seconds))
    return [int(present[start]) for start, *_ in detect_steps((1e6 * seconds[present]).tolist())[1:]]


def otava_steps(seconds: np.ndarray, *, window: int = 50, p: float = 1e-3) -> list[int]:
    """Steps that Apache Otava 0.8 finds with its defaults, computed anew from its description (Fleming et al. 2023).

    Otava itself pins one version of NumPy and brings clients of databases, so that it cannot be installed beside us.
    """
    present = np.flatnonzero(np.isfinite(seconds))
    values = seconds[present]
    weak: list[int] = []
    start = 0
    while start < len(values):
        found = [start + point for point in _split(values[start : start + window], 10 * p)]
        weak += [point for point in found if point not in weak]
        start = max(found[-1] if found else 0, start + window // 2)
    return [int(present[point]) for point in _merge(values, sorted(weak), p)]


def _split(values: np.ndarray, p: float) -> list[int]:
    """Divide where the energy distance is greatest, as long as a t-test finds both parts different."""
    points: list[int] = []
    while True:
        parts = list(pairwise([0, *points, len(values)]))
        best = max((_furthest(values, *part) for part in parts), default=(-np.inf, 0, 0, 0))
        _, point, start, stop = best
        if not start < point < stop or _p_value(values[start:point], values[point:stop]) > p:
            return points
        points = sorted([*points, point])


def _furthest(values: np.ndarray, start: int, stop: int) -> tuple[float, int, int, int]:
    """Greatest energy distance between values before a point and those from it to any end (Matteson and James 2014)."""
    part = values[start:stop]
    if len(part) < 2:
        return -np.inf, 0, start, stop
    sums = np.zeros((len(part) + 1, len(part) + 1))
    sums[1:, 1:] = np.abs(part[:, None] - part).cumsum(0).cumsum(1)
    point, end = np.meshgrid(np.arange(1, len(part)), np.arange(2, len(part) + 1), indexing="ij")
    left, right = point.astype(float), np.maximum(end - point, 0).astype(float)
    cross = sums[point, end] - sums[point, point]
    inside_left = sums[point, point] / 2
    inside_right = (sums[end, end] - 2 * sums[point, end] + sums[point, point]) / 2
    distance = (
        2
        / (left + right)
        * (
            cross
            - right * inside_left / np.where(left > 1, left - 1, np.inf)
            - left * inside_right / np.where(right > 1, right - 1, np.inf)
        )
    )
    distance[right < 1] = -np.inf
    i, j = np.unravel_index(np.argmax(distance), distance.shape)
    return float(distance[i, j]), start + int(i) + 1, start, stop


def _p_value(left: np.ndarray, right: np.ndarray) -> float:
    if len(left) + len(right) <= 2:
        return 1.0
    sizes = (left.mean(), left.std(), len(left), right.mean(), right.std(), len(right))
    return float(stats.ttest_ind_from_stats(*sizes).pvalue)


def _merge(values: np.ndarray, points: list[int], p: float) -> list[int]:
    """Drop the point with the greatest p-value until all are small enough.

    As in Otava, only the two points after a dropped one are judged anew, not the one before it.
    """
    found = _p_values(values, points)
    while points:
        worst = int(np.argmax(found))
        if found[worst] < p:
            return points
        points = points[:worst] + points[worst + 1 :]
        new = _p_values(values, points)
        found = [*found[:worst], *new[worst : worst + 2], *found[worst + 3 :]]
    return points


def _p_values(values: np.ndarray, points: list[int]) -> list[float]:
    return [_p_value(left, right) for left, right in pairwise(np.split(values, points))]
