"""The family of cases of a comparison: those of HEAD's grid, on every variant that either side has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gdbench.compare.sides.builds import Build
from gdbench.compare.sides.sides import SentNetwork
from gdbench.experiments.cases import Axes, Case, NetworkSpec
from gdbench.experiments.grid import Filters, experiments, networks, profiles, select
from gdbench.experiments.tasks import Problem, load_problem
from gdbench.verify.stages import QUICK_ROWS
from kernels import InputError
from kernels.errors import unknown

EPOCH_ROWS = 128
"""Rows of an epoch, or those of one batch if that is more: a ratio needs no whole pass over the data."""
PROFILE = "compare"
USUALLY_LEFT_OUT = ("reference",)
"""Measured only if asked for: it is never optimised, and slow."""
ARROW = "->"
"""Between the names of two variants that are compared."""


@dataclass(frozen=True, eq=False)
class StoredProblem:
    """A problem in a file that both sides read, and its first rows, on which every block checks both sides."""

    path: str
    head: Problem

    @property
    def told(self) -> tuple[str, SentNetwork, float]:
        """What a side is told of it: path, network, learning rate."""
        return self.path, SentNetwork.of(self.head.network), self.head.learning_rate


@dataclass(frozen=True)
class Family:
    """Cases, the networks that they name, and the two variants of each side if variants are compared."""

    cases: tuple[Case, ...]
    specs: dict[str, NetworkSpec]
    pair: tuple[str, str] | None = None
    """Names of the variants of base and head, if those are what is compared."""
    note: str = ""
    """What is to be known of the choice of cases."""

    def variant(self, case: Case, side: int) -> str:
        """Name of the variant that a side (0 the base, 1 the head) computes a case with."""
        return case.variant if self.pair is None else self.pair[side]

    def problem(self, case: Case) -> Problem:
        """Arrays of a case."""
        spec = self.specs[case.network]
        return load_problem(spec.build(case.dataset), case.dataset, case.dtype, spec.learning_rate)

    def threads(self) -> list[int]:
        """Numbers of threads that occur: each needs processes of its own."""
        return sorted({case.threads for case in self.cases})


def rows_of(case: Case) -> int:
    """Rows that one timed call works through."""
    return min(case.n_rows, max(case.batch_size, EPOCH_ROWS)) if case.task == "epoch" else case.batch_size


def problem_key(case: Case) -> str:
    """Name of the arrays that cases share."""
    return f"{case.network}@{case.dataset} {case.dtype}"


def make_family(builds: tuple[Build, Build], variants: Sequence[Sequence[str]], filters: Filters) -> Family:
    """Return the cases of HEAD's grid under filters; ``variants`` are the names that each side has.

    Raises
    ------
    InputError
        If a filter names what neither side has, or leaves nothing.
    """
    base, head = (build.side for build in builds)
    pair = (str(base.variant), str(head.variant)) if base.kind == "variant" else None
    if pair is not None and filters.variant:
        raise InputError(f"{base.text} and {head.text} are the variants that are compared: leave out --variant")
    there = list(dict.fromkeys(name for names in reversed(variants) for name in names))
    for name in filters.variant:
        if name not in there:
            raise unknown("variant of either side called", name, there)
    grid, note = _grid_of(builds[1])
    chosen = profiles(grid)[PROFILE]
    axes = Axes(
        tasks=filters.task or chosen.tasks,
        variants=filters.variant or tuple(name for name in there if name not in USUALLY_LEFT_OUT),
        batch_sizes=filters.batch_size or chosen.batch_sizes,
        dtypes=filters.dtype or chosen.dtypes,
        threads=filters.threads or chosen.threads,
    )
    if pair is not None:
        axes = replace(axes, variants=(ARROW.join(pair),))
    exactly = filters.network and filters.dataset  # a pair that is named need not be in the profile
    among = experiments(grid) if exactly else chosen.experiments
    pairs = select(among, filters, "the grid" if exactly else f"profile {PROFILE}", grid)
    cases = [case for names in pairs for case in axes.cases(*names)]
    if not cases:
        raise InputError("every batch size is above the number of rows: ask for a smaller one, or for n")
    specs = networks(grid)
    return Family(tuple(cases), {case.network: specs[case.network] for case in cases}, pair, note)


def _grid_of(build: Build) -> tuple[Path | None, str]:
    """Return HEAD's grid where it says what is compared, else None, which is our own, with a word on it.

    Raises
    ------
    InputError
        If HEAD's grid cannot be read.
    """
    if build.grid is None:
        return None, ""
    try:
        if PROFILE in profiles(build.grid):
            return build.grid, ""
    except (KeyError, TypeError) as error:
        raise InputError(f"grid.toml of {build.side.text} lacks something ({error}): correct it") from error
    return None, f"The grid of {build.side.text} has no profile {PROFILE}: the cases are those of this gdbench."


def store_problems(family: Family, folder: Path) -> dict[str, StoredProblem]:
    """Write the arrays of every problem where both sides read them; return them by key."""
    stored: dict[str, StoredProblem] = {}
    for case in family.cases:
        key = problem_key(case)
        if key not in stored:
            problem = family.problem(case)
            path = folder / f"problem-{len(stored)}.npz"
            np.savez(path, theta=problem.theta, X=problem.X, Y=problem.Y)
            stored[key] = StoredProblem(str(path), problem.head(QUICK_ROWS))
    return stored


def certified_together(cases: Iterable[Case]) -> dict[tuple[str, str], Case]:
    """One case for each variant and problem: certificates hold for all tasks and batch sizes."""
    found: dict[tuple[str, str], Case] = {}
    for case in sorted(cases, key=problem_key):  # the truth of a problem is kept while its variants are verified
        found.setdefault((problem_key(case), case.variant), case)
    return found
