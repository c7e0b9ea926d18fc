"""Problems whose expected loss is known in closed form: a pick can be judged on them without sampling error.

Three kinds, all descended at a constant rate, all monitored by their excess loss (the least there is is 0):

* ``Quadratic``: the noisy quadratic model (Zhang et al. 2019, arXiv 1907.04164);
* ``Gaussian``: least squares on endless fresh Gaussian rows, the noise of the gradient shrinks with the error;
* ``Rows``: least squares on a finite design matrix, each batch a uniform subset without replacement.

They implement the protocol that ``measure_steps`` asks of a problem; ``exact`` has their expected losses.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps.problem import Runs
from selftest.picks.loops import Values, drawn_rows_steps, quadratic_steps, rest_steps, subset_steps, subsets

Batches = tuple[npt.NDArray[Any], ...]
"""What was drawn for some steps: arrays (T, ...) of a run, (S, T, ...) of several."""
FIRST_STEPS, DRAWS_AT_ONCE = 16, 8192
"""Steps that a run draws for at first, and numbers that it draws at a time later on, each time twice as many until
then. Must not depend on the seeds drawn beside it, or results would."""
NULL = 1e-10
"""Eigenvalues below this share of the largest are those of directions that the rows do not have."""


class _Problem:
    """What is the same for all of them: every row is monitored, and all runs start from the same parameters."""

    floor = 0.0
    alike = True
    pass_rows = math.inf
    row_seconds = 1e-7
    sampled_rows = None

    def begin(self: Oracle, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> Runs:
        """Begin the runs with these numbers; they go on in lockstep."""
        return _Lockstep(self, batch_size, learning_rate, seeds)

    def start_loss(self: Oracle) -> float:
        """Excess loss before the first step."""
        return float(self.losses(self.start(0)[None])[0])


@dataclass(frozen=True, eq=False)
class Quadratic(_Problem):
    """Loss ``1/2 Σ h_i θ_i²``; gradient ``h θ + sqrt(c / B) ξ`` with standard normal ξ."""

    h: Values
    """(p,) curvatures, positive."""
    c: Values
    """(p,) variances of the gradient of one row."""
    first: Values
    """(p,) start of every run."""
    entropy: int
    n_rows: int | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key("quadratic", self.entropy, self.h, self.c, self.first))

    def start(self, seed: int) -> Values:
        """Start of a run, the same for all."""
        return self.first.copy()

    def numbers(self, batch_size: int) -> int:
        """Numbers that are drawn for a step."""
        return len(self.h)

    def draw(self, rng: np.random.Generator, batch_size: int, steps: int) -> Batches:
        """Draw the noise (T, p) of mean gradients."""
        return (rng.standard_normal((steps, len(self.h))) * np.sqrt(self.c / batch_size),)

    def descend(self, thetas: Values, batches: Batches, steps: range, rate: float, batch_size: int) -> None:
        """Make some of the steps that were drawn for, from thetas (S, p), in place."""
        quadratic_steps(thetas, *batches, steps.start, steps.stop, rate, self.h)

    def losses(self, thetas: Values) -> Values:
        """(S,) excess losses."""
        return _excess(thetas * np.sqrt(self.h))

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows, the same everywhere, and |G|² at theta (p,)."""
        return float(self.c.sum()), float(np.square(self.h * theta).sum())

    def stable_rate(self, batch_size: float) -> float:
        """Largest stable rate, at any batch size."""
        return 2 / float(self.h.max())


@dataclass(frozen=True, eq=False)
class Gaussian(_Problem):
    """Least squares on fresh rows ``x ~ N(0, diag h)``, ``y = x w* + σ ξ``; start at 0."""

    h: Values
    """(p,) variances of the columns, positive."""
    optimum: Values
    """(p,) w*."""
    label_variance: float
    """σ²."""
    entropy: int
    n_rows: int | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        name = f"gaussian {self.label_variance!r}"
        object.__setattr__(self, "key", _key(name, self.entropy, self.h, self.optimum))

    def start(self, seed: int) -> Values:
        """Start of a run, the same for all."""
        return np.zeros(len(self.h))

    def numbers(self, batch_size: int) -> int:
        """Numbers that are drawn for a step."""
        return min(batch_size, len(self.h)) * (len(self.h) + 1)

    def draw(self, rng: np.random.Generator, batch_size: int, steps: int) -> Batches:
        """Draw rows (T, r, p), divided by sqrt(B), and their label noise (T, r).

        The gradient needs only ``XᵀX`` and ``Xᵀe``. Beyond p rows these are drawn as ``RᵀR`` and ``Rᵀe`` from a
        triangular R of p rows (Bartlett's decomposition of the Wishart distribution): the same distribution, and a
        batch of 4096 costs no more than one of p.
        """
        p = len(self.h)
        rows = min(batch_size, p)
        noise = rng.standard_normal((steps, rows)) * np.sqrt(self.label_variance / batch_size)
        if batch_size <= p:
            R = rng.standard_normal((steps, rows, p))
        else:
            R, (above, right), diagonal = np.zeros((steps, p, p)), np.triu_indices(p, 1), np.arange(p)
            R[:, above, right] = rng.standard_normal((steps, len(above)))
            R[:, diagonal, diagonal] = np.sqrt(rng.chisquare(batch_size - diagonal, (steps, p)))
        return R * np.sqrt(self.h / batch_size), noise

    def descend(self, thetas: Values, batches: Batches, steps: range, rate: float, batch_size: int) -> None:
        """Make some of the steps that were drawn for, from thetas (S, p), in place."""
        drawn_rows_steps(thetas, *batches, steps.start, steps.stop, rate, self.optimum)

    def losses(self, thetas: Values) -> Values:
        """(S,) excess losses ``1/2 Σ h_i (w_i - w*_i)²``, exact."""
        return _excess((thetas - self.optimum) * np.sqrt(self.h))

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows and |G|² of their mean, at theta (p,).

        ``Σ = H δ δᵀ H + (δᵀ H δ + σ²) H`` for Gaussian rows and ``δ = θ - w*``.
        """
        wrong = theta - self.optimum
        signal = float(np.square(self.h * wrong).sum())
        return signal + float((self.h @ wrong**2 + self.label_variance) * self.h.sum()), signal

    def stable_rate(self, batch_size: float) -> float:
        """A rate that is stable at the batch size, if not quite the largest: ``2B / (tr H + (B + 1) h_max)``."""
        return 2 * batch_size / float(self.h.sum() + (batch_size + 1) * self.h.max())


@dataclass(frozen=True, eq=False)
class Rows(_Problem):
    """Least squares ``1/(2N) Σ (x_i w - y_i)²`` on given rows; start at 0."""

    X: Values
    """(N, p), with a column of ones if there is to be a bias."""
    y: Values
    """(N,)"""
    entropy: int
    n_rows: int = field(init=False)
    key: str = field(init=False)
    H: Values = field(init=False)
    """(p, p) ``XᵀX / N``."""
    optimum: Values = field(init=False)
    """(p,) the least-squares solution of least norm."""
    root: Values = field(init=False)
    """(p, r) with ``root rootᵀ = H``; r is the rank of X."""

    def __post_init__(self) -> None:
        H = self.X.T @ self.X / len(self.X)
        values, vectors = np.linalg.eigh(H)
        keep = values > NULL * values[-1]
        root = vectors[:, keep] * np.sqrt(values[keep])
        optimum = vectors[:, keep] @ (vectors[:, keep].T @ (self.X.T @ self.y) / len(self.X) / values[keep])
        key = _key("rows, subsets without replacement", self.entropy, self.X, self.y)
        for name, value in {"n_rows": len(self.X), "key": key, "H": H, "optimum": optimum, "root": root}.items():
            object.__setattr__(self, name, value)

    def start(self, seed: int) -> Values:
        """Start of a run, the same for all."""
        return np.zeros(self.X.shape[1])

    def numbers(self, batch_size: int) -> int:
        """Numbers that are drawn for a step."""
        return min(batch_size, self.n_rows - batch_size)

    def draw(self, rng: np.random.Generator, batch_size: int, steps: int) -> Batches:
        """Draw which rows (T, m) are in a batch, or, if they are fewer, which are left out."""
        return (subsets(rng.random((steps, self.numbers(batch_size))), self.n_rows),)

    def descend(self, thetas: Values, batches: Batches, steps: range, rate: float, batch_size: int) -> None:
        """Make some of the steps that were drawn for, from thetas (S, p), in place."""
        data, between = (self.X, self.y), (steps.start, steps.stop)
        if 2 * batch_size > self.n_rows:
            rest_steps(thetas, *batches, *between, rate, *data, self.H, self.optimum)
        else:
            subset_steps(thetas, *batches, *between, rate, *data)

    def losses(self, thetas: Values) -> Values:
        """(S,) training losses above the least there is, exact."""
        return _excess((thetas - self.optimum) @ self.root)

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows and |G|² of their mean, at theta (p,)."""
        mean = self.H @ (theta - self.optimum)
        squares = np.square(self.X @ theta - self.y) * np.square(self.X).sum(axis=1)
        return float(squares.mean() - mean @ mean), float(mean @ mean)

    def stable_rate(self, batch_size: float) -> float:
        """A rate near the largest stable one, from expected smoothness (Gower et al. 2019, arXiv 1901.09401)."""
        n, largest, longest = self.n_rows, np.linalg.norm(self.root, 2) ** 2, np.square(self.X).sum(axis=1).max()
        return 2 * batch_size * (n - 1) / float(n * (batch_size - 1) * largest + (n - batch_size) * longest)


Oracle = Quadratic | Gaussian | Rows


class _Lockstep:
    """Runs (S) that advance together, each with randomness of the problem's entropy, the batch size and its number."""

    def __init__(self, oracle: Oracle, batch_size: int, rate: float, seeds: Sequence[int]) -> None:
        self.oracle, self.batch_size, self.rate = oracle, batch_size, rate
        self.thetas = np.stack([oracle.start(seed) for seed in seeds])
        keys = [np.random.SeedSequence(oracle.entropy, spawn_key=(batch_size, seed)) for seed in seeds]
        self.generators = [np.random.default_rng(key) for key in keys]
        self.batches: Batches = (np.empty((len(seeds), 0)),)
        self.used, self.following = 0, FIRST_STEPS
        self.most = max(DRAWS_AT_ONCE // max(oracle.numbers(batch_size), 1), 1)

    def advance(self, steps: int) -> None:
        while steps > 0:
            if self.used == self.batches[0].shape[1]:
                self._draw(min(self.following, self.most))
            some = range(self.used, min(self.used + steps, self.batches[0].shape[1]))
            self.oracle.descend(self.thetas, self.batches, some, self.rate, self.batch_size)
            self.used = some.stop
            steps -= len(some)

    def _draw(self, steps: int) -> None:
        drawn = (self.oracle.draw(rng, self.batch_size, steps) for rng in self.generators)
        self.batches = tuple(np.stack(part) for part in zip(*drawn, strict=True))
        self.used, self.following = 0, 2 * steps

    def losses(self) -> Values:
        return self.oracle.losses(self.thetas)

    def all_losses(self) -> Values:
        return self.losses()


def _key(name: str, entropy: int, *arrays: Values) -> str:
    digest = hashlib.sha256(f"{name} {entropy}".encode())
    for values in arrays:
        digest.update(f"{values.shape}".encode() + np.ascontiguousarray(values, "<f8").tobytes())
    return digest.hexdigest()


def _excess(roots: Values) -> Values:
    """Half the sum of squares along the last axis; what overflows or is no number is infinite."""
    with np.errstate(all="ignore"):
        found = 0.5 * np.einsum("...p,...p->...", roots, roots)
    return np.where(np.isnan(found), np.inf, found)
