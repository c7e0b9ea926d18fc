"""How numbers are written for people: three digits, a unit, a direction in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

BARS = "▁▂▃▄▅▆▇█"
STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def seconds(value: float) -> str:
    """Write a time with three digits and its unit, such as ``4.08 µs``."""
    if not math.isfinite(value):
        return "-"
    scale, unit = next((step for step in STEPS if abs(value) >= 0.9995 * step[0]), STEPS[-1])
    return f"{digits(value / scale)} {unit}"


def interval(low: float, high: float) -> str:
    """Write two times with one unit, such as ``3.91 to 4.30 µs``."""
    scale, unit = next((step for step in STEPS if abs(high) >= 0.9995 * step[0]), STEPS[-1])
    return f"{digits(low / scale)} to {digits(high / scale)} {unit}"


def digits(value: float, count: int = 3) -> str:
    """Write a number with so many digits, more before the point if there are, and without an exponent."""
    if not math.isfinite(value):
        return "-"
    rounded = abs(float(f"{value:.{count}g}"))  # 9.999 is 10.0: two digits before the point
    places = count - 1 - math.floor(math.log10(rounded)) if rounded > 0 else count - 1
    return f"{value:,.{max(0, places)}f}"


def percent(fraction: float, count: int = 3) -> str:
    """Write a share with so many digits, such as ``61.2 %``; ``-`` when there is none."""
    return f"{digits(100 * fraction, count)} %" if math.isfinite(fraction) else "-"


def times(ratio: float) -> str:
    """Write a speed relative to another as ``12.3x``; ``-`` when there is none."""
    return f"{digits(ratio)}x" if math.isfinite(ratio) else "-"


def times_within(ratio: float, low: float, high: float) -> str:
    """Write a speed relative to another with its interval, such as ``1.53x (1.49 to 1.56x)``."""
    return f"{times(ratio)} ({digits(low)} to {times(high)})" if math.isfinite(low) else times(ratio)


def duration(value: float) -> str:
    """Write how long a person waits: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``1 min``."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _parts(*divmod(whole, 60), "min", "s")
    return _parts(*divmod(whole // 60, 60), "h", "min")


def _parts(large: int, small: int, unit: str, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"


def counted(count: int, noun: str) -> str:
    """Write a number of things: ``1 case``, ``2,000 cases``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def bars(heights: Iterable[float]) -> str:
    """Draw heights from 0 to 1 as a line of text; a gap where one is NaN.

    Examples
    --------
    >>> bars([0.0, math.nan, 0.5, 1.0])
    '▁ ▅█'
    """
    return "".join(BARS[round(height * (len(BARS) - 1))] if math.isfinite(height) else " " for height in heights)
