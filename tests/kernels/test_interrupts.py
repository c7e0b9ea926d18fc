"""Ctrl-C and timers during compiled code: what their handler raises arrives as it was raised.

Python runs the handler of a signal in the next Python function. Were that one which Numba calls while it hands over a
value, Numba would make a SystemError of what the handler raises.
"""

import sys
from types import FrameType

import numpy as np
import pytest

from kernels import Network, get, variants
from kernels.variants import tiled

NETWORKS = {"logistic": Network.logistic(5), "mlp": Network.mlp(5, (4,), 3)}
N, RATE = 300, 0.1


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("variant", variants())
def test_numba_calls_no_python_function_for_compiled_code(variant: str, network: Network, dtype: type) -> None:
    for task, called in _functions_called(variant, network, dtype).items():
        assert called, task
        assert not [name for name in called if name.startswith("numba")], task


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_nor_for_several_threads(network: Network, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "threads_for", lambda batch_size: 2)
    test_numba_calls_no_python_function_for_compiled_code("tiled", network, dtype)


def _functions_called(variant: str, network: Network, dtype: type) -> dict[str, set[str]]:
    """Modules and names of the Python functions that run during each task of a variant, once it is compiled."""
    kernel, rng = get(variant), np.random.default_rng(0)
    theta = network.init(rng, dtype=dtype)
    X, Y = rng.normal(size=(N, 5)).astype(dtype), np.eye(3, dtype=dtype)[:, : network.n_outputs][rng.integers(0, 3, N)]
    X[rng.random(X.shape) < 0.8] = 0  # else the sparse variant falls back
    thetas, rows = np.stack([theta, theta]), np.stack([rng.permutation(N), rng.permutation(N)])
    tasks = {
        "forward": lambda: kernel.forward(network, theta, X),
        "loss": lambda: kernel.loss(network, theta, X, Y),
        "gradient": lambda: kernel.gradient(network, theta, X, Y),
        "epoch": lambda: kernel.epoch(network, theta, X, Y, rows[0], 200, RATE),
        "epoch of single rows": lambda: kernel.epoch(network, theta, X, Y, rows[0], 1, RATE),
        "epochs": lambda: kernel.epochs(network, thetas, X, Y, rows, 32, RATE),
        "losses": lambda: kernel.losses(network, thetas, X, Y, rows),
    }
    called: dict[str, set[str]] = {task: set() for task in tasks}
    for task, call in tasks.items():
        call()

        def note(frame: FrameType, event: str, _argument: object, task: str = task) -> None:
            if event == "call":
                called[task].add(f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}")

        sys.setprofile(note)
        try:
            call()
        finally:
            sys.setprofile(None)
    return called
