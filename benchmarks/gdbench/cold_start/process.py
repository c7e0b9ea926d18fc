"""A fresh process that imports one variant and makes its first calls: ``JOB BEGUN`` prints the times as JSON.

Nothing but Python's own modules is imported before the variant, whose imports are what is timed.
"""

import json
import os
import sys
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

PYTHON_READY = monotonic()

STEADY_CALLS = 3
"""The least time of so many further calls is the time of a call that is no longer the first."""
KERNELS = "kernels."


def serve(job: dict[str, Any], begun: float) -> dict[str, Any]:
    """Import the job's variant and call it; ``begun`` is when the parent started this process (``monotonic``)."""
    os.environ["NUMBA_CACHE_DIR"] = job["cache"]
    import numpy as np  # noqa: PLC0415

    numpy_ready = monotonic()
    kernel = _get(job["variant"], peer=job["peer"])
    imported, with_numba = monotonic(), "numba" in sys.modules
    main, *others = ({**np.load(problem["arrays"]), **problem} for problem in job["problems"])
    calls = _calls(kernel, main)
    first, signatures = [_seconds(call) for call in calls], _signatures()
    answer: dict[str, Any] = {
        "python_seconds": PYTHON_READY - begun,
        "numpy_seconds": numpy_ready - begun,
        "import_seconds": imported - begun,
        "numba_imported": with_numba,
        "first_seconds": first,
        "steady_seconds": [min(_seconds(call) for _ in range(STEADY_CALLS)) for call in calls],
        "compiled": signatures["compiled"],
        "loaded": signatures["loaded"],
        "compiled_again": [],
    }
    for position, problem in enumerate(others, start=1):
        before = _signatures()
        for call in _calls(kernel, problem):
            call()
        if _signatures() != before:
            answer["compiled_again"].append(position)
    return answer


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

    fields = problem["network"]
    network = Network(tuple(fields["sizes"]), fields["hidden"], fields["output"], fields["loss"])
    theta, X, Y, order = (problem[name] for name in ("theta", "X", "Y", "order"))
    rate = problem["learning_rate"]
    tasks: dict[str, Callable[[int], object]] = {
        "forward": lambda size: kernel.forward(network, theta, X[:size]),
        "loss": lambda size: kernel.loss(network, theta, X[:size], Y[:size]),
        "gradient": lambda size: kernel.gradient(network, theta, X[:size], Y[:size]),
        "epoch": lambda size: kernel.epoch(network, theta, X, Y, order, size, rate),
    }
    return [lambda task=task, size=size: tasks[task](size) for task, size in problem["calls"]]  # type: ignore[misc]


def _seconds(call: Callable[[], object]) -> float:
    begin = perf_counter()
    call()
    return perf_counter() - begin


def _signatures() -> dict[str, int]:
    """Signatures that Numba compiled in this process, and those that it loaded, for functions of the kernels."""
    if "numba" not in sys.modules:
        return {"compiled": 0, "loaded": 0}
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415

    modules = [module for name, module in sys.modules.items() if name.startswith(KERNELS)]
    values = {id(value): value for module in modules for value in vars(module).values()}
    stats = [value.stats for value in values.values() if isinstance(value, Dispatcher)]
    return {
        "compiled": sum(sum(found.cache_misses.values()) for found in stats),
        "loaded": sum(sum(found.cache_hits.values()) for found in stats),
    }


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(serve(json.loads(sys.argv[1]), float(sys.argv[2]))) + "\n")
