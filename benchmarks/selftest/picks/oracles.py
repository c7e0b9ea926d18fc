"""Problems whose expected loss is known in closed form: a pick can be judged on them without sampling error.

Three kinds, all descended at a constant rate, all monitored by their excess loss (the least there is is 0):

* ``Quadratic``: the noisy quadratic model (Zhang et al. 2019, arXiv 1907.04164);
* ``Gaussian``: least squares on endless fresh Gaussian rows, the noise of the gradient shrinks with the error;
* ``Rows``: least squares on a finite design matrix, each batch a uniform subset without replacement.

They implement the protocol that ``measure_steps`` asks of a problem; ``pick_exact`` has their expected losses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from selftest.picks.draws import Values, buffered, generators, steps_at_once, subsets

Batch = tuple[Values, Values]
NULL = 1e-10
"""Eigenvalues below this share of the largest are those of directions that the rows do not have."""


@dataclass(frozen=True, eq=False)
class Quadratic:
    """Loss ``1/2 Σ h_i θ_i²``; gradient ``h θ + sqrt(c / B) ξ`` with standard normal ξ."""

    h: Values
    """(p,) curvatures, positive."""
    c: Values
    """(p,) variances of the gradient of one row."""
    first: Values
    """(p,) start of every run."""
    entropy: int
    n_rows: int | None = None
    floor: float = 0.0
    step_rows: float = 0.0
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key("quadratic", self.entropy, self.h, self.c, self.first))

    def start(self, seed: int) -> Values:
        """Start of a run, the same for all."""
        return self.first.copy()

    def sampler(self, batch_size: int, seeds: Sequence[int]) -> Callable[[], Values]:
        """Draw the (S, p) noise of a mean gradient, again at every call."""
        scale = np.sqrt(self.c / batch_size)
        steps = steps_at_once(len(scale))

        def draw(rng: np.random.Generator) -> tuple[Values]:
            return (rng.standard_normal((steps, len(scale))) * scale,)

        buffer = buffered(draw, generators(self.entropy, batch_size, seeds))
        return lambda: buffer()[0]

    def gradients(self, thetas: Values, batch: Values) -> Values:
        """(L, S, p) gradients; the noise of a seed is shared by all rates."""
        return self.h * thetas + batch

    def losses(self, thetas: Values) -> Values:
        """(R,) excess losses."""
        return _excess(thetas * np.sqrt(self.h))

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows, the same everywhere, and |G|² at theta (p,)."""
        return float(self.c.sum()), float(np.square(self.h * theta).sum())

    def rate_scale(self, batch_size: float) -> float:
        """Largest stable rate, at any batch size."""
        return 2 / float(self.h.max())


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Least squares on fresh rows ``x ~ N(0, diag h)``, ``y = x w* + σ ξ``; start at 0."""

    h: Values
    """(p,) variances of the columns, positive."""
    optimum: Values
    """(p,) w*."""
    label_variance: float
    """σ²."""
    entropy: int
    n_rows: int | None = None
    floor: float = 0.0
    step_rows: float = 0.0
    key: str = field(init=False)

    def __post_init__(self) -> None:
        name = f"gaussian {self.label_variance!r}"
        object.__setattr__(self, "key", _key(name, self.entropy, self.h, self.optimum))

    def start(self, seed: int) -> Values:
        """Start of a run, the same for all."""
        return np.zeros(len(self.h))

    def sampler(self, batch_size: int, seeds: Sequence[int]) -> Callable[[], Batch]:
        """Draw rows R (S, r, p), divided by sqrt(B), and their label noise (S, r), again at every call.

        The gradient needs only ``XᵀX`` and ``Xᵀe``. Beyond p rows these are drawn as ``RᵀR`` and ``Rᵀe`` from a
        triangular R of p rows (Bartlett's decomposition of the Wishart distribution): the same distribution, and a
        batch of 4096 costs no more than one of p.
        """
        p = len(self.h)
        scale = np.sqrt(self.h / batch_size)
        noise = np.sqrt(self.label_variance / batch_size)
        rows = min(batch_size, p)
        steps = steps_at_once(rows * (p + 1))
        below, freedom = np.tril_indices(p, -1), batch_size - np.arange(p)

        def draw(rng: np.random.Generator) -> Batch:
            R = rng.standard_normal((steps, rows, p))
            e = rng.standard_normal((steps, rows)) * noise
            if batch_size > p:
                R[:, below[0], below[1]] = 0
                R[:, np.arange(p), np.arange(p)] = np.sqrt(rng.chisquare(freedom, (steps, p)))
            return R * scale, e

        return buffered(draw, generators(self.entropy, batch_size, seeds))

    def gradients(self, thetas: Values, batch: Batch) -> Values:
        """(L, S, p) gradients; the rows of a seed are shared by all rates."""
        rows, noise = batch
        return _least_squares(thetas - self.optimum, rows, noise)

    def losses(self, thetas: Values) -> Values:
        """(R,) excess losses ``1/2 Σ h_i (w_i - w*_i)²``, exact."""
        return _excess((thetas - self.optimum) * np.sqrt(self.h))

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows and |G|² of their mean, at theta (p,).

        ``Σ = H δ δᵀ H + (δᵀ H δ + σ²) H`` for Gaussian rows and ``δ = θ - w*``.
        """
        wrong = theta - self.optimum
        signal = float(np.square(self.h * wrong).sum())
        return signal + float((self.h @ wrong**2 + self.label_variance) * self.h.sum()), signal

    def rate_scale(self, batch_size: float) -> float:
        """A rate that is stable at the batch size, if not quite the largest: ``2B / (tr H + (B + 1) h_max)``."""
        return 2 * batch_size / float(self.h.sum() + (batch_size + 1) * self.h.max())


@dataclass(frozen=True, eq=False)
class Rows:
    """Least squares ``1/(2N) Σ (x_i w - y_i)²`` on given rows; start at 0."""

    X: Values
    """(N, p), with a column of ones if there is to be a bias."""
    y: Values
    """(N,)"""
    entropy: int
    floor: float = 0.0
    step_rows: float = 0.0
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

    def sampler(self, batch_size: int, seeds: Sequence[int]) -> Callable[[], tuple[npt.NDArray[np.int64], int]]:
        """Draw which rows (S, m) are in the batch, or, if they are fewer, which are left out; with the batch size."""
        m = min(batch_size, self.n_rows - batch_size)
        steps = steps_at_once(max(m, 1))

        def draw(rng: np.random.Generator) -> tuple[npt.NDArray[np.int64]]:
            return (subsets(rng, self.n_rows, m, steps),)

        buffer = buffered(draw, generators(self.entropy, batch_size, seeds))
        return lambda: (buffer()[0], batch_size)

    def gradients(self, thetas: Values, batch: tuple[npt.NDArray[np.int64], int]) -> Values:
        """(L, S, p) gradients; the rows of a seed are shared by all rates."""
        index, batch_size = batch
        whole = (thetas - self.optimum) @ self.H if 2 * batch_size > self.n_rows else 0.0
        if batch_size == self.n_rows:
            return np.asarray(whole)
        found = _least_squares(thetas, self.X[index], self.y[index])
        if batch_size == index.shape[1]:
            return found / batch_size
        return (self.n_rows * whole - found) / batch_size

    def losses(self, thetas: Values) -> Values:
        """(R,) training losses above the least there is, exact."""
        return _excess((thetas - self.optimum) @ self.root)

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows and |G|² of their mean, at theta (p,)."""
        mean = self.H @ (theta - self.optimum)
        squares = np.square(self.X @ theta - self.y) * np.square(self.X).sum(axis=1)
        return float(squares.mean() - mean @ mean), float(mean @ mean)

    def rate_scale(self, batch_size: float) -> float:
        """A rate near the largest stable one, from expected smoothness (Gower et al. 2019, arXiv 1901.09401)."""
        n, largest, longest = self.n_rows, np.linalg.norm(self.root, 2) ** 2, np.square(self.X).sum(axis=1).max()
        return 2 * batch_size * (n - 1) / float(n * (batch_size - 1) * largest + (n - batch_size) * longest)


Oracle = Quadratic | Gaussian | Rows


def _key(name: str, entropy: int, *arrays: Values) -> str:
    digest = hashlib.sha256(f"{name} {entropy}".encode())
    for values in arrays:
        digest.update(f"{values.shape}".encode() + np.ascontiguousarray(values, "<f8").tobytes())
    return digest.hexdigest()


def _least_squares(thetas: Values, rows: Values, targets: Values) -> Values:
    """``Rᵀ(R θ - y)`` for thetas (L, S, p), rows (S, r, p) and targets (S, r): sums over rows, not means."""
    if rows.shape[1] == 1:  # one row each: plain products are many times as fast as a stack of tiny matrix products
        x = rows[:, 0]
        return (np.einsum("lsp,sp->ls", thetas, x) - targets[:, 0])[..., None] * x
    residuals = rows @ thetas.transpose(1, 2, 0) - targets[..., None]
    return (rows.transpose(0, 2, 1) @ residuals).transpose(2, 0, 1)


def _excess(roots: Values) -> Values:
    """Half the sum of squares along the last axis; what overflows or is no number is infinite."""
    with np.errstate(all="ignore"):
        found = 0.5 * np.einsum("...p,...p->...", roots, roots)
    return np.where(np.isnan(found), np.inf, found)
