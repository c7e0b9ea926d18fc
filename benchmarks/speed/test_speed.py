"""pytest-benchmark's own table of a profile's cases: ``pytest benchmarks/speed --benchmark-group-by=param:batch_size``.

The profile is smoke, or the one that the environment variable GDBENCH_PROFILE names.
"""

import os
from collections.abc import Iterator

import numba
import pytest
import scipy.linalg.cython_blas  # noqa: F401 - the BLAS that Numba calls: loaded here, so that the limit reaches it
from threadpoolctl import threadpool_limits

from gdbench.experiments.cases import Case
from gdbench.experiments.grid import Filters, expand, profile
from gdbench.experiments.tasks import load_problem
from gdbench.run.measure import test_speed  # noqa: F401 - the test of a block, once for each case below
from gdbench.run.plan import Plan, make_plan
from gdbench.verify.gate import require_full_verification
from kernels import InputError

try:
    PROFILE = profile(os.environ.get("GDBENCH_PROFILE", "smoke"))
    CASES = expand(PROFILE, Filters(threads=(1,)))
except InputError as error:
    raise pytest.Collector.CollectError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    values = [tuple(case.to_dict().values()) for case in CASES]
    metafunc.parametrize(list(Case.__dataclass_fields__), values, ids=[case.id for case in CASES])


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(CASES, profile=PROFILE.name, command="pytest", rounds=1, case_seconds=PROFILE.case_seconds, seed=0)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    numba.set_num_threads(1)
    with threadpool_limits(limits=1):  # too late for the environment: NumPy may have been loaded by a plugin
        yield


@pytest.fixture(autouse=True)
def certified(plan: Plan, network: str, dataset: str, dtype: str, variant: str) -> None:
    spec = plan.networks[network]
    require_full_verification(variant, load_problem(spec.build(dataset), dataset, dtype, spec.learning_rate))
