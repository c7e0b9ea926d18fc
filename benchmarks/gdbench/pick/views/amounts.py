"""Numbers of an answer as text: a unit always, and no more digits than their interval supports."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdbench.basics.units import digits, percent

SCALES = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
MAX_SECONDS = 120.0
"""Times are written in seconds up to here, then in minutes, and in hours from 120 minutes on."""
WIDE = 3.0
"""Ratio of the ends of an interval from which each end is written by itself."""

MIN_PLAIN, MAX_PLAIN = 1e-5, 1e6
"""Learning rates that are written without an exponent."""
HOPELESS = 1000.0
"""An end of an interval that is farther than this factor from the middle is not told."""


def number(value: float, count: int = 2) -> str:
    """Write a number with so many digits, without an exponent: ``0.31``, ``4.0``, ``12,000``."""
    rounded = float(f"{value:.{count}g}")
    if rounded == 0:
        return "0"
    return f"{rounded:,.{max(0, count - 1 - math.floor(math.log10(abs(rounded))))}f}"


def share(fraction: float) -> str:
    """Write a relative size with two digits: ``3.9 %``, ``12 %``; small ones as ``0.4 %`` or ``less than 0.1 %``."""
    if fraction < 0.0005:
        return "less than 0.1 %"
    return percent(fraction, 2) if fraction >= 0.00995 else f"{100 * fraction:.1f} %"


def seconds(value: float, low: float | None = None, high: float | None = None) -> str:
    """Write a time to the digits that its interval supports, such as ``65 ms``."""
    scale, unit = _scale(value)
    return f"{_rounded(value / scale, _places(value, low, high, scale))} {unit}"


def seconds_interval(value: float, low: float, high: float) -> str:
    """Write the ends of the interval of a time, in its unit: ``62 to 68 ms``."""
    if low <= 0 or high / low > WIDE:
        least, most = value / HOPELESS, value * HOPELESS
        first = f"less than {seconds(least)}" if low < least else seconds(low)
        return f"{first} to {f'more than {seconds(most)}' if high > most else seconds(high)}"
    scale, unit = _scale(value)
    places = _places(value, low, high, scale)
    return f"{_rounded(low / scale, places)} to {_rounded(high / scale, places)} {unit}"


def rate_text(rate: float) -> str:
    """Write a learning rate with three digits, tiny and huge ones with an exponent: ``0.310``, ``4.14e-17``."""
    return digits(rate) if MIN_PLAIN <= rate < MAX_PLAIN else f"{rate:.3g}"


def rows(count: float) -> str:
    """Write a number of rows: whole ones as they are, estimates with two digits."""
    text = str(count) if isinstance(count, int) else number(count)
    return f"{text} row{'' if text == '1' else 's'}"


def sentence(text: str) -> str:
    """Write a text on one line, with a capital and a period."""
    text = " ".join(text.split()).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def listed(words: Sequence[str]) -> str:
    """Join words: ``1, 2 and 4``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _scale(value: float) -> tuple[float, str]:
    """Return unit in seconds and its name."""
    if value >= 60 * MAX_SECONDS:
        return SCALES[0]
    if value >= MAX_SECONDS:
        return SCALES[1]
    return next((entry for entry in SCALES[2:] if value >= 0.9995 * entry[0]), SCALES[-1])


def _places(value: float, low: float | None, high: float | None, scale: float) -> int | None:
    """Decimals that the half-width supports, for two or three digits; None for two digits of any number.

    Down to the half-width's first digit, or its second if that is 1. Negative for tens and hundreds.
    """
    if low is None or high is None or low <= 0 or high / low > WIDE or value <= 0:
        return None
    finest = 2 - math.floor(math.log10(value / scale))
    half = (high - low) / 2 / scale
    places = finest if half <= 0 else min(finest, -math.floor(math.log10(half / 2)))
    return max(places, finest - 1)


def _rounded(value: float, places: int | None) -> str:
    return number(value) if places is None else f"{round(value, places):,.{max(places, 0)}f}"
