"""A series as one line of text."""

from __future__ import annotations

import numpy as np

from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import middle, scaled

BARS = "▁▂▃▄▅▆▇█"
GAP = " "
WIDTH = 24


def spark(values: Series, width: int = WIDTH) -> str:
    """Draw a series with gaps: a bar for the median of each of at most ``width`` parts, on the scale of the series."""
    parts = np.array_split(scaled(values), min(width, len(values)))
    heights = np.array([middle(part) for part in parts])
    if not np.isfinite(heights).any():
        return GAP * len(parts)
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((height - low) * scale)] if np.isfinite(height) else GAP for height in heights)
