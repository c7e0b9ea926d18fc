"""A series as one line of text."""

from __future__ import annotations

import numpy as np

from gdbench.basics.units import bars
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import middle, scaled

WIDTH = 24


def spark(values: Series, width: int = WIDTH) -> str:
    """Draw a series with gaps: a bar for the median of each of at most ``width`` parts, on the scale of the series."""
    parts = np.array_split(scaled(values), min(width, len(values)))
    heights = np.array([middle(part) for part in parts])
    seen = heights[np.isfinite(heights)]
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 0.0)
    return bars((heights - low) / ((high - low) or 1.0))
