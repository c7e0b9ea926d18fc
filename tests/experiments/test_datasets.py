"""Data sets: shapes, scaling and encoding; a cache that mends itself; synthetic ones as asked for."""

import dataclasses
import functools
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from gdbench.experiments import datasets, synthetic
from gdbench.experiments.datasets import REAL, Source, load, names, shape_of
from kernels import InputError
from kernels.network import DTYPES

REGRESSION, CLASSIFICATION = synthetic.RECIPES


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GDBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", names())
def test_arrays_are_as_kernels_take_them(name: str, dtype: str) -> None:
    data = load(name, dtype)
    n, d, k = shape_of(name)
    assert (data.X.shape, data.Y.shape, data.n_rows) == ((n, d), (n, k), n)
    for values in (data.X, data.Y):
        assert values.dtype == dtype
        assert values.flags.c_contiguous
        assert np.isfinite(values).all()
    assert data.name == name
    assert data.density == pytest.approx(np.mean(data.X != 0))


@pytest.mark.parametrize("name", names())
def test_targets_are_standardised_or_hold_every_class(name: str) -> None:
    data = load(name)
    if data.kind == "regression":
        np.testing.assert_allclose([data.Y.mean(), data.Y.std()], [0, 1], atol=0.1 if name == REGRESSION else 1e-12)
        return
    assert set(np.unique(data.Y)) == {0, 1}
    shares = data.Y.mean(axis=0)
    assert (shares > 0.05).all()
    assert (shares < 0.7).all()
    if data.Y.shape[1] > 1:
        np.testing.assert_array_equal(data.Y.sum(axis=1), 1)


@pytest.mark.parametrize("name", REAL)
def test_inputs_are_scaled_as_described(name: str) -> None:
    data = load(name)
    if data.scaling == "standardised":
        np.testing.assert_allclose(data.X.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(data.X.std(axis=0), 1)
    else:
        assert (data.X.min(), data.X.max()) == (0, 1)
        whole = data.X * float(data.scaling.removeprefix("divided by "))
        np.testing.assert_allclose(whole, whole.round(), atol=1e-12)


def test_labels_belong_to_their_rows() -> None:
    """The nearest other row tells the digit; if labels were shuffled, it would do so one time in ten."""
    for name in ("digits", "mnist5k"):
        data = load(name)
        X, labels = data.X[:: data.n_rows // 600], data.Y[:: data.n_rows // 600].argmax(axis=1)
        distance = (X**2).sum(1)[:, None] + (X**2).sum(1) - 2 * X @ X.T
        np.fill_diagonal(distance, np.inf)
        assert np.mean(labels[distance.argmin(axis=1)] == labels) > 0.8


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    message = r"^there is no data set 'iris': choose one of diabetes, breast_cancer, wine, digits, mnist5k, synthetic_"
    for function in (load, shape_of):
        with pytest.raises(InputError, match=message):
            function("iris")


def test_values_come_from_the_cache_once_it_is_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("wine")
    unread = dataclasses.replace(REAL["wine"], read=lambda: pytest.fail("the package was read again"))
    monkeypatch.setitem(REAL, "wine", unread)
    np.testing.assert_array_equal(load("wine").X, first.X)
    assert [path.name for path in cache.iterdir()] == ["wine.npy"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _change(path: Path) -> None:
    values = np.load(path)
    values[3, 3] += 1e-9
    np.save(path, values)


def _change_shape(path: Path) -> None:
    np.save(path, np.load(path).ravel())


def _pickle(path: Path) -> None:
    np.save(path, np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [_cut, _change, _change_shape, _pickle, lambda path: path.write_bytes(b""), lambda path: path.write_text("text")],
    ids=["cut short", "one value changed", "another shape", "an object", "empty", "no array"],
)
def test_a_damaged_cache_is_made_anew(cache: Path, damage) -> None:
    whole = load("wine")
    path = cache / "wine.npy"
    intact = path.read_bytes()
    damage(path)
    assert path.read_bytes() != intact
    np.testing.assert_array_equal(load("wine").X, whole.X)
    assert path.read_bytes() == intact


def test_values_that_the_package_changed_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, target = REAL["wine"].read()
    X[0, 0] += 1e-6
    changed: Source = dataclasses.replace(REAL["wine"], read=lambda: (X, target))
    monkeypatch.setitem(REAL, "wine", changed)
    with pytest.raises(InputError, match=r"^the installed package ships other values of wine than .*: install the ver"):
        load("wine")
    assert not list(cache.glob("*"))


def test_the_cache_is_where_the_environment_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert datasets.cache_folder() == cache
    monkeypatch.delenv("GDBENCH_CACHE")
    assert datasets.cache_folder().name == "gdbench"


@pytest.mark.parametrize("condition", [1, 10, 1e4])
@pytest.mark.parametrize("shape", ["n=200,d=30", "n=20,d=50"])
def test_condition_number(condition: float, shape: str) -> None:
    singular = np.linalg.svd(load(f"{REGRESSION}:{shape},condition={condition}").X, compute_uv=False)
    assert singular[0] / singular[-1] == pytest.approx(condition, rel=1e-6)


def test_inputs_have_unit_root_mean_square() -> None:
    assert np.mean(load(REGRESSION).X ** 2) == pytest.approx(1)


@pytest.mark.parametrize("sparsity", [0, 0.5, 0.9])
def test_sparsity(sparsity: float) -> None:
    data = load(f"{CLASSIFICATION}:n=2000,d=50,sparsity={sparsity}")
    assert 1 - data.density == pytest.approx(sparsity, abs=4 * np.sqrt(0.25 / data.X.size))


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_noise_is_what_no_linear_model_explains(noise: float) -> None:
    data = load(f"{REGRESSION}:n=4000,d=10,k=3,noise={noise}")
    best = np.linalg.lstsq(np.column_stack([data.X, np.ones(data.n_rows)]), data.Y)[0]
    left = data.Y - np.column_stack([data.X, np.ones(data.n_rows)]) @ best
    np.testing.assert_allclose(left.std(axis=0), noise, rtol=0.1, atol=1e-12)


def test_noise_makes_classes_harder_to_tell() -> None:
    shares = []
    for noise in (0, 1, 10):
        data = load(f"{CLASSIFICATION}:n=3000,d=5,noise={noise}")
        inputs = np.column_stack([data.X, np.ones(data.n_rows)])
        best = np.linalg.lstsq(inputs, data.Y)[0]
        shares.append(np.mean((inputs @ best > 0.5) == (data.Y > 0.5)))
    assert shares[0] > 0.95
    assert shares[0] > shares[1] + 0.1 > shares[2] + 0.2


@pytest.mark.parametrize("k", [2, 3, 7])
def test_classes_are_about_equally_frequent(k: int) -> None:
    Y = load(f"{CLASSIFICATION}:n=3000,k={k}").Y
    assert Y.shape == (3000, 1 if k == 2 else k)
    shares = Y.mean(axis=0)
    assert (shares > 0.4 / k).all()
    assert (shares < 1.8 / k).all()


def test_a_seed_makes_the_same_numbers_in_another_process() -> None:
    asked = [f"{name}:n=30,d=4,seed=5" for name in synthetic.RECIPES]
    program = (
        "import json, sys; from gdbench.experiments.datasets import load; "
        "print(json.dumps([load(name).X.tolist() for name in sys.argv[1:]]))"
    )
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", program, *asked],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    for name, found in zip(asked, json.loads(done.stdout), strict=True):
        here, other = load(name).X, load(name.replace("seed=5", "seed=6")).X
        # They come out of a factorisation by LAPACK, which rounds as processor, threads and alignment have it.
        np.testing.assert_allclose(found, here, rtol=0, atol=1e-12)
        assert np.abs(other - here).max() > 0.1


def test_the_digest_of_synthetic_data_is_that_of_their_values() -> None:
    data = load(f"{REGRESSION}:n=30,d=4,k=2")
    assert data.sha256 == datasets.sha256_of(data.X, data.Y) != datasets.sha256_of(data.X, data.Y[::-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("rows=5", "there is no option of synthetic_regression 'rows': choose one of n, d, k, condition, noise, spars"),
        ("n=many", "the option n of synthetic_regression must be a whole number, got 'many': write for instance synth"),
        ("n=2.5", "the option n of synthetic_regression must be a whole number, got '2.5'"),
        ("n", "the option n of synthetic_regression must be a whole number, got ''"),
        ("n=1", "n=1 is out of range for synthetic_regression: n is at least 2"),
        ("d=0", "d=0 is out of range"),
        ("k=0", "k=0 is out of range"),
        ("condition=0.5", "condition=0.5 is out of range"),
        ("condition=nan", "condition=nan is out of range"),
        ("condition=inf", "condition=inf is out of range"),
        ("noise=-1", "noise=-1.0 is out of range"),
        ("sparsity=1", "sparsity=1.0 is out of range"),
        ("seed=-1", "seed=-1 is out of range"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options: str, message: str) -> None:
    for function in (load, shape_of):
        with pytest.raises(InputError) as caught:
            function(f"{REGRESSION}:{options}")
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


def test_a_classification_has_two_classes_at_least() -> None:
    with pytest.raises(InputError, match=r"^k=1 is out of range for synthetic_classification"):
        load(f"{CLASSIFICATION}:k=1")


def _unknown_user(number: int) -> NoReturn:
    raise KeyError(number)


@pytest.mark.parametrize("home", [os.devnull, None, "/proc/nobody"], ids=["a device", "none", "not ours"])
def test_without_a_place_for_a_cache_values_are_parsed_and_it_is_said_once(
    home: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("GDBENCH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home or "")
    if home is None:  # as in a container whose user has no entry: platformdirs leaves the tilde as it is
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", _unknown_user)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "_say_not_kept", functools.cache(datasets._say_not_kept.__wrapped__))
    assert [load(name).n_rows for name in ("wine", "diabetes")] == [178, 442]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith("set GDBENCH_CACHE to a folder that you can write to")
    assert not list(tmp_path.iterdir())
