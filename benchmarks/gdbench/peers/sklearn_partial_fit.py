"""scikit-learn, one ``partial_fit`` an epoch: SGDRegressor and SGDClassifier at B = 1 without hidden layers, else MLP.

Estimators start from theta, with momentum, penalty and shuffling off; the rows come gathered in their order.
``partial_fit`` is the lowest public way in: it checks its input, which is told to take finite numbers for granted.
There is no public loss or gradient. Classes are all that its classifiers learn from, never shares of classes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from kernels import Network
from kernels.contract import Array, Order
from kernels.validation import check_batch_size

LABELS_ONLY = True
ACTIVATIONS: dict[str, str | None] = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
"""Words for the activations of hidden layers, None where there is none."""
NUMBERS, INDICATORS, POSITIONS = range(3)
FITTED_TO = {"identity": NUMBERS, "sigmoid": INDICATORS, "softmax": POSITIONS}
"""What an estimator is fitted to, by output: a regressor to numbers, a classifier to 0 and 1 for each output, or to the
position of the class."""
HAS_SGD: dict[int, Callable[[int], bool]] = {
    NUMBERS: lambda k: k == 1,
    INDICATORS: lambda k: k != 2,  # one against the rest, which begins at three classes
    POSITIONS: lambda k: False,
}
"""Whether a linear estimator that takes row by row has k outputs."""
SUPPORTED: dict[tuple[str, str], Callable[[int], bool]] = {
    ("identity", "squared_error"): lambda k: True,
    ("sigmoid", "cross_entropy"): lambda k: True,
    ("sigmoid", "squared_error"): lambda k: False,
    ("softmax", "cross_entropy"): lambda k: k > 2,
}
"""Whether an estimator has a pair of output and loss for k outputs; its softmax begins at three classes."""


def supports(network: Network, task: str, batch_size: int) -> bool:
    """Whether an estimator has this hidden activation, where there is one, and this pair of output and loss."""
    has_hidden = network.n_layers == 1 or ACTIVATIONS[network.hidden] is not None
    return has_hidden and SUPPORTED[network.output, network.loss](network.n_outputs)


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    model = _mlp(network, theta.dtype.name, 1, 1.0)
    _start_mlp(network, model, theta)
    with _unchecked():
        A = model.predict(X) if FITTED_TO[network.output] == NUMBERS else model.predict_proba(X)
    return A.reshape(len(X), -1)[:, -network.n_outputs :].astype(theta.dtype, copy=False)


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order; Y (n, k) holds classes, one-hot, or numbers."""
    check_batch_size(batch_size, len(order))
    by_row = batch_size == 1 and network.n_layers == 1 and HAS_SGD[FITTED_TO[network.output]](network.n_outputs)
    with _unchecked():
        run = _sgd_epoch if by_row else _mlp_epoch
        return run(network, theta, X[order], Y[order], batch_size, float(learning_rate))


def _unchecked() -> AbstractContextManager[None]:
    import sklearn  # noqa: PLC0415 - takes a second, which who asks ``supports`` need not wait for

    return sklearn.config_context(assume_finite=True, skip_parameter_validation=True)


def _mlp_epoch(network: Network, theta: Array, X: Array, Y: Array, batch_size: int, learning_rate: float) -> Array:
    model = _mlp(network, theta.dtype.name, batch_size, learning_rate)
    _start_mlp(network, model, theta)
    model.partial_fit(X, _mlp_targets(network, Y))
    parts = zip(model.coefs_, model.intercepts_, strict=True)
    return np.concatenate([values.ravel() for layer in parts for values in layer])


def _sgd_epoch(network: Network, theta: Array, X: Array, Y: Array, batch_size: int, learning_rate: float) -> Array:
    model, ((W, b),) = _sgd(network, theta.dtype.name, learning_rate), network.unpack(theta)
    model.coef_ = W[:, 0].copy() if FITTED_TO[network.output] == NUMBERS else np.array(W.T, order="C")
    model.intercept_ = b.copy()
    model.partial_fit(X, Y[:, 0] if network.n_outputs == 1 else Y.argmax(axis=1))
    return np.concatenate([model.coef_.T.ravel(), model.intercept_], dtype=theta.dtype)  # the intercept is float64


def _start_mlp(network: Network, model: Any, theta: Array) -> None:
    layers = network.unpack(theta)
    model.coefs_, model.intercepts_ = [W.copy() for W, _ in layers], [b.copy() for _, b in layers]


def _mlp_targets(network: Network, Y: Array) -> Array:
    """Return numbers, classes by their position, or an indicator matrix, as the estimator takes them."""
    if FITTED_TO[network.output] == POSITIONS:
        return Y.argmax(axis=1)
    return Y.ravel() if network.n_outputs == 1 else Y


@cache
def _mlp(network: Network, dtype: str, batch_size: int, learning_rate: float) -> Any:
    """Estimator that has seen two rows of zeros, so that it has all that belongs to its parameters."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: PLC0415 - as above

    k, kind = network.n_outputs, MLPRegressor if FITTED_TO[network.output] == NUMBERS else MLPClassifier
    model = kind(
        hidden_layer_sizes=network.sizes[1:-1],
        activation=ACTIVATIONS[network.hidden],
        solver="sgd",
        alpha=0.0,
        batch_size=1,
        learning_rate="constant",
        learning_rate_init=learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
        random_state=0,
    )
    X, Y = np.zeros((2, network.n_inputs), dtype), np.eye(2, k, dtype=dtype)
    classes = {} if kind is MLPRegressor else {"classes": np.arange(max(k, 2))}
    return model.partial_fit(X, _mlp_targets(network, Y), **classes).set_params(batch_size=batch_size)


@cache
def _sgd(network: Network, dtype: str, learning_rate: float) -> Any:
    """Estimator that has seen a row of zeros."""
    from sklearn.linear_model import SGDClassifier, SGDRegressor  # noqa: PLC0415 - as above

    options = {"penalty": None, "learning_rate": "constant", "eta0": learning_rate, "shuffle": False, "random_state": 0}
    X, y = np.zeros((1, network.n_inputs), dtype), np.zeros(1, dtype)
    if FITTED_TO[network.output] == NUMBERS:
        return SGDRegressor(**options).partial_fit(X, y)
    return SGDClassifier(loss="log_loss", **options).partial_fit(X, y, classes=np.arange(max(network.n_outputs, 2)))
