"""Picks on real data: exhaustive runs at all batch sizes and rates, picks with several seeds, and times of the machine.

The stages are measured apart: ``oracle`` (the exhaustive runs), ``picks`` (searches), ``times`` (seconds per step,
which want a quiet machine) and ``report`` (exhaustive runs at what was picked, and regrets). Whatever has been measured
is kept, and a later call goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gdbench.pick.steps.measure_steps import carry, measure_steps
from threadpoolctl import threadpool_limits

from gdbench.basics.records import parse, plain
from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice
from gdbench.pick.choose.choose import choose
from gdbench.pick.finding import OPERATIONS, OPERATIONS_PER_ROW
from gdbench.pick.runners.journal import Journal as Blocks
from gdbench.pick.runners.journal import Journaled
from gdbench.pick.runners.pool import processes
from gdbench.pick.seconds.measure import measure_step_time
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.tiers import get_tier
from gdbench.pick.steps.trials import Runner
from selftest.context import Context
from selftest.picks.cells import CELLS, Cell
from selftest.picks.curves import Truth, among, step_seconds
from selftest.picks.findings import REGRETS, TABLES, code_of_search, latest, put
from selftest.picks.runs import COARSE, FINE, FINEST, PICKED, Found, Runs, on_grid, vertex
from selftest.picks.scores import finite

TARGETS, GUESSES, PICKS, TIMES, PROVISIONAL = "targets", "guesses", "picks", "times", "provisional times"
STAGES = ("oracle", "picks", "times", "report")
VARIANTS = ("vectorized", "auto")
ENTROPY = 10_000
"""Entropy of the exhaustive runs' seeds, which no search has."""
CAP = 3.0
"""Most steps of a run, over those that a search expects."""
SECONDS = 10.0
"""For the times of a variant."""


@dataclass(frozen=True)
class Study:
    """One cell with its context and the runner of its blocks."""

    context: Context
    cell: Cell
    runner: Runner

    def measure(self, stage: str) -> None:
        """Measure what a stage lacks."""
        stages: dict[str, Callable[[], None]] = {
            "oracle": self.oracle,
            "picks": self.picks,
            "times": self.times,
            "report": self.regrets,
        }
        stages[stage]()

    def oracle(self) -> None:
        """Run descent at every batch size about its best rate, and often at the best batch sizes."""
        runs, near = self._runs()
        for size in sorted(near, reverse=True):
            first = runs.best(size, on_grid(near[size], COARSE), self.cell.locating, step=COARSE)
            found = runs.best(size, first.rate, self.cell.coarse, step=COARSE)
            self._say(f"B = {size}: {_words(found)}")
        self._refine(runs)

    def picks(self) -> None:
        """Search with every seed, as the command does."""
        code = code_of_search()
        known = {entry["key"] for entry in self.context.journal.entries(PICKS) if entry["code"] == code}
        for seed in range(1, self.cell.picks + 1):
            key = f"{self.context.tier} {self.cell.name} {seed}"
            if key not in known:
                found = self._search(seed, self.context.tier)
                values = {
                    "cell": self.cell.name,
                    "seed": seed,
                    "tier": self.context.tier,
                    "steps": plain(found),
                }
                self.context.journal.write(PICKS, key, code=code, **values)
                self._say(f"seed {seed}: {found.status}, {found.runs} runs, {found.examples:.3g} rows")

    def times(self) -> None:
        """Time a step at every batch size."""
        for variant in VARIANTS:
            self._timed(TIMES, variant)

    def regrets(self) -> None:
        """Run descent at what was picked, often at those batch sizes and at the best ones, and compare."""
        runs, _ = self._runs()
        times = {variant: self._times(variant) for variant in VARIANTS}
        chosen = [
            (entry, variant, self._choice(entry, times[variant])) for entry in self._picked() for variant in VARIANTS
        ]
        sizes = {choice.batch_size for _, _, choice in chosen if isinstance(choice, BatchSizeChoice)}
        self._refine(runs, sizes & set(self.cell.sizes))
        truth, picked = Truth(self.cell, runs), replace(runs, part=PICKED)
        for _, _, choice in chosen:
            if isinstance(choice, BatchSizeChoice) and choice.learning_rate is not None:
                picked.at(choice.batch_size, [choice.learning_rate], self.cell.refined)
        for variant in VARIANTS:
            values = {"cell": self.cell.name, "variant": variant, "target": self._target().words}
            table = truth.table(times[variant])
            put(self.context.journal, TABLES, f"{self.cell.name} {variant}", **values, **table)
        for entry, variant, choice in chosen:
            self._keep(truth, entry, times[variant], choice)

    def _picked(self) -> list[dict[str, Any]]:
        return [entry for entry in latest(self.context.journal, PICKS) if entry["cell"] == self.cell.name]

    def _choice(self, entry: dict[str, Any], times: Times) -> BatchSizeChoice | NoChoice:
        return choose(parse(entry["steps"], Steps), among(times, self.cell.candidates), n_rows=self.cell.data.n_rows)

    def _keep(self, truth: Truth, entry: dict[str, Any], times: Times, choice: BatchSizeChoice | NoChoice) -> None:
        best = truth.order(times)[0]
        seconds = truth.seconds(times)[best]
        key = f"{entry['key']} {times.variant}"
        names = {"cell": self.cell.name, "variant": times.variant, "seed": entry["seed"], "tier": entry["tier"]}
        found = {**names, "best": best, "seconds": seconds}
        if isinstance(choice, NoChoice) or choice.learning_rate is None:
            put(self.context.journal, REGRETS, key, **found, picked=None, regret=None, covered=False)
            return
        runs = replace(truth.runs, part=PICKED).at(choice.batch_size, [choice.learning_rate], self.cell.refined)
        true = runs[choice.learning_rate].steps * step_seconds(times, choice.batch_size)
        values = {
            "picked": choice.batch_size,
            "rate": choice.learning_rate,
            "expected": finite(choice.seconds),
            "true": finite(true),
            "regret": finite(true / seconds - 1),
            "half_width": finite(runs[choice.learning_rate].half_width),
            "covered": _within(choice, true),
        }
        put(self.context.journal, REGRETS, key, **found, **values)
        regret = true / seconds - 1
        self._say(f"{times.variant}, seed {entry['seed']}: B = {choice.batch_size}, best {best}, regret {regret:.1%}")

    def _refine(self, runs: Runs, also: Collection[int] = ()) -> None:
        """Run often at some batch sizes, and at the best ones of each variant, until those are the best."""
        truth = Truth(self.cell, runs)
        for variant in VARIANTS:
            times = self._times(variant)
            while rough := [size for size in (*truth.contenders(times), *also) if not truth.is_refined(size)]:
                self._refine_at(runs, rough[0])

    def _refine_at(self, runs: Runs, size: int) -> None:
        near = on_grid(vertex(runs.most_certain(size)))
        found = runs.best(size, near, self.cell.refined, step=FINE, width=self.cell.width)
        if size == self.cell.data.n_rows and self.cell.width:  # all runs are the same but for their starts
            found = runs.best(size, found.rate, self.cell.refined, step=FINEST)
        self._say(f"B = {size}, refined: {_words(found)}")

    def _runs(self) -> tuple[Runs, dict[int, float]]:
        """The exhaustive runs, and a rate to begin with at each batch size."""
        guess = self._guess()
        near, caps = {}, {}
        known = [(row["batch_size"], row["learning_rate"], row["steps"]) for row in guess if row["steps"]]
        for size in self.cell.looked_at:
            nearest = min(known, key=lambda row: abs(math.log(row[0] / size)))
            near[size] = nearest[1] * min(1.0, size / nearest[0])
            caps[size] = math.ceil(CAP * nearest[2] * max(1.0, nearest[0] / size))
        problem, target = self.cell.problem(ENTROPY), self._target()
        journaled = Journaled(self.runner, Blocks(self.context.scratch / "blocks", problem.key))
        runs = Runs(self.cell.name, problem, target.value, self.cell.together, caps, journaled, self.context.journal)
        return runs, {size: near[size] for size in self.cell.sizes}

    def _guess(self) -> list[dict[str, Any]]:
        """Rates and steps that a quick search finds: where the exhaustive runs begin, and end in vain."""
        if not self.context.journal.has(GUESSES, self.cell.name):
            found = self._search(ENTROPY, "quick")
            self.context.journal.write(GUESSES, self.cell.name, steps=plain(found))
        return next(e["steps"]["rows"] for e in self.context.journal.entries(GUESSES) if e["key"] == self.cell.name)

    def _search(self, seed: int, tier: str) -> Steps:
        problem, most = (
            self.cell.problem(seed),
            OPERATIONS[tier] / (OPERATIONS_PER_ROW * self.cell.network.n_parameters),
        )
        return measure_steps(
            problem,
            self.cell.candidates,
            target=self._target(),
            tier=get_tier(tier),
            seed=seed,
            runner=self.runner,
            most_rows=most,
        )

    def _target(self) -> Target:
        journal = self.context.journal
        if not journal.has(TARGETS, self.cell.name):
            target = carry(self.cell.target(), self.cell.problem(0), self.runner)
            if isinstance(target, str):
                raise RuntimeError(target)
            journal.write(TARGETS, self.cell.name, target=plain(target))
        entry = next(entry for entry in journal.entries(TARGETS) if entry["key"] == self.cell.name)
        return parse(entry["target"], Target)

    def _times(self, variant: str) -> Times:
        """Times of the machine at rest if they have been measured, else provisional ones."""
        key = f"{self.cell.name} {variant}"
        return self._timed(TIMES if self.context.journal.has(TIMES, key) else PROVISIONAL, variant)

    def _timed(self, part: str, variant: str) -> Times:
        journal, key = self.context.journal, f"{self.cell.name} {variant}"
        if not journal.has(part, key):
            data, sizes = self.cell.data, self.cell.looked_at
            times = measure_step_time(self.cell.network, data.X, data.Y, sizes, variant=variant, most_seconds=SECONDS)
            journal.write(part, key, times=plain(times))
            self._say(f"{part}, {variant}: " + ", ".join(f"{row.batch_size} {row.seconds:.3g} s" for row in times.rows))
        return parse(next(entry["times"] for entry in journal.entries(part) if entry["key"] == key), Times)

    def _say(self, text: str) -> None:
        self.context.say(f"{self.cell.name}: {text}")


def measure(context: Context, stages: Sequence[str], names: Sequence[str], workers: int) -> None:
    """Measure stage by stage, in each of them cell by cell."""
    for stage in stages or STAGES:
        for name in names or CELLS:
            with threadpool_limits(1), processes(workers) as runner:
                Study(context, CELLS[name], runner).measure(stage)


def _within(choice: BatchSizeChoice, true: float) -> bool:
    low, high = choice.seconds_low, choice.seconds_high
    return low is not None and high is not None and low <= true <= high


def _words(found: Found) -> str:
    return f"{found.steps:.4g} steps ± {found.half_width:.1%} at rate {found.rate:.4g} ({found.seeds} runs)"
