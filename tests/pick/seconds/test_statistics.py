"""Intervals over processes, and when samples are enough."""

import numpy as np
import pytest

from gdbench.pick.seconds.statistics import enough, precision, rows


def _samples(centre: float, *, spread: float, noise: float, processes: int, count: int) -> dict[int, list[float]]:
    rng = np.random.default_rng(0)
    own = centre * np.exp(spread * rng.normal(size=processes))
    return {number: list(own[number] * np.exp(noise * rng.normal(size=count))) for number in range(processes)}


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(200):
        own = {size: {number: [np.exp(0.05 * rng.normal())] for number in range(4)} for size in (1, 2, 4, 8)}
        held += [row.low <= 1.0 <= row.high for row in rows(own, dict.fromkeys(own, "any"))]
    assert 0.85 <= np.mean(held) <= 0.95


def test_a_single_process_is_not_taken_for_certain() -> None:
    (row,) = rows({8: {0: [1.0, 1.0, 1.0]}}, {8: "any"})
    assert row.low < 0.95 < 1.05 < row.high


def test_samples_are_enough_when_they_are_many_and_agree() -> None:
    assert enough(_samples(1.0, spread=0.2, noise=0.02, processes=4, count=8))
    assert not enough(_samples(1.0, spread=0.0, noise=0.02, processes=4, count=7))
    assert not enough(_samples(1.0, spread=0.0, noise=0.2, processes=4, count=8))
    few, many = (_samples(1.0, spread=0.0, noise=0.1, processes=4, count=count) for count in (50, 200))
    assert precision(few) == pytest.approx(2 * precision(many), rel=0.3)
