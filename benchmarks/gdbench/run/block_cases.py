"""What pytest collects in a block: one test, once for each case (``gdbench.run.block`` gives the parameters)."""

from __future__ import annotations

from typing import Any

from gdbench.experiments.cases import Case
from gdbench.run.measure import measure
from gdbench.run.plan import Plan


def test_speed(
    benchmark: Any,
    plan: Plan,
    network: str,
    dataset: str,
    n_rows: int,
    task: str,
    variant: str,
    batch_size: int,
    dtype: str,
    threads: int,
) -> None:
    """Time one case of the plan; pytest-benchmark stores the arguments as the case's parameters."""
    case = Case(network, dataset, n_rows, task, variant, batch_size, dtype, threads)
    measure(benchmark, case, plan.networks[network], plan.case_seconds)
