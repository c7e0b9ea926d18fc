"""One benchmark for each network on a data set of the profile, with the other axes of the grid as parameters.

The profile is smoke, or the one that the environment variable GDBENCH_PROFILE names.
"""

import os
from functools import lru_cache

import kernels
from gdbench.grid import Filters, expand, networks, profile
from gdbench.measure import require_certificate
from gdbench.tasks import TASKS, Call, load_problem
from suite import ROOT

PROFILE = profile(os.environ.get("GDBENCH_PROFILE", "smoke"))
VARIANTS = tuple(sorted(path.stem for path in (ROOT / "kernels" / "variants").glob("[!_]*.py")))
"""Of the checkout, not of the commit: a commit that lacks one shows a gap."""


class _Experiment:
    """Seconds of one call; classes for asv derive from this one."""

    param_names = ("task", "dtype", "variant", "batch_size")
    version = "1"
    """Raised by hand when a task changes its meaning: asv then compares no new result with an old one."""
    timeout = 600
    network: str
    dataset: str

    def setup(self, task: str, dtype: str, variant: str, batch_size: int) -> None:
        self.call = _prepare(self.network, self.dataset, task, dtype, variant, batch_size)

    def time_task(self, *_: object) -> None:
        self.call()


@lru_cache(maxsize=1)
def _prepare(network: str, dataset: str, task: str, dtype: str, variant: str, batch_size: int) -> Call:
    """Certify and call once: a first call compiles, and would end asv's calibration before it began.

    Cached because asv repeats ``setup`` before each sample.
    """
    try:
        kernel = kernels.get(variant)
    except kernels.VariantError:
        raise
    except kernels.InputError as error:
        raise NotImplementedError(str(error)) from error
    spec = networks()[network]
    problem = load_problem(spec.build(dataset), dataset, dtype, spec.learning_rate)
    require_certificate(variant, problem)
    call = TASKS[task](kernel, problem, batch_size)
    call()
    return call


def _benchmarks() -> dict[str, type]:
    """Return a class for each experiment, named like ``logistic_breast_cancer``."""
    found: dict[str, type] = {}
    for network, dataset in PROFILE.experiments:
        cases = expand(PROFILE, Filters(network=(network,), dataset=(dataset,), threads=(1,)), VARIANTS)
        axes = [list(dict.fromkeys(getattr(case, axis) for case in cases)) for axis in _Experiment.param_names]
        name = "".join(letter if letter.isalnum() else "_" for letter in f"{network}_{dataset}")
        found[name] = type(name, (_Experiment,), {"network": network, "dataset": dataset, "params": axes})
    return found


globals().update(_benchmarks())
