"""Simulated histories of a suite: what happened to its series, in the noise of machines, and what should be said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from gdbench.experiments.cases import Case
from gdbench.history.labels import ENVIRONMENT, REGRESSION, SHARED
from gdbench.history.series import History, Measured
from selftest.noises import NOISES, Floats

COMMITS, NEAR = 100, 3
"""Commits of a history, and by how many a step may be misplaced."""
VARIANTS, SIZES = ("reference", "jit", "vectorized", "buffered", "tiled"), (1, 32)
CASES = 10
"""Cases of a history in which something happens, two of them of the reference."""
ALL = tuple(range(CASES))
SLOW = 3
"""Index of the case that steps alone."""
HELPED = (2, 3, 4, 5, 6, 7, 8)
"""Indices of those that use a helper: most, and none of the reference."""
NO_VERSIONS: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class TrueStep:
    """A step: from which commit on, by what label it should be told, and the indices of the cases that have it.

    Attributes
    ----------
    hidden : tuple of int
        Those of the cases in which another step beside it may hide it.
    """

    at: int
    label: str
    cases: tuple[int, ...]
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class Event:
    """What happened: logs to add to the series (commits, cases), steps to be labelled, and changes of a version.

    Attributes
    ----------
    steps : tuple of TrueStep
        What should be told; any other label, place or case is wrong.
    drifting : tuple of int
        Indices of the cases of which a drift should be told.
    versions : mapping
        NumPy's version from a commit on.
    """

    logs: Floats
    steps: tuple[TrueStep, ...] = ()
    drifting: tuple[int, ...] = ()
    versions: Mapping[int, str] = field(default_factory=lambda: NO_VERSIONS)


def nothing(rng: np.random.Generator, cases: int = CASES) -> Event:
    """No step and no drift, in any number of cases."""
    return Event(np.zeros((COMMITS, cases)))


def single_step(rng: np.random.Generator) -> Event:
    """Make one case slower by 10 % at a commit."""
    at = _place(rng)
    return Event(_step(at, 0.1, (SLOW,)), (TrueStep(at, REGRESSION, (SLOW,)),))


def shared_step(rng: np.random.Generator) -> Event:
    """Make all cases that use a helper slower by 10 % at a commit."""
    at = _place(rng)
    return Event(_step(at, 0.1, HELPED), (TrueStep(at, SHARED, HELPED),))


def drift(rng: np.random.Generator) -> Event:
    """Let the machine become slower by 10 % over all commits."""
    return Event(_line(0.1, ALL), drifting=ALL)


def drift_of_one(rng: np.random.Generator) -> Event:
    """Let one case alone become slower by 10 % over all commits."""
    return Event(_line(0.1, (SLOW,)), drifting=(SLOW,))


def step_in_drift(rng: np.random.Generator) -> Event:
    """Make one case slower by 10 % at a commit while the machine drifts by 10 %."""
    one = single_step(rng)
    return Event(one.logs + _line(0.1, ALL), one.steps, drifting=ALL)


def excursion(rng: np.random.Generator) -> Event:
    """Let the machine be slower by 15 % for 15 commits, which nothing recorded."""
    at = int(rng.integers(15, COMMITS - 30))
    logs = _step(at, 0.15, ALL) - _step(at + 15, 0.15, ALL)
    return Event(logs, (TrueStep(at, ENVIRONMENT, ALL), TrueStep(at + 15, ENVIRONMENT, ALL)))


def environment(rng: np.random.Generator) -> Event:
    """Make most cases slower by 10 % with another version of NumPy."""
    at = _place(rng)
    return Event(_step(at, 0.1, HELPED), (TrueStep(at, ENVIRONMENT, HELPED),), versions={at: "2.1"})


def step_after_faster_machine(rng: np.random.Generator) -> Event:
    """Make one case slower by 15 % one commit after the machine became faster by 20 %."""
    at = _place(rng)
    logs = _step(at - 1, -0.2, ALL) + _step(at, 0.15, (SLOW,))
    steps = (TrueStep(at - 1, ENVIRONMENT, ALL, hidden=(SLOW,)), TrueStep(at, REGRESSION, (SLOW,)))
    return Event(logs, steps, versions={at - 1: "2.1"})


EVENTS: dict[str, Callable[[np.random.Generator], Event]] = {
    "nothing": nothing,
    "one case steps": single_step,
    "a shared helper steps": shared_step,
    "the machine drifts": drift,
    "one case drifts": drift_of_one,
    "a step while the machine drifts": step_in_drift,
    "an excursion": excursion,
    "another environment": environment,
    "a step one commit after a faster machine": step_after_faster_machine,
}


def history_of(rng: np.random.Generator, event: Event, noise: str, sd: float) -> History:
    """Make the history of an event in noise of a standard deviation."""
    logs = event.logs + sd * NOISES[noise](rng, event.logs.shape)
    commits = tuple(
        Measured(f"{i:040x}", f"Change {i}", "2026-01-01", {"numpy": _version(event, i)}, i) for i in range(COMMITS)
    )
    cases = [case_of(i) for i in range(logs.shape[1])]
    values = {case.id: 1e-3 * np.exp(logs[:, i]) for i, case in enumerate(cases)}
    return History("here", commits, values, {case.id: case for case in cases})


def case_of(index: int) -> Case:
    """Return a case: each variant at two batch sizes, and again at others from ten to ten."""
    variant, size = VARIANTS[index % CASES // len(SIZES)], SIZES[index % len(SIZES)]
    return Case("mlp", "mnist5k", 5000, "gradient", variant, size + index // CASES, "float64")


def _version(event: Event, at: int) -> str:
    return next((version for since, version in reversed(event.versions.items()) if since <= at), "2.0")


def _place(rng: np.random.Generator) -> int:
    return int(rng.integers(15, COMMITS - 15))


def _step(at: int, size: float, cases: tuple[int, ...]) -> Floats:
    logs = np.zeros((COMMITS, CASES))
    logs[at:, cases] = np.log1p(size)
    return logs


def _line(size: float, cases: tuple[int, ...]) -> Floats:
    logs = np.zeros((COMMITS, CASES))
    logs[:, cases] = np.linspace(0, np.log1p(size), COMMITS)[:, None]
    return logs
