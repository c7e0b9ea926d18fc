"""What the tests of runners share: trials of a real network, what they give here, an ear for them, and a cluster."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import distributed
import numpy as np
import psutil

from gdbench.experiments import datasets
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.launch import thread_environment
from kernels import Network

from ...helpers import LIMIT_SECONDS

TRIALS = [Trial(size, 0.1, (0, 1), (50, 100, 200), 1e-6) for size in (4, 8, 16, 32, 64, 128)]
"""None of them reaches its goal."""
ENDLESS = replace(TRIALS[0], looks=(1_000_000_000,))
"""It takes days."""
SAME = 1e-9
"""Relative difference that rounding explains."""
CLOCKED = ("seconds", "look_seconds")
"""What no two runs of a trial have in common."""


def make_problem(entropy: int = 5) -> NetworkProblem:
    digits = datasets.load("digits")
    variants = {trial.batch_size: "vectorized" for trial in TRIALS}
    rows = (digits.X, digits.Y)
    return NetworkProblem(Network.softmax(64, 10), *rows, *rows, variants, entropy, sample=np.arange(500))


def run_here(problem: NetworkProblem, trials: Sequence[Trial] = TRIALS) -> list[Curves]:
    with serial() as runner:
        return runner.run(problem, trials)


def same(one: Sequence[Curves], other: Sequence[Curves]) -> bool:
    """Whether all fields are equal: what was computed once, and sent or kept since."""
    return _equal(one, other, tuple(field.name for field in fields(Curves)), 0.0)


def alike(one: Sequence[Curves], other: Sequence[Curves]) -> bool:
    """Whether all but times is equal but for rounding: what two processes computed."""
    return _equal(one, other, tuple(field.name for field in fields(Curves) if field.name not in CLOCKED), SAME)


def identical(one: Sequence[Curves], other: Sequence[Curves]) -> bool:
    """Whether all but times is equal, bit for bit: what processes of one machine computed."""
    return _equal(one, other, tuple(field.name for field in fields(Curves) if field.name not in CLOCKED), 0.0)


def _equal(one: Sequence[Curves], other: Sequence[Curves], names: Sequence[str], tolerance: float) -> bool:
    assert len(one) == len(other)
    pairs = [
        (np.asarray(getattr(a, name)), np.asarray(getattr(b, name)))
        for a, b in zip(one, other, strict=True)
        for name in names
    ]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=tolerance, atol=0) for a, b in pairs)


@dataclass
class Ear:
    """Hears of finished trials, and does something at the first."""

    at_first: Callable[[], None] = lambda: None
    heard: dict[int, Curves] = field(default_factory=dict)
    calls: int = 0

    def __call__(self, place: int, curves: Curves) -> None:
        self.calls += 1
        self.heard[place] = curves
        if self.calls == 1:
            self.at_first()

    def agrees(self, results: list[Curves]) -> bool:
        """Whether it heard of each trial once, in its place, and of what was returned."""
        return self.calls == len(results) and same([self.heard[place] for place in range(len(results))], results)


def pool_workers(parent: int | None = None) -> list[psutil.Process]:
    """Processes of a pool, of ours or of another process."""
    found = []
    for child in psutil.Process(parent).children():
        try:
            if "--multiprocessing-fork" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def environment() -> dict[str, str]:
    """One thread for another process, but Numba's variables as they are here: the journal tells them apart."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    return {name: value for name, value in thread_environment(1).items() if not name.startswith("NUMBA_")} | ours


def environment_of(sources: Path) -> dict[str, str]:
    return environment() | {"PYTHONPATH": os.pathsep.join([str(sources), str(sources / "benchmarks")])}


@dataclass
class Cluster:
    """A scheduler and workers, each a process of its own."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    address: str = ""

    def start_scheduler(self) -> None:
        file = self.folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        end = time.monotonic() + LIMIT_SECONDS
        while not self.address:
            assert time.monotonic() < end
            time.sleep(0.05)
            try:
                self.address = json.loads(file.read_text(encoding="utf-8"))["address"]
            except (OSError, ValueError):  # not there yet, or not whole
                continue

    def start_worker(
        self, environment: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
        return self._start("dask_worker", self.address, *options, environment=environment, cwd=cwd)

    def _start(
        self, program: str, *options: str, environment: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *options, "--no-dashboard"]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen(command, env=environment or thread_environment(2), cwd=cwd, **streams))
        return self.processes[-1]

    def worker(self, number: int) -> subprocess.Popen[bytes]:
        """Return a worker by its number, which is started unless a test before has."""
        return self.processes[number] if number < len(self.processes) else self.start_worker()

    def stop_workers(self) -> None:
        for process in self.processes[1:]:
            self.stop(process)
        del self.processes[1:]
        self.wait_for(0)

    def wait_for(self, workers: int) -> None:
        with distributed.Client(self.address, set_as_default=False) as client:
            end = time.monotonic() + LIMIT_SECONDS
            while len(client.nthreads()) != workers:
                assert time.monotonic() < end
                time.sleep(0.05)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
