"""Verification certifies every right variant and refuses every broken one, naming the stage that it failed."""

import math
import re
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest

import kernels
from gdbench.experiments.datasets import load
from gdbench.verify.certificates import SHAPES
from gdbench.verify.stages import Certificate, certify, certify_quickly
from kernels import Network
from kernels.contract import Array
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES

from ..helpers import in_turns
from .broken_variants import (
    FAULTS,
    LINEAR,
    LOGISTIC,
    RELU,
    REORDERED,
    SIGMOID,
    SOFTMAX,
    TANH,
    broken,
    make,
    nearly_right,
)

PLACES = [(shape, pair) for i, shape in enumerate(SHAPES) for j, pair in enumerate(OUTPUT_LOSSES) if (i + j) % 2 == 0]
NETWORKS = [Network(shape, hidden, *pair) for (shape, pair), hidden in zip(PLACES, cycle(HIDDEN), strict=False)]
"""Half of the contract's, so that every activation has its turn, however many there are."""
MANY_LAYERS = 4
SHARPNESS = {"float32": 1e-3, "float64": 1e-9}
FAULTS_BY_NETWORK = sorted(FAULTS, key=lambda name: str(FAULTS[name].network))
"""The truth is computed once for faults on one network that follow each other."""


def _is_consistent(proof: Certificate) -> bool:
    agrees = proof.certified == (proof.max_error <= proof.tolerance)
    return agrees and not math.isnan(proof.max_error) and not math.isnan(proof.tolerance)


def test_the_networks_below_have_every_depth_activation_and_loss() -> None:
    assert {network.n_layers for network in NETWORKS} == {1, 2, 3, 4}
    assert {network.hidden for network in NETWORKS if network.n_layers > 1} == set(HIDDEN)
    assert {(network.output, network.loss) for network in NETWORKS} == set(OUTPUT_LOSSES)


@pytest.mark.parametrize(
    ("network", "dtype"), [(network, DTYPES[i % len(DTYPES)]) for i, network in enumerate(NETWORKS)], ids=str
)
def test_every_variant_is_certified(network: Network, dtype: str) -> None:
    for name in kernels.variants():
        proof = certify(name, network, dtype)
        assert proof.certified, proof
        assert _is_consistent(proof)
        assert (proof.variant, proof.network, proof.dtype) == (name, str(network), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FAULTS_BY_NETWORK)
def test_a_fault_is_caught_and_the_stage_named(name: str, dtype: str) -> None:
    if name.endswith("in float64") and dtype == "float64":
        assert certify(broken(name), FAULTS[name].network, dtype).certified  # there is nothing to promote
        return
    proof = certify(broken(name), FAULTS[name].network, dtype)
    assert not proof.certified
    assert re.search(FAULTS[name].stage, proof.where), proof
    assert _is_consistent(proof)


@pytest.mark.parametrize("case", in_turns([LINEAR, LOGISTIC, SOFTMAX, SIGMOID, TANH, RELU]))
def test_right_variants_that_take_sums_in_another_order_are_certified(case: tuple[Network, str]) -> None:
    for name, changes in REORDERED.items():
        proof = certify(make(name, *changes), *case)
        assert proof.certified, proof


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", [LINEAR, SIGMOID, TANH, NETWORKS[-1]], ids=str)
def test_a_small_relative_error_in_any_one_value_of_the_gradient_is_caught(network: Network, dtype: str) -> None:
    for position in range(0, network.n_parameters, 1 if network.n_layers < MANY_LAYERS else 5):
        proof = certify(nearly_right(SHARPNESS[dtype], position), network, dtype)
        assert not proof.certified, position
        assert re.match("(gradient|one update) on ", proof.where)


def test_the_same_small_error_is_seen_in_float64_where_float32_could_hide_it() -> None:
    variant = nearly_right(1e-9, 0)
    assert [certify(variant, TANH, dtype).certified for dtype in DTYPES] == [True, False]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_variant_that_changes_its_inputs_does_not_harm_the_next_one(dtype: str) -> None:
    assert not certify(broken("updates in place"), SIGMOID, dtype).certified
    assert certify("vectorized", SIGMOID, dtype).certified


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", ["identity", "sigmoid"])
def test_a_network_that_would_diverge_in_the_trajectory_is_certified(output: str, dtype: str) -> None:
    network = Network((6, 32, 5), "relu", output, "squared_error")  # its learning rate is halved
    assert certify("vectorized", network, dtype).certified
    assert "trajectory" in certify(broken("short batch dropped"), network, dtype).where


def test_rows_of_real_data_take_part() -> None:
    X, Y = np.full((4, 4), 3.0), np.full((4, 3), 2.0)
    only_there = make(
        "wrong for large inputs", ("Z = activations[-1] @ W + b", "Z = activations[-1] @ W + b + (X.min() == 3)")
    )
    assert certify(only_there, LINEAR, "float64").certified
    assert certify(only_there, LINEAR, "float64", data=(X, Y)).where == "forward on rows of the data"


@pytest.fixture(scope="module")
def rows() -> tuple[Array, Array]:
    """The same arrays for all tests, so that the truth about them is computed once."""
    data = load("breast_cancer")
    return data.X[:300], data.Y[:300]


@pytest.mark.parametrize(
    ("what", "limit"), [("gradient", 100), ("loss", 256), ("forward", 299), ("epoch", 100), ("epoch", 299)]
)
def test_a_fault_that_shows_in_large_batches_alone_is_caught(what: str, limit: int, rows: tuple[Array, Array]) -> None:
    """A kernel that works through a batch in parts and loses what lies beyond the first part."""
    kernel, network = kernels.get("vectorized"), Network.logistic(30)

    def cut(network: Network, theta: Array, X: Array, *rest: Any) -> Any:
        whole = getattr(kernel, what)
        if len(X) <= limit:
            return whole(network, theta, X, *rest)
        if what == "forward":
            return np.concatenate([whole(network, theta, X[:limit]), np.zeros((len(X) - limit, 1))])
        if what == "epoch":
            Y, order, batch_size, rate = rest
            order = order[order < limit]
            return whole(network, theta, X, Y, order, min(batch_size, len(order)), rate)
        return whole(network, theta, X[:limit], *(values[:limit] for values in rest))

    wrong = replace(kernel, **{what: cut})
    assert certify(kernel, network, "float64", data=rows).certified
    proof = certify(wrong, network, "float64", data=rows)
    assert not proof.certified
    assert "all rows of the data" in proof.where
    assert certify(wrong, network, "float64", data=(rows[0][:64], rows[1][:64])).certified  # nothing large to see it in


def test_one_lost_row_of_thousands_is_seen_in_a_single_update_in_float32() -> None:
    """The parameters take part in as many roundings as there are rows, which must not hide the row."""
    rng, n = np.random.default_rng(0), 5000
    network, kernel = Network((100, 16, 10)), kernels.get("vectorized")
    X, Y = rng.normal(scale=0.3, size=(n, 100)).astype("float32"), np.eye(10, dtype="float32")[rng.integers(0, 10, n)]

    def epoch(network: Network, theta: Array, X: Array, Y: Array, order: Array, batch_size: int, rate: float) -> Array:
        if len(X) < n:
            return kernel.epoch(network, theta, X, Y, order, batch_size, rate)
        left = order[1:]
        return theta - np.float32(rate * len(left) / n) * kernel.gradient(network, theta, X[left], Y[left])

    assert certify(kernel, network, "float32", data=(X, Y)).certified
    proof = certify(replace(kernel, epoch=epoch), network, "float32", data=(X, Y))
    assert not proof.certified
    assert proof.where == "one update on all rows of the data"


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_quick_check_agrees_on_rows_of_the_data(dtype: str) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(20, 4)).astype(dtype), rng.random((20, 3)).astype(dtype)
    for name in kernels.variants():
        assert certify_quickly(name, LOGISTIC, X, Y).certified
    for name in (
        "gradient without 1/n",
        "loss without 1/n",
        "bias forgotten going back",
        "learning rate applied twice",
    ):
        assert not certify_quickly(broken(name), LOGISTIC, X, Y).certified, name
