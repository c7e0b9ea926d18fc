"""Synthetic regression and classification with a chosen condition number, noise and sparsity."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gdbench.experiments.encoding import one_hot
from kernels import InputError
from kernels.errors import choices, unknown

Values = npt.NDArray[np.float64]
RECIPES = {"synthetic_regression": "regression", "synthetic_classification": "classification"}

NUMBERS: dict[type, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Recipe:
    """How to make a synthetic data set; the fields after ``kind`` are the options of its name."""

    kind: str
    n: int = 1000
    """Rows."""
    d: int = 20
    """Inputs."""
    k: int = 1
    """Outputs of a regression; classes of a classification (2 is one column of 0 and 1)."""
    condition: float = 10.0
    """Ratio of the largest to the smallest singular value of X before zeros are put in."""
    noise: float = 0.1
    """Standard deviation of the noise in the targets, or in the scores of the classes, whose own is 1."""
    sparsity: float = 0.0
    """Share of X set to zero, 0 to below 1."""
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "n": self.n >= 2,
            "d": self.d >= 1,
            "k": self.k >= (1 if self.kind == "regression" else 2),
            "condition": np.isfinite(self.condition) and self.condition >= 1,
            "noise": np.isfinite(self.noise) and self.noise >= 0,
            "sparsity": 0 <= self.sparsity < 1,
            "seed": self.seed >= 0,
        }
        for name, holds in limits.items():
            if not holds:
                raise InputError(
                    f"{name}={getattr(self, name)} is out of range for synthetic_{self.kind}: "
                    "n is at least 2, d and k at least 1 (2 classes), condition at least 1, "
                    "noise and seed at least 0, sparsity from 0 to below 1"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, inputs, outputs."""
        return self.n, self.d, 1 if self.kind == "classification" and self.k == 2 else self.k

    def make(self) -> tuple[Values, Values]:
        """Return X (n, d) with columns of unit root mean square on average, and Y (n, k)."""
        rng = np.random.default_rng(self.seed)
        X = self._inputs(rng)
        scores = X @ rng.normal(size=(self.d, self.k))
        scores = scores / np.where(scores.std(axis=0) > 0, scores.std(axis=0), 1)
        scores += rng.normal(scale=self.noise, size=scores.shape)
        if self.kind == "regression":
            return X, scores
        labels = (scores - np.median(scores, axis=0)).argmax(axis=1)
        return X, one_hot(labels, self.k)

    def _inputs(self, rng: np.random.Generator) -> Values:
        """Orthonormal factors around geometrically spaced singular values, then zeros at random."""
        rank = min(self.n, self.d)
        left = np.linalg.qr(rng.normal(size=(self.n, rank)))[0]
        right = np.linalg.qr(rng.normal(size=(self.d, rank)))[0]
        singular = np.geomspace(self.condition, 1, rank) if rank > 1 else np.ones(1)
        X = (left * singular) @ right.T
        X /= np.sqrt(np.mean(X**2))
        return np.where(rng.random(X.shape) < self.sparsity, 0.0, X)


def base_of(name: str) -> str:
    """Return the name of a data set without the options of a synthetic one."""
    return name.split(":")[0]


def parse(name: str) -> Recipe:
    """Read a name such as ``synthetic_regression:n=500,d=20,condition=100``.

    Raises
    ------
    InputError
        If an option does not exist, is no number or is out of range.
    """
    base, text = base_of(name), name.partition(":")[2]
    types: dict[str, type[int] | type[float]] = {
        field.name: float if field.type == "float" else int for field in fields(Recipe)[1:]
    }
    options: dict[str, Any] = {}  # keyword arguments of Recipe, each of the type of its field
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in types:
            raise unknown(f"option of {base}", key, types)
        try:
            options[key] = types[key](value)
        except ValueError:
            raise InputError(
                f"the option {key} of {base} must be {NUMBERS[types[key]]}, got {value!r}: write for instance "
                f"{base}:n=500,d=20"
            ) from None
    return replace(_usual(base), **options)


def _usual(base: str) -> Recipe:
    """Return the recipe of a name without options."""
    kind = RECIPES[base]
    return Recipe(kind, k=2) if kind == "classification" else Recipe(kind)


def options(name: str) -> str:
    """Return the options of a synthetic set with their defaults, for help texts."""
    recipe = parse(name)
    return choices(f"{field.name}={getattr(recipe, field.name):g}" for field in fields(Recipe)[1:])
