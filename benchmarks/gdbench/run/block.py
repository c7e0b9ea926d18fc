"""The process of one block: ``FOLDER INDEX OUTPUT`` drives pytest-benchmark over the block's cases.

Standard output carries one JSON object a line: ``{"start": id}``, ``{"end": id, "failed": reason or null}`` for each
case, and ``{"done": true}`` when the block's file is written.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numba
import pytest
import threadpoolctl

from gdbench import __version__
from gdbench.experiments.cases import Case
from gdbench.machine.limits import measure_limits
from gdbench.processes.launch import allowed_cores
from gdbench.run import block_cases
from gdbench.run.plan import Plan, read_plan

FINISHED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""Ends of a block in which every case was measured, failed with its reason, or was left out."""


class BlockPlugin:
    """Feeds the cases to pytest, reports each to the parent, and adds the block to pytest-benchmark's file."""

    def __init__(self, plan: Plan, index: int, skipped: set[str], events: TextIO) -> None:
        self.plan_of_run, self.index, self.events = plan, index, events
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
        self.tell(start=self._case(item.nodeid).id)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Keep the reason of a failure in one line."""
        report = yield
        if call.excinfo is not None:
            text = str(call.excinfo.value).splitlines()
            self.reasons[item.nodeid] = f"{call.excinfo.typename}: {text[0] if text else ''}"
        if call.when == "call":
            self.tell(end=self._case(item.nodeid).id, failed=self.reasons.get(item.nodeid))
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
        output_json["gdbench"] = {
            "version": __version__,
            "block": self.index,
            "cores": allowed_cores(),
            "blas_threads": max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1),
            "numba_threads": numba.get_num_threads(),
            "torch_threads": sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None,
            "limits": asdict(self.limits),
        }

    def _case(self, nodeid: str) -> Case:
        return self.cases[int(nodeid.rsplit("[", 1)[1].rstrip("]"))]

    def tell(self, **event: str | bool | None) -> None:
        """Send an event to the parent."""
        try:
            self.events.write(json.dumps(event) + "\n")
            self.events.flush()
        except BrokenPipeError:  # the parent was killed: nobody wants the rest, and the core is free again
            os._exit(1)


def run_block(folder: Path, index: int, output: Path, events: TextIO) -> int:
    """Measure a block and return pytest's exit code; a case in ``failures.json`` is left out."""
    known = folder / "failures.json"
    skipped = set(json.loads(known.read_text())) if known.exists() else set()
    arguments = [
        block_cases.__file__,
        *("-c", os.devnull, "--rootdir", str(Path(block_cases.__file__).parent), "--import-mode=importlib"),
        *("--noconftest", "-p", "no:cacheprovider", "-p", "pytest_benchmark.plugin", "-q", "--no-header", "--tb=short"),
        *("--benchmark-json", str(output), "--benchmark-disable-gc", "--benchmark-columns=median"),
        *("--benchmark-storage", f"file://{output.parent}"),  # it makes this folder, where the user is by default
    ]
    plugin = BlockPlugin(read_plan(folder), index, skipped, events)
    code = int(pytest.main(arguments, plugins=[plugin]))
    if code in FINISHED:  # pytest-benchmark's file is written: whatever ends this process from now on costs nothing
        plugin.tell(done=True)
    return code


if __name__ == "__main__":
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what pytest prints goes to standard error, the events keep standard output
    sys.exit(run_block(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), stream))
