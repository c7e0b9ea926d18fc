"""How precise the location of each case is: blocks resemble each other in time, and share builds.

The blocks of a stage are spread over fresh builds of both sides in runs of equal length, so that the means of these
runs differ by noise, by what drifts, and by the bias of the builds. Their variance over runs is therefore the variance
that counts; what blocks tell within runs steadies it, as far as the cases of a run agree that builds make no more
difference than blocks do (an empirical Bayes estimate: Smyth 2004, Statistical Applications in Genetics 3(1)). What
autocorrelation between runs hides of the variance of their mean is added, from an estimate over all cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from gdbench.compare.judge.location import Floats, mean_of, pseudo_values, variance_of

MIN_POOLED = 8
"""Cases from which on what they have in common steadies the variance of each."""
GRID = np.linspace(0.0, 0.9, 31)
"""Autocorrelations among which the observed one is found."""
SIMULATED_SERIES = 4000
INDEPENDENT_CASES = 5
"""Cases without autocorrelation that are taken to be there besides: few blocks of few cases say little of it."""
MAX_PRIOR_DOF = 200.0
MIN_BLOCKS = 6
"""Fewer of them prove nothing."""
BUILDS_SHARE = 0.9
"""Largest part of a screen's variance that is put down to its builds."""


@dataclass(frozen=True)
class Precision:
    """Location of each case with its variance; NaN where there is none."""

    centre: Floats
    variance: Floats
    """It is that of the centre, by noise and by builds."""
    dof: Floats
    """Degrees of freedom of the variance."""
    blocks: Floats
    pair_sd: Floats
    """Spread of the log-ratios over blocks."""
    excess: float
    """Variance between runs of blocks of one build over that within them: 1 where builds make no difference, NaN where
    each run is a single block, so that nobody knows."""
    autocorrelation: float


def layout_of(index: int, blocks: int, layouts: int) -> int:
    """Number of the build on which block ``index`` of so many is measured: runs of equal length, in turn."""
    return index * min(layouts, blocks) // blocks if layouts > 1 else 0


def precision(d: Floats, layouts: int, *, autocorrelation: float | None = None) -> Precision:
    """Return the location of each column of d (blocks, cases) and how precise it is.

    Parameters
    ----------
    d : array (blocks, cases)
        Log-ratios in order of measuring, NaN where a block was lost.
    layouts : int
        Fresh builds over which the blocks are spread.
    autocorrelation : float, optional
        That of neighbouring runs, if it is known from more cases than these.
    """
    n, cases = d.shape
    z = pseudo_values(d) if n else d
    nothing = np.full(cases, np.nan)
    if n < 2:
        return Precision(
            nothing, nothing, nothing, np.sum(~np.isnan(d), axis=0), nothing, math.nan, autocorrelation or 0.0
        )
    runs = [layout_of(i, n, layouts) for i in range(n)] if layouts > 1 else list(range(n))
    units, within, within_dof = _by_run(z, np.array(runs))
    phi = common_autocorrelation(units) if autocorrelation is None else autocorrelation
    blocks = np.sum(~np.isnan(d), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance, dof = _between(units, phi)
        excess = 1.0 if layouts == 1 else math.nan
        if np.any(within_dof > 0):
            variance, dof, excess = _moderated(variance, dof, within, within_dof, blocks)
        sd = np.sqrt(np.where(within_dof > 0, within, variance_of(z)))
    return Precision(mean_of(z), variance, dof, blocks, sd, excess, phi)


def both_stages(screen: Precision, confirm: Precision) -> tuple[Floats, Floats]:
    """Return location and variance of each case by all blocks that it has.

    A confirmation alone would not do for what cases spread: those that have one were chosen by their screen, and those
    without lie near 1. Both stages use the same builds, so only what is not of builds differs between them; where a
    confirmation does not tell how much that is, the screen alone counts.
    """
    told = np.isfinite(confirm.variance) & (confirm.blocks >= MIN_BLOCKS) & math.isfinite(confirm.excess)
    of_builds = np.minimum((1 - 1 / max(1.0, confirm.excess)) * confirm.variance, BUILDS_SHARE * screen.variance)
    early, late = screen.variance - of_builds, confirm.variance - of_builds
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (screen.centre * late + confirm.centre * early) / (early + late)
        variance = of_builds + early * late / (early + late)
    both = told & np.isfinite(centre)
    one = np.where(told & ~(screen.variance > 0), confirm.centre, screen.centre)
    of_one = np.where(told & ~(screen.variance > 0), confirm.variance, screen.variance)
    return np.where(both, centre, one), np.where(both, variance, of_one)


def _by_run(z: Floats, runs: np.ndarray) -> tuple[Floats, Floats, Floats]:
    """Return the mean of each run (runs, cases), and the variance within runs with its degrees of freedom."""
    parts = [z[runs == run] for run in np.unique(runs)]
    sizes = np.array([np.sum(~np.isnan(part), axis=0) for part in parts], float)
    with np.errstate(invalid="ignore", divide="ignore"):
        units = np.array([mean_of(part) for part in parts])
        squares = sum(np.nansum((part - unit) ** 2, axis=0) for part, unit in zip(parts, units, strict=True))
        dof = np.sum(np.maximum(sizes - 1, 0), axis=0)
        return units, squares / dof, dof


def _between(units: Floats, phi: float) -> tuple[Floats, Floats]:
    """Return the variance of the mean of the runs of each case, and its degrees of freedom."""
    counts = np.sum(~np.isnan(units), axis=0)
    variance, dof = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    for k in np.unique(counts[counts > 1]):
        chosen = counts == k
        factor, dof[chosen] = _inflation(int(k), round(phi, 4))
        variance[chosen] = factor * variance_of(units[:, chosen]) / k
    return variance, dof


@cache
def _inflation(k: int, phi: float) -> tuple[float, float]:
    """Return true over apparent variance of a mean of k values of an AR(1) process, and the dof of the apparent one."""
    correlation = phi ** np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    centring = np.eye(k) - 1 / k
    seen = centring @ correlation @ centring
    return float(correlation.mean() * (k - 1) * k / np.trace(seen)), float(np.trace(seen) ** 2 / np.sum(seen**2))


def common_autocorrelation(units: Floats) -> float:
    """Return the autocorrelation of neighbouring runs that the cases of units (runs, cases) have in common.

    The observed one of so few values is too small even where there is none; the true one is that which makes it
    expected. Below 0 is taken for 0.
    """
    there = units[np.any(np.isfinite(units), axis=1)]  # a confirmation that was ended has runs without any block
    whole = there[:, np.all(np.isfinite(there), axis=0)]
    k = len(whole)
    if k < 4 or not whole.shape[1]:
        return 0.0
    expected, cases = _expected(k), whole.shape[1]
    observed = expected[0] + (_observed(whole) - expected[0]) * cases / (cases + INDEPENDENT_CASES)
    return float(np.interp(observed, expected, GRID))


@cache
def _expected(k: int) -> Floats:
    """Return the observed autocorrelation of k values that each of ``GRID`` makes expected, from simulated series."""
    noise = np.random.default_rng(k).standard_normal((k, SIMULATED_SERIES))
    found = []
    for phi in GRID:
        values = noise.copy()
        for i in range(1, k):
            values[i] = phi * values[i - 1] + np.sqrt(1 - phi**2) * noise[i]
        found.append(_observed(values))
    return np.maximum.accumulate(found)


def _observed(units: Floats) -> float:
    """Return the mean over cases of the first autocorrelation of units (runs, cases), whose mean is their own."""
    rest = units - units.mean(axis=0)
    squares = np.sum(rest**2, axis=0)
    varied = squares > 0
    if not np.any(varied):
        return 0.0
    return float(np.mean(np.sum(rest[1:] * rest[:-1], axis=0)[varied] / squares[varied]))


def _moderated(
    variance: Floats, dof: Floats, within: Floats, within_dof: Floats, blocks: Floats
) -> tuple[Floats, Floats, float]:
    """Return variances of the mean that lean on what cases have in common: variance between runs over that within."""
    apparent = within / blocks
    ratio = variance / apparent
    usable = np.isfinite(ratio) & (ratio > 0) & (within_dof > 1) & (dof > 1)
    if np.sum(usable) < MIN_POOLED:
        return variance, dof, float(np.median(ratio[usable])) if np.any(usable) else math.nan
    d1, d2 = dof[usable], within_dof[usable]
    logs = np.log(ratio[usable])
    logs -= special.digamma(d1 / 2) - np.log(d1 / 2) - special.digamma(d2 / 2) + np.log(d2 / 2)
    noise = float(np.mean(special.polygamma(1, d1 / 2) + special.polygamma(1, d2 / 2)))
    extra = float(np.var(logs, ddof=1)) - noise
    prior_dof = min(MAX_PRIOR_DOF, 2 * _inverse_trigamma(extra)) if extra > 0 else MAX_PRIOR_DOF
    prior = float(np.exp(np.mean(logs) + special.digamma(prior_dof / 2) - np.log(prior_dof / 2)))
    shares = prior_dof * prior * apparent, dof * variance
    total = sum(shares)
    found = total / (prior_dof + dof)
    found_dof = total**2 / (shares[0] ** 2 / within_dof + shares[1] ** 2 / dof)
    keep = within_dof > 1
    return np.where(keep, found, variance), np.where(keep, found_dof, dof), prior


def _inverse_trigamma(value: float) -> float:
    """Return x whose trigamma is ``value``, by Newton's method (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:
            break
    return x
