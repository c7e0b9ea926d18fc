"""What a task is given: rows that begin at a multiple of 64 bytes, whatever the data set and dtype."""

import numpy as np
import pytest

from gdbench.basics.arrays import ALIGNMENT_BYTES, aligned
from gdbench.basics.calls import ARGUMENTS
from gdbench.experiments.datasets import load
from gdbench.experiments.grid import networks
from gdbench.experiments.tasks import TASKS, Problem, load_problem
from kernels.network import DTYPES


def _problem(dataset: str, dtype: str) -> Problem:
    return load_problem(networks()["deep"].build(dataset), dataset, dtype, 0.1)


def _begins_aligned(values: np.ndarray) -> bool:
    return values.ctypes.data % ALIGNMENT_BYTES == 0 and values.flags.c_contiguous


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dataset", ["wine", "digits"])
def test_rows_and_targets_are_aligned_and_are_those_of_the_data(dataset: str, dtype: str) -> None:
    problem, data = _problem(dataset, dtype), load(dataset, dtype)
    for values, truth in ((problem.X, data.X), (problem.Y, data.Y)):
        assert _begins_aligned(values)
        assert values.dtype == dtype
        assert values.shape == truth.shape
    together = np.sort(np.column_stack([problem.X, problem.Y]).view(f"V{problem.X.itemsize}").ravel())
    assert np.array_equal(together, np.sort(np.column_stack([data.X, data.Y]).view(f"V{data.X.itemsize}").ravel()))
    head = problem.head(7)
    assert _begins_aligned(head.X)
    assert _begins_aligned(head.Y)
    assert np.array_equal(head.X, problem.X[:7])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shift", range(1, 17))
def test_a_copy_is_aligned_wherever_the_original_begins(shift: int, dtype: str) -> None:
    values = np.arange(shift + 30, dtype=dtype)[shift:].reshape(10, 3)
    found = aligned(values)
    assert _begins_aligned(found)
    assert found.dtype == dtype
    assert np.array_equal(found, values)
    assert not np.shares_memory(found, values)


@pytest.mark.parametrize("task", ["forward", "loss", "gradient"])
def test_a_batch_is_aligned_too(task: str) -> None:
    problem = _problem("wine", "float32")
    call = TASKS[task](_Recorder, problem, 5)
    rows = [values for values in call() if values.ndim == 2]
    assert rows
    assert all(len(values) == 5 and _begins_aligned(values) for values in rows)


class _Recorder:
    """Gives back what a kernel would be called with."""

    @staticmethod
    def forward(network, theta, *batch):
        return batch

    loss = gradient = forward


def test_every_task_is_known_to_all_who_call_it() -> None:
    assert ARGUMENTS.keys() == TASKS.keys()
