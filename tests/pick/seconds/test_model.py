"""The line through the seconds of all batch sizes, and where it bends."""

import math

import numpy as np
import pytest

from gdbench.pick.seconds.model import fit_time_model, predict
from kernels import InputError

POWERS = [2**exponent for exponent in range(12)]


CLOCKS = {
    "a line": lambda B, half: half + B,
    "a cache knee": lambda B, half: half + B + 1.0 * max(0, B - 512),
    "two knees": lambda B, half: half + B + 1.5 * max(0, B - 256) - 1.2 * max(0, B - 1024),
    "threads from 512 on": lambda B, half: half + (B if B < 512 else 0.6 * B),
}
CELLS = [(clock, half) for clock in CLOCKS for half in (1, 4, 16, 64, 256)][:-1]  # in the last, both lines have a claim


@pytest.mark.parametrize(("clock", "half"), CELLS)
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_model_finds_the_batch_size_of_half_the_speed(clock: str, half: int, noise: float) -> None:
    jitter = np.exp(noise * np.random.default_rng(half).normal(size=len(POWERS)))
    seconds = 1e-6 * np.array([CLOCKS[clock](B, half) for B in POWERS]) * jitter
    model = fit_time_model(POWERS, list(seconds))
    assert half / 1.5 <= model.half_throughput <= 1.5 * half
    assert model.error <= 0.1
    for B, true in zip(POWERS, seconds, strict=True):
        assert predict(model, B, measured=(1, 2048)) == pytest.approx(true, rel=0.2)


def test_an_exact_line_has_no_knees_and_an_exact_knee_is_found() -> None:
    line = fit_time_model(POWERS[::-1], [3e-6 + 2e-7 * B for B in POWERS[::-1]])
    assert line.knees == ()
    assert (line.fixed, line.per_row) == (pytest.approx(3e-6), pytest.approx(2e-7))
    assert line.half_throughput == pytest.approx(15)
    bent = fit_time_model(POWERS, [3e-6 + 2e-7 * B + 3e-7 * max(0, B - 128) for B in POWERS])
    (knee,) = bent.knees
    assert (knee.batch_size, knee.seconds_per_row) == (128, pytest.approx(3e-7))


def test_a_step_that_is_constant_up_to_some_size_reaches_half_the_speed_there() -> None:
    model = fit_time_model(POWERS, [max(32.0, B) for B in POWERS])
    assert 16 <= model.half_throughput <= 48
    late = fit_time_model(POWERS, [256 + B + 2 * max(0, B - 64) for B in POWERS])  # 256 of the first line is beyond it
    assert late.half_throughput == pytest.approx(64)
    assert fit_time_model([1, 2, 4], [5.0, 5.0, 5.0]).half_throughput == 4


def test_few_points_are_a_line_and_the_model_knows_its_range() -> None:
    two = fit_time_model([1, 10], [2.0, 11.0])
    assert (two.fixed, two.per_row, two.knees) == (pytest.approx(1), pytest.approx(1), ())
    assert predict(two, 5, measured=(1, 10)) == pytest.approx(6)
    assert fit_time_model([7], [2.0]).fixed == 2.0
    for outside in (0.5, 11):
        with pytest.raises(InputError, match="was measured from B = 1 to 10"):
            predict(two, outside, measured=(1, 10))
    for sizes, seconds in (([], []), ([1, 1], [1.0, 2.0]), ([1, 2], [1.0]), ([1, 2], [1.0, 0.0]), ([1], [math.nan])):
        with pytest.raises(InputError, match="a positive time"):
            fit_time_model(sizes, seconds)
