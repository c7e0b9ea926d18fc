"""The process of one block: drives pytest-benchmark over the block's cases, and tells how it gets on."""

from __future__ import annotations

import os
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

import numba
import pytest
import threadpoolctl

from gdbench import __version__
from gdbench.basics.records import plain
from gdbench.experiments.cases import Case
from gdbench.machine.limits import measure_limits
from gdbench.processes.answers import Tell, serve
from gdbench.processes.launch import allowed_cores
from gdbench.run import measure
from gdbench.run.events import CaseBegun, CaseEnded
from gdbench.run.plan import Plan, read_plan
from gdbench.run.raw import BlockFacts, read_failures, writing_block

FINISHED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""Ends of a block in which every case was measured, failed with its reason, or was left out."""


class BlockPlugin:
    """Feeds the cases to pytest, reports each to the parent, and adds the block to pytest-benchmark's file."""

    def __init__(self, plan: Plan, index: int, skipped: Container[str], tell: Tell) -> None:
        self.plan_of_run, self.index, self.tell = plan, index, tell
        cases = [plan.cases[position] for position in plan.blocks[index].cases]
        self.cases = [case for case in cases if case.id not in skipped]
        self.reasons: dict[str, str] = {}
        self.limits = measure_limits(sorted({case.dtype for case in cases}), plan.blocks[index].threads)

    @pytest.fixture
    def plan(self) -> Plan:
        """Return the plan of the run."""
        return self.plan_of_run

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each case, in the block's order."""
        names = list(Case.__dataclass_fields__)
        values = [tuple(case.to_dict().values()) for case in self.cases]
        metafunc.parametrize(names, values, ids=[str(position) for position in range(len(values))])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell the parent what is running, so that it can name the case if this process dies."""
        self.tell(CaseBegun(self._case(item.nodeid).id))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Keep the reason of a failure in one line."""
        report = yield
        if call.excinfo is not None:
            text = str(call.excinfo.value).splitlines()
            self.reasons[item.nodeid] = f"{call.excinfo.typename}: {text[0] if text else ''}"
        if call.when == "call":
            self.tell(CaseEnded(self._case(item.nodeid).id, self.reasons.get(item.nodeid)))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_generate_machine_info(self) -> dict[str, str]:
        """Leave the machine to ``environment.json``: pytest-benchmark would take a second for it in every block."""
        return {"described_in": "environment.json"}

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_generate_commit_info(self) -> dict[str, str]:
        """Leave the commit to ``environment.json``."""
        return {"described_in": "environment.json"}

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Say which block this file holds, and which cores and threads its process really had."""
        output_json["gdbench"] = plain(
            BlockFacts(
                version=__version__,
                block=self.index,
                cores=tuple(allowed_cores()),
                blas_threads=max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1),
                numba_threads=numba.get_num_threads(),
                torch_threads=sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None,
                limits=self.limits,
            )
        )

    def _case(self, nodeid: str) -> Case:
        return self.cases[int(nodeid.rsplit("[", 1)[1].rstrip("]"))]


class Worker:
    """Answers for the process that it lives in."""

    def measure(self, folder: Path, index: int, output: Path, *, tell: Tell) -> None:
        """Measure a block of the run in a folder; tell ``CaseBegun`` and ``CaseEnded`` for each case.

        A case in ``failures.json`` is left out. The block's file is written at the end, unless every case failed.

        Raises
        ------
        InputError
            If the file, or what is kept of compiled code, cannot be written.
        RuntimeError
            If pytest did not come to the end of the block.
        """
        arguments = [
            measure.__file__,
            *("-c", os.devnull, "--rootdir", str(Path(measure.__file__).parent), "--import-mode=importlib"),
            *("--noconftest", "-p", "no:cacheprovider", "-p", "pytest_benchmark.plugin"),
            *("-q", "--no-header", "--tb=short"),
            *("--benchmark-json", str(output), "--benchmark-disable-gc", "--benchmark-columns=median"),
            *("--benchmark-storage", f"file://{output.parent}"),  # it makes this folder, where the user is by default
        ]
        with writing_block(folder):  # Numba keeps compiled code before the first case, and pytest-benchmark writes last
            code = pytest.main(arguments, plugins=[BlockPlugin(read_plan(folder), index, read_failures(folder), tell)])
        if code not in FINISHED:
            raise RuntimeError(f"pytest ended with code {int(code)}")


if __name__ == "__main__":
    serve(int(sys.argv[1]), Worker())
