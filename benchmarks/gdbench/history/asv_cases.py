"""Which case of ours a benchmark of asv is, with its parameters; the inverse of what ``benchmarks/suite`` makes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from gdbench.experiments.cases import Case
from gdbench.experiments.datasets import shape_of
from gdbench.experiments.grid import experiments

MODULE, METHOD = "experiments", "time_task"
AXES = ("task", "dtype", "variant", "batch_size")
"""Parameters of the suite's benchmarks, in their order."""


def case_of(benchmark: str, parameters: Sequence[str]) -> Case | None:
    """Return the case, or None for a benchmark that is not one of the suite's.

    Parameters
    ----------
    benchmark : str
        asv's name, such as ``experiments.logistic_breast_cancer.time_task``.
    parameters : sequence of str
        As asv stores them, such as ``"'gradient'"`` or ``"32"``.
    """
    module, _, rest = benchmark.partition(".")
    experiment, _, method = rest.partition(".")
    pair = _experiment_classes().get(experiment)
    if pair is None or module != MODULE or method != METHOD or len(parameters) != len(AXES):
        return None
    axes = dict(zip(AXES, map(_value, parameters), strict=True))
    if not str(axes["batch_size"]).isdecimal() or int(str(axes["batch_size"])) < 1:
        return None
    network, dataset = pair
    return Case(
        network=network,
        dataset=dataset,
        n_rows=shape_of(dataset)[0],
        task=str(axes["task"]),
        variant=str(axes["variant"]),
        batch_size=int(str(axes["batch_size"])),
        dtype=str(axes["dtype"]),
    )


def name_of(benchmark: str, parameters: Sequence[str]) -> str:
    """Name a series: by our case where it is one, otherwise by asv's name and parameters."""
    case = case_of(benchmark, parameters)
    if case is not None:
        return case.id
    return f"{benchmark}({', '.join(str(_value(text)) for text in parameters)})" if parameters else benchmark


def names_of(series: Iterable[tuple[str, tuple[str, ...]]]) -> dict[tuple[str, tuple[str, ...]], str]:
    """Name each series, by its benchmark and parameters: no two alike.

    Where readable names are, as those of the parameters 1 and ``'1'``, parameters are written as asv stores them.
    """
    ways = (name_of, lambda benchmark, parameters: f"{benchmark}({', '.join(parameters)})", _unmistakable)
    chosen = dict.fromkeys(series, 0)
    while True:
        names = {key: ways[way](*key) for key, way in chosen.items()}
        count = Counter(names.values())
        alike = [key for key, way in chosen.items() if count[names[key]] > 1 and way + 1 < len(ways)]
        if not alike:
            return names
        for key in alike:
            chosen[key] += 1


def _unmistakable(benchmark: str, parameters: Sequence[str]) -> str:
    """Name a series so that a comma within a parameter is none between two."""
    return f"{benchmark}{[*parameters]}"


@cache
def _experiment_classes() -> dict[str, tuple[str, str]]:
    """Pairs of network and data set by the name of the class that the suite makes of them."""
    return {
        "".join(letter if letter.isalnum() else "_" for letter in f"{network}_{dataset}"): (network, dataset)
        for network, dataset in experiments()
    }


def _value(text: str) -> object:
    """Read a parameter as asv stores it: the representation of a Python value."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that its documentation names
        return text
