"""The problem of all tests of runners, what its trials give in this process, sources that are not ours, a cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gdbench.pick.runners import cluster
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves

from ...helpers import LIMIT_SECONDS, copy_sources
from .runner_cases import Cluster, make_problem, run_here


@pytest.fixture(scope="session")
def problem() -> NetworkProblem:
    return make_problem()


@pytest.fixture(scope="session")
def expected(problem: NetworkProblem) -> list[Curves]:
    return run_here(problem)


@pytest.fixture(scope="session")
def other_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with a remark in one that computes trials."""
    folder = copy_sources(tmp_path_factory.mktemp("other"))
    with (folder / "benchmarks" / "gdbench" / "pick" / "steps" / "problem.py").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    return folder


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        found.start_scheduler()
        yield found
    finally:
        for process in found.processes:
            found.stop(process)


@pytest.fixture
def dask(scheduler: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The scheduler, which may take long to answer on a busy machine, with workers that all tests may ask."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", LIMIT_SECONDS)
    return scheduler


@pytest.fixture
def own_dask(dask: Cluster) -> Iterator[Cluster]:
    """The same for a test that kills workers, or starts such as no other may ask: none of them is left."""
    yield dask
    dask.stop_workers()
