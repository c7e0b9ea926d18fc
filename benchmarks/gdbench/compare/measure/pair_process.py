"""One side of a live pair: ``DESCRIPTOR`` names the connection over which it is asked, and answers.

It runs the kernels of one side, of any commit, so it asks nothing of them but the contract: ``kernels.Network``,
``kernels.get`` and the four functions. Of the instrument it has only the controls, the records of ``sides``, and
``answers``, which says how.
"""

from __future__ import annotations

import gc
import resource
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time, process_time_ns
from typing import Any

import numpy as np
import numpy.typing as npt

import kernels
from gdbench.basics.arrays import aligned
from gdbench.basics.calls import OF_A_BATCH, call_of, dispatchers
from gdbench.compare.measure import controls
from gdbench.compare.sides.sides import SentNetwork, SideDescription
from gdbench.processes.answers import serve

SEED = 0
"""Fixes the order of rows, alike on both sides."""
WARM_CALLS, WARM_SECONDS = 5, 0.02
"""A call is repeated so often, or for so long, to tell how long it takes: the fastest, since both cores are busy."""
PACKAGES = ("numpy", "numba", "llvmlite", "scipy")


@dataclass(frozen=True, eq=False)
class Held:
    """A problem that a side holds."""

    network: Any
    """``Network`` of this side's kernels."""
    learning_rate: float
    theta: npt.NDArray[Any]
    X: npt.NDArray[Any]
    Y: npt.NDArray[Any]


class Worker:
    """Holds the problems and the calls of a side; every public method answers one kind of question."""

    def __init__(self) -> None:
        self.problems: dict[str, Held] = {}
        self.heads: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.calls: dict[str, Callable[[], object]] = {}
        self.last: Any = None
        self.frozen = False

    def hello(self) -> SideDescription:
        """Say what this process runs on."""
        return SideDescription(
            python=sys.version,
            executable=sys.executable,
            packages={name: (version(name), sys.modules[name].__file__) for name in PACKAGES if name in sys.modules},
            kernels=kernels.__path__[0],
            variants=_variants(),
        )

    def add_problem(self, key: str, path: str, network: SentNetwork, learning_rate: float) -> None:
        """Take the arrays of a problem from a file."""
        arrays = np.load(path)
        theta = aligned(arrays["theta"])
        self.problems[key] = Held(_network(network), learning_rate, theta, arrays["X"], arrays["Y"])

    def prepare(self, case: str, variant: str, problem: str, task: str, batch_size: int, rows: int) -> float:
        """Make the call of a case on the first rows of its problem; return the seconds that it takes, warm."""
        found, kernel = self.problems[problem], kernels.get(variant)
        network, theta = found.network, found.theta
        if (problem, rows) not in self.heads:
            self.heads[problem, rows] = aligned(found.X[:rows]), aligned(found.Y[:rows])
        X, Y = self.heads[problem, rows]
        values = {"network": network, "theta": theta, "X": X, "Y": Y, "batch_size": batch_size}
        if task not in OF_A_BATCH:
            values |= {"order": np.random.default_rng(SEED).permutation(rows), "learning_rate": found.learning_rate}
        self.calls[case] = call_of(kernel, task, values)
        return self._warm(case)

    def prepare_control(self, case: str, steps: int) -> float:
        """Make the call of a control, of so many pieces of work if it is the spike-in."""
        self.calls[case] = controls.build(case, steps)
        return self._warm(case)

    def _warm(self, case: str) -> float:
        call, seconds = self.calls[case], list[float]()
        call()
        while len(seconds) < WARM_CALLS and sum(seconds) < WARM_SECONDS:
            begin = perf_counter()
            call()
            seconds.append(perf_counter() - begin)
        return min(seconds)

    def begin(self) -> int:
        """Collect garbage, and let it lie from now on; return the number of compiled signatures."""
        if not self.frozen:  # what the imports made is not looked through again before each case
            gc.freeze()
            self.frozen = True
        gc.collect()
        gc.disable()
        return _compiled()

    def sample(self, case: str, calls: int, warm_calls: int) -> tuple[int, int, int]:
        """Time so many calls, after some that are not timed.

        Returns wall time and CPU time in ns, and how often the process had to leave the core meanwhile.
        """
        call = self.calls[case]
        for _ in range(warm_calls):
            call()
        switches, used = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, process_time_ns()
        begin = perf_counter_ns()
        for _ in range(calls):
            call()
        wall = perf_counter_ns() - begin
        used = process_time_ns() - used
        return wall, used, resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches

    def allocated(self, case: str) -> int:
        """Most bytes that one call holds beyond what it found, as Python and NumPy tell ``tracemalloc``."""
        call, peaks = self.calls[case], []
        for _ in range(3):
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            call()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            tracemalloc.stop()
        return min(peaks)

    def first_calls(self, problem: str, variant: str, rows: int) -> tuple[float, int]:
        """CPU seconds that the first calls of the four functions take, and signatures that they compiled or loaded."""
        before, seconds = _compiled(), 0.0
        for task in ("forward", "loss", "gradient", "epoch"):
            begin = process_time()
            self.prepare(f"first {task}", variant, problem, task, rows, rows)
            seconds += process_time() - begin
        return seconds, _compiled() - before

    def call(self, variant: str, function: str, network: SentNetwork, arguments: list[Any]) -> tuple[Any, ...]:
        """Call a kernel for its certificate.

        Returns the answer, whether it lies in memory of an input or of the answer before, and the arrays as the
        kernel left them, None if it left them as they were.
        """
        values = [_as_sent(*value) if isinstance(value, tuple) else value for value in arguments]
        arrays = [value for value in values if isinstance(value, np.ndarray)]
        before = [array.copy() for array in arrays]
        with warnings.catch_warnings(), np.errstate(over="warn", divide="warn", invalid="warn"):
            warnings.simplefilter("error", RuntimeWarning)
            answer = getattr(kernels.get(variant), function)(_network(network), *values)
        shared = any(np.shares_memory(np.asarray(answer), array) for array in (*arrays, np.asarray(self.last)))
        self.last = answer
        changed = not all(np.array_equal(old, new, equal_nan=True) for old, new in zip(before, arrays, strict=True))
        return answer, shared, arrays if changed else None


def _variants() -> tuple[str, ...]:
    """Names of the variants of a side; of all its files if one of them is malformed, so that only its cases break."""
    try:
        return tuple(kernels.variants())
    except Exception:
        return tuple(sorted(path.stem for path in Path(kernels.__path__[0], "variants").glob("[!_]*.py")))


def _network(sent: SentNetwork) -> Any:
    """Return a network as the kernels of this side have it."""
    return kernels.Network(sent.sizes, sent.hidden, sent.output, sent.loss)


def _as_sent(values: Any, strides: tuple[int, ...]) -> Any:
    """Lay an array out as it was where it came from: kernels must take arrays that are not contiguous."""
    if values.strides == strides:
        return values.copy()
    reach = [(length - 1) * stride for length, stride in zip(values.shape, strides, strict=True)]
    memory = np.empty(sum(map(abs, reach)) + values.itemsize, np.uint8)
    first = -sum(distance for distance in reach if distance < 0)
    copy: Any = np.ndarray(values.shape, values.dtype, memory, first, strides)
    copy[...] = values
    return copy


def _compiled() -> int:
    """Signatures of functions of the kernels that this process has compiled or loaded."""
    return sum(len(value.signatures) for value in dispatchers())


if __name__ == "__main__":
    serve(int(sys.argv[1]), Worker())
