"""One benchmark for each network on a data set of the profile, with the other axes of the grid as parameters.

The profile is smoke, or the one that the environment variable GDBENCH_PROFILE names.
"""

import os
from functools import lru_cache

import kernels
from gdbench.experiments.grid import Filters, expand, networks, profile
from gdbench.experiments.tasks import TASKS, Call, Problem, load_problem
from gdbench.machine.settings import check_settings
from gdbench.verify.gate import NotCertified, require_certificate, require_full_verification
from suite import ROOT

PROFILE = profile(os.environ.get("GDBENCH_PROFILE", "smoke"))
VARIANTS = tuple(sorted(path.stem for path in (ROOT / "kernels" / "variants").glob("[!_]*.py")))
"""Variants of the checkout, not of the commit: a commit that lacks one shows a gap.

Sorted by name: asv asks for parameters by position, so the order of display of a commit's registry would mix them up.
"""
VERIFICATION_SECONDS = 3600
"""asv's limit for ``setup_cache``: half a minute for the profile quick, many minutes for full."""


def setup_cache() -> dict[tuple[str, str, str, str], str]:
    """Verify every variant in full; return why those that failed are refused.

    asv calls this once in each round over a commit, and hands the answer to each ``setup``. It is no method, since asv
    tells caches apart by the line of their source: classes that inherit one would share that of the first.

    Returns
    -------
    dict
        A sentence for each refused (network, dataset, dtype, variant); empty when all are right.
    """
    check_settings()
    refusals = {}
    for network, dataset in PROFILE.experiments:
        for dtype in PROFILE.dtypes:
            problem = _load(network, dataset, dtype)
            for variant in VARIANTS:
                try:
                    require_full_verification(variant, problem)
                except NotCertified as refusal:
                    refusals[network, dataset, dtype, variant] = str(refusal)
                except kernels.InputError:  # not in this commit, or malformed: the setup of its cases says so
                    continue
    return refusals


setup_cache.timeout = VERIFICATION_SECONDS


class _Experiment:
    """Seconds of one call; classes for asv derive from this one."""

    param_names = ("task", "dtype", "variant", "batch_size")
    version = "1"
    """Raised by hand when a task changes its meaning: asv then compares no new result with an old one."""
    timeout = 600
    network: str
    dataset: str

    def setup(
        self, refusals: dict[tuple[str, str, str, str], str], task: str, dtype: str, variant: str, batch_size: int
    ) -> None:
        refusal = refusals.get((self.network, self.dataset, dtype, variant))
        if refusal is not None:
            raise NotCertified(refusal)
        self.call = _prepare(self.network, self.dataset, task, dtype, variant, batch_size)

    def time_task(self, *_: object) -> None:
        self.call()


@lru_cache(maxsize=1)
def _prepare(network: str, dataset: str, task: str, dtype: str, variant: str, batch_size: int) -> Call:
    """See that this process computes what was certified, and call once.

    A first call compiles, and would end asv's calibration before it began. Cached because asv repeats ``setup`` before
    each sample.
    """
    try:
        kernel = kernels.get(variant)
    except kernels.VariantError:
        raise
    except kernels.InputError as error:
        raise NotImplementedError(str(error)) from error
    problem = _load(network, dataset, dtype)
    require_certificate(variant, problem)
    call = TASKS[task](kernel, problem, batch_size)
    call()
    return call


def _load(network: str, dataset: str, dtype: str) -> Problem:
    spec = networks()[network]
    return load_problem(spec.build(dataset), dataset, dtype, spec.learning_rate)


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
