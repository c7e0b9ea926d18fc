"""The problem whose steps are timed."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kernels import Network
from kernels.contract import Array


@pytest.fixture(scope="session")
def digits() -> tuple[Network, Array, Array]:
    X, labels = load_digits(return_X_y=True)
    return Network.softmax(64, 10), X / 16, np.eye(10)[labels]
