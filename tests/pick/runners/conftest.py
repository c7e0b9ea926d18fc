"""The problem of all tests of runners, what its trials give in this process, and sources that are not ours."""

from pathlib import Path

import pytest

from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves

from ...helpers import copy_sources
from .runner_cases import make_problem, run_here


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
