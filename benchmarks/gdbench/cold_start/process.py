"""A fresh process that imports one variant and makes its first calls: ``DESCRIPTOR TASK BEGUN``.

Nothing but Python's own modules, and few of them, is imported before the variant, whose imports are what is timed. So
the task is JSON on the command line, and the connection is opened when everything has been measured.
"""

import json
import os
import sys
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

from gdbench.basics.calls import OF_A_BATCH, call_of, dispatchers

PYTHON_READY = monotonic()

STEADY_CALLS = 3
"""The shortest of this many further calls is the time of a call that is no longer the first."""


def measure(task: dict[str, Any], begun: float) -> tuple[dict[str, Any], list[int]]:
    """Import the task's variant and call it.

    Parameters
    ----------
    task : dict
        JSON of a ``gdbench.cold_start.measure.Assignment``.
    begun : float
        Reading of ``time.monotonic`` when the parent started this process.

    Returns
    -------
    times : dict
        Fields of ``ProcessTimes``.
    compiled_again : list of int
        Positions of the problems after the first for which the variant compiled anew.
    """
    os.environ["NUMBA_CACHE_DIR"] = task["cache"]
    import numpy as np  # noqa: PLC0415

    numpy_ready = monotonic()
    kernel = _get(task["variant"], peer=task["peer"])
    imported, with_numba = monotonic(), "numba" in sys.modules
    main, *others = ({**np.load(problem["arrays"]), **problem} for problem in task["problems"])
    calls = _calls(kernel, main)
    first, signatures = [_seconds(call) for call in calls], _signatures()
    times = {
        "python_seconds": PYTHON_READY - begun,
        "numpy_seconds": numpy_ready - begun,
        "import_seconds": imported - begun,
        "numba_imported": with_numba,
        "first_seconds": tuple(first),
        "steady_seconds": tuple(min(_seconds(call) for _ in range(STEADY_CALLS)) for call in calls),
        **signatures,
    }
    return times, [position for position, problem in enumerate(others, start=1) if _compiles_again(kernel, problem)]


def _compiles_again(kernel: Any, problem: dict[str, Any]) -> bool:
    before = _signatures()
    for call in _calls(kernel, problem):
        call()
    return _signatures() != before


def _get(name: str, *, peer: bool) -> Any:
    """Import a variant, and none but it."""
    if peer:
        from gdbench.experiments import variants  # noqa: PLC0415

        return variants.get(name)
    import kernels  # noqa: PLC0415

    return kernels.get(name)


def _calls(kernel: Any, problem: dict[str, Any]) -> list[Callable[[], object]]:
    """Return the calls of a problem, each a task and a batch size, on its arrays."""
    from kernels import Network  # noqa: PLC0415

    network = Network(**problem["network"])
    theta, X, Y, order = (problem[name] for name in ("theta", "X", "Y", "order"))
    calls = []
    for task, size in problem["calls"]:
        rows = size if task in OF_A_BATCH else len(X)
        values = {"network": network, "theta": theta, "X": X[:rows], "Y": Y[:rows], "order": order}
        calls.append(call_of(kernel, task, values | {"batch_size": size, "learning_rate": problem["learning_rate"]}))
    return calls


def _seconds(call: Callable[[], object]) -> float:
    begin = perf_counter()
    call()
    return perf_counter() - begin


def _signatures() -> dict[str, int]:
    """Signatures that Numba compiled in this process, and those that it loaded, for functions of the kernels."""
    stats = [value.stats for value in dispatchers()]
    return {
        "compiled": sum(sum(found.cache_misses.values()) for found in stats),
        "loaded": sum(sum(found.cache_hits.values()) for found in stats),
    }


def _serve(descriptor: int, times: dict[str, Any], compiled_again: list[int]) -> None:
    """Answer with what was measured."""
    from gdbench.cold_start.entries import ColdStartAnswer, ProcessTimes  # noqa: PLC0415 - after all has been measured
    from gdbench.processes.answers import serve  # noqa: PLC0415

    class Worker:
        def answer(self) -> ColdStartAnswer:
            return ColdStartAnswer(ProcessTimes(**times), tuple(compiled_again))

    serve(descriptor, Worker())


if __name__ == "__main__":
    _serve(int(sys.argv[1]), *measure(json.loads(sys.argv[2]), float(sys.argv[3])))
