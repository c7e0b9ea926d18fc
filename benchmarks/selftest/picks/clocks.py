"""Synthetic clocks: seconds per step by formula, so that the best batch size is known and every pick can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gdbench.pick.seconds.times import Knee, TimeModel, Times, TimesRow

ROW_SECONDS = 1e-7
HALF_THROUGHPUTS = (1, 4, 16, 64, 256, 1024)
VARIANT = "synthetic"


@dataclass(frozen=True)
class Clock:
    """``t(B) = fixed + per_row B``, and from ``knee`` rows on another slope, after a jump."""

    name: str
    fixed: float
    """Seconds of a step with no rows."""
    per_row: float
    """Seconds."""
    knee: int | None = None
    per_row_beyond: float = 0.0
    """Seconds of each row beyond the knee."""
    jump: float = 0.0
    """Seconds added from the knee on; negative where more threads set in."""

    def seconds(self, batch_size: float) -> float:
        """Seconds of one step."""
        if self.knee is None or batch_size < self.knee:
            return self.fixed + self.per_row * batch_size
        beyond = self.per_row_beyond * (batch_size - self.knee)
        return self.fixed + self.per_row * self.knee + self.jump + beyond

    def times(self, candidates: Iterable[int]) -> Times:
        """What ``measure_step_time`` would answer if it measured without error."""
        rows = []
        for size in sorted(candidates):
            seconds = self.seconds(size)
            rows.append(TimesRow(size, VARIANT, seconds, seconds, seconds, samples=1))
        knees = () if self.knee is None else (Knee(self.knee, self.per_row_beyond - self.per_row),)
        model = TimeModel(self.fixed, self.per_row, knees, self.fixed / self.per_row, error=0.0)
        return Times(VARIANT, "", "float64", 1, tuple(rows), model, processes=1, drift=0.0)


def line(half: int) -> Clock:
    """Return a clock that reaches half of its top speed at this batch size."""
    return Clock(f"half-{half}", half * ROW_SECONDS, ROW_SECONDS)


CACHE_KNEE = Clock("cache-knee", 16 * ROW_SECONDS, ROW_SECONDS, knee=128, per_row_beyond=1.6 * ROW_SECONDS)
"""A row takes 1.6 times as long once the batch has left the cache."""
THREAD_KNEE = Clock(
    "thread-knee", 64 * ROW_SECONDS, ROW_SECONDS, knee=512, per_row_beyond=ROW_SECONDS / 1.8, jump=-196 * ROW_SECONDS
)
"""At 512 rows a second thread sets in: 32 rows' worth of overhead, and 1.8 times the speed."""

CLOCKS: dict[str, Clock] = {clock.name: clock for clock in (*map(line, HALF_THROUGHPUTS), CACHE_KNEE, THREAD_KNEE)}
