"""Part ``planted``: slowdowns as real commits, found or not, beside cases that the same commit leaves alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdbench.basics.statistics import median_interval
from gdbench.experiments.cases import Case
from gdbench.experiments.datasets import shape_of
from selftest import ROOT
from selftest.context import Context, compare
from selftest.verdicts.certified import refusals
from selftest.verdicts.mutants import EVERY, NATURAL, Mutant, mutants, shares
from selftest.verdicts.repository import Repository, clone
from selftest.verdicts.tree import name_of, plant_beside
from selftest.verdicts.truth import measure_process

PART, TRUTH = "planted", "truth"
VARIANTS = ("vectorized", "buffered", "jit")


@dataclass(frozen=True)
class Run:
    """One comparison: a commit that plants mutants, and the cases that are looked at, planted or not."""

    name: str
    planted: tuple[Mutant, ...]
    experiments: tuple[tuple[str, str], ...]
    tasks: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    dtypes: tuple[str, ...]

    def options(self) -> tuple[str, ...]:
        """Filters of the command line."""
        networks, datasets = zip(*self.experiments, strict=True)
        lists = {
            "network": networks,
            "dataset": datasets,
            "variant": VARIANTS,
            "task": self.tasks,
            "batch-size": self.batch_sizes,
            "dtype": self.dtypes,
        }
        return tuple(word for name, values in lists.items() for word in (f"--{name}", ",".join(map(str, values))))

    def pairs(self) -> list[tuple[Case, str]]:
        """Planted cases, each with its mutant as a variant of its own."""
        return [
            (Case(network, dataset, shape_of(dataset)[0], task, mutant.variant, size, dtype), name_of(mutant))
            for mutant in self.planted
            for network, dataset in self.experiments
            for task in self.tasks
            if task in mutant.slows
            for size in self.batch_sizes
            for dtype in self.dtypes
        ]


def share_runs() -> list[Run]:
    """Return as many runs as there are sizes: each size in each variant once, no two alike in one run."""
    sizes = tuple(EVERY)
    runs = []
    for first in range(len(sizes)):
        turned = {variant: sizes[(first + place) % len(sizes)] for place, variant in enumerate(VARIANTS)}
        planted = tuple(next(m for m in shares(size) if m.variant == variant) for variant, size in turned.items())
        experiments = (("logistic", "breast_cancer"), ("softmax", "digits"))
        runs.append(Run(f"shares {first}", planted, experiments, ("loss", "gradient", "epoch"), (1, 32), ("float64",)))
    return runs


def natural_runs() -> list[Run]:
    """Return runs that plant one in each of two variants, in turns, leaving the third alone; the last need not."""
    waiting = {variant: [mutant for mutant in NATURAL if mutant.variant == variant] for variant in VARIANTS}
    runs: list[Run] = []
    while any(waiting.values()):
        able = sorted((variant for variant in VARIANTS if waiting[variant]), key=lambda name: -len(waiting[name]))
        last = sum(map(len, waiting.values())) == len(VARIANTS)  # one of them alone would be too few planted cases
        planted = tuple(waiting[variant].pop(0) for variant in (able if last else able[:2]))
        experiments, tasks = (("mlp", "mnist5k"),), ("gradient", "epoch")
        runs.append(Run(f"natural {len(runs)}", planted, experiments, tasks, (32, 512), ("float32", "float64")))
    return runs


def measure(context: Context, kinds: Sequence[str], processes: int) -> None:
    """Certify all mutants, then compare each run's commit with its parent and measure how slow it really is.

    Raises
    ------
    RuntimeError
        If a mutant computes something else: it would be no slowdown.
    """
    repository = clone(ROOT, context.scratch / "planted")
    repository.reset("origin/HEAD")
    tree = plant_beside(context.scratch / "mutants", mutants(), repository.folder)
    _certify(context)
    wanted = {"shares": share_runs, "natural": natural_runs}
    for run in (run for kind in kinds for run in wanted[kind]()):
        key = f"{context.tier} {run.name}"
        if not context.journal.has(PART, key):
            context.say(f"planted: {run.name}, {', '.join(map(name_of, run.planted))}")
            found = _compare(context, repository, run)
            context.journal.write(PART, key, run=run.name, planted=[name_of(mutant) for mutant in run.planted], **found)
        _truth(context, run, tree, processes)


def _compare(context: Context, repository: Repository, run: Run) -> dict[str, Any]:
    """Commit the mutants of a run and compare with the commit before."""
    repository.reset("origin/HEAD")
    base = repository.git("rev-parse", "HEAD")
    head = repository.commit(run.name, {mutant.path: mutant.source(repository.folder) for mutant in run.planted})
    place = f"{context.tier}-{run.name.replace(' ', '-')}"
    return compare(context, base, head, repository=repository.folder, name=place, options=run.options())


def _certify(context: Context) -> None:
    tree, journal = context.scratch / "mutants", context.journal
    for variant in VARIANTS:
        key = f"certificates {variant}"
        names = [name_of(mutant) for mutant in mutants() if mutant.variant == variant]
        if journal.has(TRUTH, key):
            continue
        context.say(f"planted: {len(names)} mutants of {variant} are verified")
        wrong = refusals(tree, names)
        if wrong:
            raise RuntimeError(f"planted slowdowns must compute the same: {json.dumps(wrong)}")
        journal.write(TRUTH, key, certified=names)


def _truth(context: Context, run: Run, tree: Path, processes: int) -> None:
    if context.journal.has(TRUTH, run.name):
        return
    context.say(f"planted: how slow {run.name} really is, over {processes} processes")
    pairs = run.pairs()
    logs = [measure_process(tree, pairs, turn=turn, seed=context.seed + turn) for turn in range(processes)]
    rows = []
    for place, (case, mutant) in enumerate(pairs):
        found = median_interval([process[place] for process in logs])
        ratio, low, high = (math.exp(value) for value in found[:3])
        rows.append({"case": case.id, "mutant": mutant, "ratio": ratio, "low": low, "high": high})
    context.journal.write(TRUTH, run.name, processes=processes, rows=rows)
