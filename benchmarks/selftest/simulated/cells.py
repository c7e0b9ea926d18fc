"""One batch size of a problem: its best learning rate, the steps there, and the steps at rates about it.

The best rate is found with few runs, in steps of half, a quarter and an eighth of an octave, and then with all runs in
steps of an eighth: finer ones where that is not fine enough, since steps rise steeply where descent becomes unstable.
Where all runs are not enough to tell the steps to 1 %, there are more.
Rates farther away have fewer runs, and their steps are those relative to the best rate in the same runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from selftest.simulated.crossings import crossings, is_bracketed, redrawn, spread, vertex
from selftest.simulated.descent import Descent, Steps
from selftest.simulated.losses import Goal
from selftest.simulated.problems import Values

OCTAVE = 64
"""Rates of the grid in a factor of 2."""
LOCATING, FINE = (32, 16, 8), 8
"""Steps on the grid, of few runs and of all runs."""
SCAN = tuple(range(-128, 65, 32))
"""Where the best rate is looked for at first, from the best one of a neighbouring batch size."""
NEAR = 1.01
"""Neighbours of the best rate are near enough if they take at most so many times the steps."""
AWAY = (-128, -88, -56, -32, -16, 16, 32, 64)
"""Where else steps are stored, from the best rate: a quarter of it to twice as high, with fewer runs."""
RUNS, MIN_RUNS, PILOT_RUNS, AWAY_SHARE = 2000, 400, 60, 0.2
UNSURE, MORE = 0.01, 8
"""Standard error of log(steps) of all runs beyond which they are made so many times as many: where the end of a pass is
near the goal, 2,000 runs tell one pass or the next by chance, and the best of several rates the luckiest of them."""
ROW_SECONDS, PARAMETER_SECONDS, LOOKS = 8e-8, 6e-10, 4
"""Nominal time of a row in an update, and more for each parameter; what looks cost, in passes over the rows.

They decide numbers of runs, which must not depend on the machine."""
RATE_SECONDS = 1.5
"""Nominal time that the runs of one rate may take, beyond which they are fewer than RUNS."""
WIDE, PATIENCE = 2.0, 6.0
"""Factor on either side of a guess that few runs look at; times the fewest steps, at which a rate is given up."""
EACH, PARTS = 30, 8
"""Most steps between the first look and the last of which each one is looked at; else looks divide them so, evenly in
their logarithm."""
FIRST_STEPS, FIRST_PATIENCE = 50.0, 20.0
"""A guess for the largest batch, and the patience with it."""


@dataclass(frozen=True)
class Rate:
    """Steps of one learning rate: a real number, infinite if the loss is not reached within several times the best."""

    learning_rate: float
    steps: float
    log_error: float
    """Standard error of log(steps)."""
    runs: int


@dataclass(frozen=True)
class Cell:
    """A batch size at its best learning rate."""

    batch_size: int
    learning_rate: float
    steps: float
    log_error: float
    runs: int
    rates: tuple[Rate, ...]
    """Ascending."""


@dataclass(frozen=True)
class _Measured:
    steps: float
    drawn: Values
    """Steps when runs are drawn again, (D,)."""
    runs: int


LOST = _Measured(math.inf, np.array([math.inf]), 0)


@dataclass
class _Search:
    """The runs of a batch size so far, by place on the grid of rates."""

    descent: Descent
    goal: Goal
    guess: float
    """Steps at the best rate of a neighbouring batch size."""
    patience: float
    pilots: dict[int, _Measured] = field(default_factory=dict)
    full: dict[int, _Measured] = field(default_factory=dict)

    def pilot(self, place: int) -> float:
        """Steps of few runs."""
        if place not in self.pilots:
            known = {other: one.steps for other, one in self.pilots.items() if math.isfinite(one.steps)}
            if any(min(known, default=place) < other < place for other in self.pilots.keys() - known.keys()):
                self.pilots[place] = LOST  # as a lower rate is, which is above one that gets there
                return math.inf
            nearest = min(known, key=lambda other: abs(other - place), default=None)
            guess = self.guess if nearest is None else known[nearest] * max(1.0, rate_at(nearest) / rate_at(place))
            most = PATIENCE * min(known.values()) if known else self.patience * self.guess
            found = self._measure({place: (guess, WIDE)}, PILOT_RUNS, most)
            self.pilots[place] = found[place]
        return self.pilots[place].steps

    def fully(self, place: int) -> float:
        """Steps of all runs."""
        if place not in self.full:
            self.full |= self.several([place], self.runs)
            if _error(self.full[place].drawn) > UNSURE and math.isfinite(self.full[place].steps):
                self.full |= self.several([place], MORE * self.runs)
        return self.full[place].steps

    def several(self, places: Iterable[int], runs: int) -> dict[int, _Measured]:
        """Steps of so many runs, the same at all rates, where few runs got there at all."""
        windows = {}
        for place in places:
            steps = self.pilot(place)
            if math.isfinite(steps):
                windows[place] = (steps, math.exp(max(0.06, 4 * spread(self.pilots[place].drawn))))
        lost = {place: self.pilots[place] for place in places if place not in windows}
        most = 2 * PATIENCE * min(one.steps for one in self.pilots.values())
        return lost | self._measure(windows, runs, most)

    @cached_property
    def runs(self) -> int:
        """All runs: fewer than RUNS where they would take too long, by nominal times; one where all are the same."""
        problem = self.descent.problem
        if problem.is_certain(self.descent.batch_size):
            return 1
        least = min(one.steps for one in self.pilots.values())
        row = ROW_SECONDS + PARAMETER_SECONDS * problem.network.n_parameters
        rows = least * self.descent.batch_size + LOOKS * problem.n_rows
        return int(np.clip(RATE_SECONDS / (rows * row), MIN_RUNS, RUNS))

    def _measure(self, windows: dict[int, tuple[float, float]], runs: int, most: float) -> dict[int, _Measured]:
        """Run at some rates; each has a guess of its steps and the factor on either side of it to look at."""
        if self.descent.problem.is_certain(self.descent.batch_size):
            runs = 1
        ends = {place: (guess / width, guess * width) for place, (guess, width) in windows.items()}
        found: dict[int, _Measured] = {}
        while ends:
            looks = {rate_at(place): looks_between(*end) for place, end in ends.items()}
            losses = self.descent.losses(looks, range(runs))
            following = {}
            for place, (low, high) in ends.items():
                steps, own = looks[rate_at(place)], losses[rate_at(place)]
                if is_bracketed(own, self.goal):
                    found[place] = self._crossed(steps, own)
                elif own.mean(axis=0)[0] <= self.goal.target:
                    following[place] = (low / WIDE, high)
                elif high < most and math.isfinite(own[:, -1].mean()):
                    following[place] = (low, high * WIDE)
                else:
                    found[place] = _Measured(math.inf, np.array([math.inf]), runs)
            ends = following
        return found

    def _crossed(self, steps: Steps, losses: Values) -> _Measured:
        runs = len(losses)
        mean = float(crossings(steps, losses.mean(axis=0)[None], self.goal)[0])
        weights = redrawn(runs, self.descent.seed)
        drawn = crossings(steps, weights @ losses, self.goal) if runs > 1 else np.array([mean])
        return _Measured(mean, drawn, runs)


def find_cell(descent: Descent, goal: Goal, *, rate: float, steps: float | None = None) -> Cell:
    """Find the best learning rate of a batch size, near a rate that was best elsewhere, and the steps there."""
    search = _Search(descent, goal, steps or FIRST_STEPS, PATIENCE if steps else FIRST_PATIENCE)
    near = round(OCTAVE * math.log2(rate))
    best = min((near + away for away in SCAN), key=search.pilot)
    if not math.isfinite(search.pilot(best)):
        best = min((near + 4 * away for away in SCAN), key=search.pilot)
    if not math.isfinite(search.pilot(best)):
        raise RuntimeError(f"no rate near {rate:g} reaches the loss at batch size {descent.batch_size}")
    for step in LOCATING:
        best = settle(best, step, search.pilot)
    while True:
        best, step = _settle_finely(search, best)
        few = search.several([best, *(best + away for away in AWAY)], max(1, round(AWAY_SHARE * search.runs)))
        least = min(few, key=lambda place: few[place].steps)
        if few[least].steps * NEAR >= few[best].steps or least in search.full:
            return _cell(search, few, best, step)
        best = least


def _settle_finely(search: _Search, best: int) -> tuple[int, int]:
    """Best place with all runs, and the distance of its neighbours."""
    step = FINE
    best = settle(best, step, search.fully)
    while step > 1 and max(search.fully(best - step), search.fully(best + step)) > NEAR * search.fully(best):
        step //= 2
        best = settle(best, step, search.fully)
    return best, step


def settle(best: int, step: int, steps_at: Callable[[int], float]) -> int:
    """Go to the lower neighbour until both are higher."""
    while True:
        least = min((best, best - step, best + step), key=steps_at)
        if least == best:
            return best
        best = least


def looks_between(low: float, high: float) -> Steps:
    """Steps at which losses are looked at, from one before the lower number to one after the higher."""
    first, last = max(0, math.floor(low)), math.ceil(high)
    if last - first <= EACH:
        return np.arange(first, last + 1)
    return np.unique(np.round(np.geomspace(first + 1, last + 1, PARTS + 1)).astype(np.int64) - 1)


def rate_at(place: int) -> float:
    """Learning rate of a place on the grid."""
    return 2.0 ** (place / OCTAVE)


def _cell(search: _Search, few: dict[int, _Measured], best: int, step: int) -> Cell:
    full, around = search.full, (best - step, best, best + step)
    rate, steps, drawn, runs = rate_at(best), full[best].steps, full[best].drawn, full[best].runs
    if all(math.isfinite(full[place].steps) for place in around):
        columns = np.array([np.append(full[place].steps, full[place].drawn) for place in around])
        rate, found = vertex([rate_at(place) for place in around], columns)
        steps, drawn = float(found[0]), found[1:]
    rates = {place: Rate(rate_at(place), one.steps, _error(one.drawn), one.runs) for place, one in full.items()}
    for place, one in few.items():
        if place not in full:
            # the same runs at both rates: their ratio is better known than either
            ratio, error = full[best].steps / few[best].steps, _error(one.drawn / few[best].drawn)
            rates[place] = Rate(rate_at(place), one.steps * ratio, math.hypot(error, rates[best].log_error), one.runs)
    return Cell(search.descent.batch_size, rate, steps, _error(drawn), runs, tuple(rates[p] for p in sorted(rates)))


def _error(drawn: Values) -> float:
    return spread(drawn) if np.isfinite(drawn).all() else math.inf
