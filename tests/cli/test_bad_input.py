"""Bad input is one sentence that says what is wrong and what to do instead, before anything is computed."""

import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import kernels
from kernels import InputError, Network, Variant
from kernels.network import HIDDEN, OUTPUT_LOSSES, SCHEMES

ROWS = 6
SOFTMAX, LOGISTIC, LINEAR = Network.softmax(2, 2), Network.logistic(2, 2), Network.linear(2, 2)


def _with(values: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    changed = values.copy()
    changed[row, column] = value
    return changed


X = np.linspace(-1, 1, 2 * ROWS).reshape(ROWS, 2)
Y = np.tile(np.eye(2), (ROWS // 2, 1))
SWAPPED = np.dtype(float).newbyteorder().str
"""Byte order that is not this machine's."""
GOOD = {"network": SOFTMAX, "X": X, "Y": Y, "batch_size": 2, "learning_rate": 0.1, "epochs": 1}

FIT = [
    ({"X": X.tolist()}, r"X must be a float32 or float64 array, got list: use np\.asarray"),
    ({"X": X.astype(int)}, r"X must be a float32 or float64 array, got int64: use np\.asarray"),
    ({"X": X.astype(np.float16)}, r"X must be a float32 or float64 array, got float16: use np\.asarray"),
    ({"X": X[:, 0]}, r"X must have two dimensions, got shape \(6,\): use X\.reshape\(-1, 2\)"),
    ({"Y": Y[:, 0]}, r"Y must have two dimensions, got shape \(6,\): use Y\.reshape\(-1, 2\)"),
    ({"X": X[:0], "Y": Y[:0]}, "X has no rows: pass at least one"),
    ({"X": X[:, :1]}, "X has 1 columns but the network has 2 inputs: change one of them"),
    ({"Y": Y[:, :1]}, "Y has 1 columns but the network has 2 outputs: change one of them"),
    ({"Y": Y[:-1]}, "X has 6 rows but Y has 5: pass one row of Y for each row of X"),
    ({"X": X.astype(np.float32)}, r"X is float32 but Y is float64: convert one of them with \.astype"),
    ({"X": _with(X, 3, 1, np.nan)}, "X has 1 values that are NaN or infinite, the first in row 3, column 1: remove"),
    ({"X": _with(X, 0, 0, -np.inf)}, "X has 1 values that are NaN or infinite, the first in row 0, column 0: remove"),
    ({"Y": _with(Y, 5, 0, np.nan)}, "Y has 1 values that are NaN or infinite, the first in row 5, column 0: remove"),
    ({"Y": _with(Y, 1, 0, np.inf)}, "Y has 1 values that are NaN or infinite, the first in row 1, column 0: remove"),
    ({"Y": 0.5 * Y}, "softmax takes target rows that sum to 1, but row 0 sums to 0.5: one-hot encode"),
    ({"Y": _with(Y, 4, 1, 1e-6)}, "softmax takes target rows that sum to 1, but row 4 .*: one-hot encode"),
    ({"Y": 1 - 2 * Y}, "cross-entropy takes targets from 0 to 1, got -1 to 1: encode classes as 0 and 1"),
    ({"network": LOGISTIC, "Y": 2 * Y}, "cross-entropy takes targets from 0 to 1, got 0 to 2: encode classes"),
    ({"network": LOGISTIC, "Y": Y - 1}, "cross-entropy takes targets from 0 to 1, got -1 to 0: encode classes"),
    ({"batch_size": 0}, r"the batch size must be a whole number from 1 to 6 \(all rows\), got 0"),
    ({"batch_size": -1}, r"the batch size must be a whole number from 1 to 6 \(all rows\), got -1"),
    ({"batch_size": ROWS + 1}, r"the batch size must be a whole number from 1 to 6 \(all rows\), got 7"),
    ({"batch_size": 2.0}, r"the batch size must be a whole number from 1 to 6 \(all rows\), got 2\.0"),
    ({"batch_size": "2"}, r"the batch size must be a whole number from 1 to 6 \(all rows\), got 2"),
    *(
        ({"learning_rate": rate}, f"the learning rate must be positive and finite, got {rate}: try 0.1")
        for rate in (0, -0.1, np.nan, np.inf, -np.inf, "fast", None, 1j)
    ),
    *(
        ({"learning_rate": rate}, f"the learning rate must be positive and finite, got {shown}: try 0.1")
        for rate, shown in ((10**400, "inf"), (-(10**400), "inf"), (Fraction(-1, 4), "-0.25"))
    ),
    ({"epochs": -1}, "epochs must be a whole number of at least 0, got -1"),
    ({"epochs": 1.5}, "epochs must be a whole number of at least 0, got 1.5"),
    ({"seed": -1}, "the seed must be a whole number of at least 0, got -1: try 0"),
    ({"seed": "today"}, "the seed must be a whole number of at least 0, got today: try 0"),
    ({"variant": "fastest"}, f"there is no variant 'fastest': choose one of {', '.join(kernels.variants())}"),
    *(
        ({"variant": variant}, rf"a variant is a name or a kernels\.Variant, got {kind}: choose one of reference, ")
        for variant, kind in ((3, "int"), (None, "NoneType"), (np.zeros(3), "ndarray"), (kernels, "module"))
    ),
    *(
        ({"network": network}, rf"network must be a kernels\.Network, got {kind}: make one, such as Network\.linear")
        for network, kind in (("linear", "str"), (None, "NoneType"), ((2, 2), "tuple"), (Network, "type"))
    ),
    *(
        (
            {name: values.astype(SWAPPED)},
            rf"{name} is {SWAPPED}, in .* other machines: use {name}\.astype\(np\.float64\)$",
        )
        for name, values in (("X", X), ("Y", Y))
    ),
    *(
        ({name: np.ma.array(values, mask=False)}, rf"{name} is a masked array, .*: use {name}\.filled\(value\)$")
        for name, values in (("X", X), ("Y", Y), ("theta", np.zeros(6)))
    ),
    (
        {"theta": np.zeros(6, SWAPPED)},
        rf"theta is {SWAPPED} but X is float64: convert it with theta\.astype\(X\.dtype\)",
    ),
    ({"theta": np.zeros(5)}, r"theta has shape \(5,\) but .* has 6 parameters: pass a vector of shape \(6,\)"),
    ({"theta": np.zeros((6, 1))}, r"theta has shape \(6, 1\) but .* has 6 parameters: pass a vector of shape \(6,\)"),
    ({"theta": [0.0] * 6}, r"theta must be an array, got list: start from network\.init\(rng\)"),
    ({"theta": np.zeros(6, np.float32)}, r"theta is float32 but X is float64: convert it with theta\.astype"),
    ({"theta": np.full(6, np.nan)}, r"theta has values that are not finite: start from network\.init\(rng\)"),
]


def _assert_one_sentence(error: InputError, pattern: str) -> None:
    message = str(error)
    assert re.match(pattern, message), message
    assert "\n" not in message
    assert not re.search(r"[.!?](\s|$)", message), "more than one sentence"
    assert isinstance(error, ValueError)


def _assert_refused(call: Callable[[], object], pattern: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    _assert_one_sentence(caught.value, pattern)


def test_the_unchanged_input_is_good() -> None:
    for network in (SOFTMAX, LOGISTIC, LINEAR):
        assert kernels.fit(**GOOD | {"network": network}).epochs == 1


@pytest.mark.parametrize(("change", "pattern"), FIT, ids=[pattern[:60] for _, pattern in FIT])
def test_fit_refuses_it_before_the_first_loss(change: dict[str, object], pattern: str) -> None:
    calls: list[object] = []
    _assert_refused(lambda: kernels.fit(**GOOD | change, callback=lambda *call: calls.append(call)), pattern)
    assert not calls


@pytest.mark.parametrize("name", kernels.variants())
def test_squared_error_takes_any_finite_target(name: str) -> None:
    for network in (LINEAR, Network((2, 2), output="sigmoid", loss="squared_error")):
        assert kernels.fit(**GOOD | {"network": network, "Y": 3 * Y - 1, "variant": name}).epochs == 1


def test_a_fraction_is_a_learning_rate() -> None:
    exact, rounded = (kernels.fit(**GOOD | {"learning_rate": rate}) for rate in (Fraction(1, 4), 0.25))
    np.testing.assert_array_equal(exact.theta, rounded.theta)


def test_softmax_takes_rows_that_sum_to_one_but_for_rounding(dtype: type) -> None:
    network, rows = Network.softmax(2, 10), np.random.default_rng(0).random((1000, 10)).astype(dtype)
    changes = {"network": network, "X": np.zeros((1000, 2), dtype), "Y": rows / rows.sum(axis=1, keepdims=True)}
    assert (changes["Y"].sum(axis=1) != 1).any()
    assert kernels.fit(**GOOD | changes).epochs == 1


PAIRS = ", ".join(" \\+ ".join(pair) for pair in OUTPUT_LOSSES)
NETWORKS = [
    *(
        ({"sizes": sizes}, "sizes must be two or more whole numbers of at least 1, got ")
        for sizes in ((), (3,), (3, 0), (3, -1, 2), (3, 2.5), ("3", "2"), "32", 3, None)
    ),
    ({"hidden": "swish"}, f"there is no hidden activation 'swish': choose one of {', '.join(HIDDEN)}$"),
    ({"output": "step"}, rf"there is no output and loss step \+ cross_entropy: choose one of {PAIRS}$"),
    ({"loss": "hinge"}, rf"there is no output and loss sigmoid \+ hinge: choose one of {PAIRS}$"),
    ({"output": "softmax", "loss": "squared_error"}, r"there is no output and loss softmax \+ squared_error: choose"),
    ({"output": "identity"}, r"there is no output and loss identity \+ cross_entropy: choose one of"),
]


@pytest.mark.parametrize(("arguments", "pattern"), NETWORKS, ids=[str(arguments) for arguments, _ in NETWORKS])
def test_a_network_refuses_it(arguments: dict[str, object], pattern: str) -> None:
    _assert_refused(lambda: Network(**{"sizes": (3, 2), **arguments}), pattern)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ({"scheme": "ones"}, f"there is no initialisation scheme 'ones': choose one of {', '.join(SCHEMES)}$"),
        ({"dtype": int}, "there is no dtype 'int64': choose one of float32, float64$"),
        ({"dtype": "float16"}, "there is no dtype 'float16': choose one of float32, float64$"),
        ({"dtype": "foo"}, "there is no dtype 'foo': choose one of float32, float64$"),
        ({"dtype": 3}, "there is no dtype 3: choose one of float32, float64$"),
        ({"dtype": SWAPPED}, f"there is no dtype '{SWAPPED}': choose one of float32, float64$"),
    ],
    ids=str,
)
def test_init_refuses_it(arguments: dict[str, object], pattern: str) -> None:
    _assert_refused(lambda: SOFTMAX.init(np.random.default_rng(0), **arguments), pattern)


@pytest.mark.parametrize("batch_size", [-1, 0, ROWS + 1, 10**12, 2.5])
def test_every_epoch_refuses_a_batch_size_that_does_not_fit(variant: Variant, batch_size: float) -> None:
    arguments = SOFTMAX, np.zeros(SOFTMAX.n_parameters), X, Y, np.arange(ROWS), batch_size, 0.1
    _assert_refused(lambda: variant.epoch(*arguments), "the batch size must be a whole number from 1 to 6 ")


@pytest.mark.parametrize("size", [5, 7])
def test_every_function_refuses_theta_of_another_length(variant: Variant, size: int) -> None:
    theta, pattern = np.zeros(size), rf"theta has shape \({size},\) but .* has 6 parameters: pass a vector"
    _assert_refused(lambda: variant.forward(SOFTMAX, theta, X), pattern)
    _assert_refused(lambda: variant.loss(SOFTMAX, theta, X, Y), pattern)
    _assert_refused(lambda: variant.gradient(SOFTMAX, theta, X, Y), pattern)
    _assert_refused(lambda: variant.epoch(SOFTMAX, theta, X, Y, np.arange(ROWS), 2, 0.1), pattern)
