"""Numbers for people: three digits, one unit, no exponent."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbench.basics.units import digits, duration, interval, percent, seconds, times

SCALES = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.08e-6, "4.08 µs"),
        (40.8e-6, "40.8 µs"),
        (408e-6, "408 µs"),
        (1.0, "1.00 s"),
        (0.9999, "1.00 s"),
        (0.999, "999 ms"),
        (75.25, "75.2 s"),
        (1234.5, "1,234 s"),
        (2.5e-9, "2.50 ns"),
        (2.6e-11, "0.0260 ns"),
        (0.0, "0.00 ns"),
        (-2e-3, "-2.00 ms"),
        (math.nan, "-"),
        (math.inf, "-"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@given(st.floats(1e-9, 1e4))
def test_seconds_keep_three_digits(value: float) -> None:
    number, unit = seconds(value).split()
    assert float(number.replace(",", "")) * SCALES[unit] == pytest.approx(value, rel=5.1e-3)
    assert unit == "s" or 1 <= float(number) < 1000
    assert len(number.replace(".", "")) >= 3


def test_an_interval_has_one_unit_that_of_its_upper_end() -> None:
    assert interval(3.91e-6, 4.3e-6) == "3.91 to 4.30 µs"
    assert interval(950e-6, 1.25e-3) == "0.950 to 1.25 ms"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "0.123"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (9.999, "10.0"),
        (0.00995, "0.00995"),
        (12345.6, "12,346"),
        (math.nan, "-"),
    ],
)
def test_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_a_share_is_written_in_per_cent() -> None:
    assert [percent(value) for value in (0.612, 1.3, 0.0, math.nan)] == ["61.2 %", "130 %", "0.00 %", "-"]
    assert [percent(value, 2) for value in (0.0399, 0.0996, 0.612, 2.5)] == ["4.0 %", "10 %", "61 %", "250 %"]


def test_a_relative_speed() -> None:
    assert [times(value) for value in (12.34, 1.0, math.nan, math.inf)] == ["12.3x", "1.00x", "-", "-"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (7_200, "2 h"),
        (200, "3 min 20 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_wait(value: float, text: str) -> None:
    assert duration(value) == text
