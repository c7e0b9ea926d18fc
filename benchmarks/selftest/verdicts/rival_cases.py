"""The cases that asv is asked about, for pytest-benchmark with its own calibration: one second a case, no settings."""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import pytest
from threadpoolctl import threadpool_limits

import kernels
from gdbench.experiments.cases import Axes, Case
from gdbench.experiments.grid import networks
from gdbench.experiments.tasks import TASKS, load_problem
from gdbench.verify.gate import require_certificate

AXES = Axes(("gradient", "epoch"), ("vectorized", "buffered"), (1, 32), ("float64",), (1,))
PAIRS = (("logistic", "breast_cancer"), ("deep", "wine"))
CASES = [case for pair in PAIRS for case in AXES.cases(*pair)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(benchmark, case: Case) -> None:
    """Time one case as pytest-benchmark does by itself."""
    spec = networks()[case.network]
    problem = load_problem(spec.build(case.dataset), case.dataset, case.dtype, spec.learning_rate)
    require_certificate(case.variant, problem)
    with threadpool_limits(limits=1):
        benchmark(TASKS[case.task](kernels.get(case.variant), problem, case.batch_size))
