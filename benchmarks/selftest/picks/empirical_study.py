"""Picks on real data: exhaustive runs at all batch sizes and rates, picks with several seeds, and times of the machine.

The stages are measured apart: ``times`` (seconds per step, which want a quiet machine), ``oracle`` (the exhaustive
runs), ``picks`` (searches, whose budget is counted in CPU seconds) and ``report`` (exhaustive runs at what was picked,
and regrets). Whatever has been measured is kept, and a later call goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from threadpoolctl import threadpool_limits

from gdbench.basics.records import parse, plain
from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice
from gdbench.pick.choose.choose import choose
from gdbench.pick.choose.estimates import join
from gdbench.pick.runners.journal import Journal as Trials
from gdbench.pick.runners.journal import Journaled
from gdbench.pick.runners.pool import processes
from gdbench.pick.seconds.measure import measure_step_time
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.crossing import whole
from gdbench.pick.steps.measure import carry, measure_steps
from gdbench.pick.steps.tiers import get_tier
from gdbench.pick.steps.trials import Runner
from kernels.auto import AUTO
from selftest.context import Context
from selftest.picks.cells import CELLS, Cell
from selftest.picks.curves import Truth, step_seconds
from selftest.picks.findings import REGRETS, TABLES, code_of_search, latest, put
from selftest.picks.judging import SAME
from selftest.picks.runs import COARSE, FINE, FINEST, PICKED, Found, Runs, on_grid, vertex
from selftest.picks.scores import finite
from selftest.picks.virtual import VirtualClock, VirtualRunner

TARGETS, GUESSES, PICKS, TIMES = "targets", "guesses", "picks", "times"
STAGES = ("times", "oracle", "picks", "report")
VARIANTS = ("vectorized", "auto")
ENTROPY = 10_000
"""Entropy of the exhaustive runs' seeds, which no search has."""
CAP = 3.0
"""Most steps of a run, over those that a search expects."""
SECONDS = 10.0
"""For the times of a variant."""


@dataclass(frozen=True)
class Study:
    """One cell with its context, the runner of its trials, and how many of them run at the same time."""

    context: Context
    cell: Cell
    runner: Runner
    workers: int

    def measure(self, stage: str) -> None:
        """Measure what a stage lacks."""
        stages: dict[str, Callable[[], None]] = {
            "times": self.times,
            "oracle": self.oracle,
            "picks": self.picks,
            "report": self.regrets,
        }
        stages[stage]()

    def times(self) -> None:
        """Time a step at every batch size."""
        for variant in VARIANTS:
            self._times(variant)

    def oracle(self) -> None:
        """Run descent at every batch size about its best rate, and often at the best batch sizes."""
        runs, near = self._runs()
        for size in sorted(near, reverse=True):
            first = runs.best(size, on_grid(near[size], COARSE), self.cell.locating, step=COARSE)
            found = runs.best(size, first.rate, self.cell.coarse, step=COARSE)
            self._say(f"B = {size}: {_words(found)}")
        self._refine(runs)

    def picks(self) -> None:
        """Search with every seed, for the times of every variant."""
        code = code_of_search()
        known = {entry["key"] for entry in self.context.journal.entries(PICKS) if entry["code"] == code}
        for seed, variant in product(range(1, self.cell.picks + 1), VARIANTS):
            key = f"{self.context.tier} {self.cell.name} {seed} {variant}"
            if key not in known:
                found = self._search(seed, self.context.tier, variant)
                names = {"cell": self.cell.name, "seed": seed, "variant": variant, "tier": self.context.tier}
                self.context.journal.write(PICKS, key, code=code, **names, steps=plain(found))
                self._say(f"{variant}, seed {seed}: {found.status}, {found.runs} runs, {found.examples:.3g} rows")

    def regrets(self) -> None:
        """Run descent at what was picked, often at those batch sizes and at the best ones, and compare."""
        runs, _ = self._runs()
        chosen = [(entry, self._choice(entry)) for entry in self._picked()]
        sizes = {choice.batch_size for _, choice in chosen if isinstance(choice, BatchSizeChoice)}
        self._refine(runs, sizes & set(self.cell.sizes))
        truth, picked = Truth(self.cell, runs), replace(runs, part=PICKED)
        for _, choice in chosen:
            if isinstance(choice, BatchSizeChoice) and choice.learning_rate is not None:
                picked.at(choice.batch_size, [choice.learning_rate], self.cell.refined)
        for variant in VARIANTS:
            values = {"cell": self.cell.name, "variant": variant, "target": self._target().words}
            table = truth.table(self._times(variant))
            put(self.context.journal, TABLES, f"{self.cell.name} {variant}", **values, **table)
        for entry, choice in chosen:
            self._keep(truth, entry, choice)

    def _picked(self) -> list[dict[str, Any]]:
        return [entry for entry in latest(self.context.journal, PICKS) if entry["cell"] == self.cell.name]

    def _choice(self, entry: dict[str, Any]) -> BatchSizeChoice | NoChoice:
        return choose(parse(entry["steps"], Steps), self._times(entry["variant"]), n_rows=self.cell.data.n_rows)

    def _keep(self, truth: Truth, entry: dict[str, Any], choice: BatchSizeChoice | NoChoice) -> None:
        times = self._times(entry["variant"])
        best = truth.order(times)[0]
        seconds = truth.seconds(times)[best]
        found = {name: entry[name] for name in ("cell", "variant", "seed", "tier")} | {"best": best, "seconds": seconds}
        if isinstance(choice, NoChoice) or choice.learning_rate is None:
            put(self.context.journal, REGRETS, entry["key"], **found, picked=None, regret=None, covered=False)
            return
        rate = choice.learning_rate
        run = replace(truth.runs, part=PICKED).at(choice.batch_size, [rate], self.cell.refined)[rate]
        true = run.steps * step_seconds(times, choice.batch_size)
        values = {
            "picked": choice.batch_size,
            "rate": rate,
            "expected": finite(choice.seconds),
            "true": finite(true),
            "regret": finite(true / seconds - 1),
            "half_width": finite(run.half_width),
            "covered": math.isfinite(true)
            and _within(choice, whole(run.steps) * step_seconds(times, choice.batch_size)),
        }
        put(self.context.journal, REGRETS, entry["key"], **found, **values)
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
        found = runs.best(size, near, self.cell.refined, step=FINE)
        if size == self.cell.data.n_rows:  # all runs are the same but for their starts
            found = runs.best(size, found.rate, self.cell.refined, step=FINEST)
        self._say(f"B = {size}, refined: {_words(found)}")

    def _runs(self) -> tuple[Runs, dict[int, float]]:
        """The exhaustive runs, and a rate to begin with at each batch size."""
        guess = self._guess()
        near, caps = {}, {}
        for size in self.cell.candidates:
            other, rate, steps = min(guess, key=lambda row: abs(math.log(row[0] / size)))
            near[size] = rate * min(1.0, size / other)
            caps[size] = math.ceil(CAP * steps * max(1.0, other / size))
        problem, target = self.cell.problem(ENTROPY, self._times(AUTO)), self._target()
        journaled = Journaled(self.runner, Trials(self.context.scratch / "trials", problem.key))
        runs = Runs(self.cell.name, problem, target.value, self.cell.together, caps, journaled, self.context.journal)
        return runs, {size: near[size] for size in self.cell.sizes}

    def _guess(self) -> list[tuple[int, float, float]]:
        """Batch sizes with the rates and steps of a quick search: where exhaustive runs begin, and end in vain."""
        journal, name = self.context.journal, self.cell.name
        if not journal.has(GUESSES, name):
            rows = [row for row in self._search(ENTROPY, "quick", AUTO).rows if row.measured]
            journal.write(GUESSES, name, rows=[(row.batch_size, row.learning_rate, row.steps) for row in rows])
        return next(entry["rows"] for entry in journal.entries(GUESSES) if entry["key"] == name)

    def _search(self, seed: int, name: str, variant: str) -> Steps:
        """Search as the command does after it has measured the times, but on a clock of CPU seconds."""
        times, tier = self._times(variant), get_tier(name)
        sizes = tuple(row.batch_size for row in times.rows)
        clock = VirtualClock(tier.budget_seconds - tier.times_seconds)
        return measure_steps(
            self.cell.problem(seed, times),
            {row.batch_size: row.seconds for row in times.rows},
            step_errors=dict(zip(sizes, join(None, times, sizes).seconds_error, strict=True)),
            target=self._target(),
            tier=tier,
            seed=seed,
            runner=VirtualRunner(self.runner, clock, self.workers, {}),
            workers=self.workers,
            clock=clock,
        )

    def _target(self) -> Target:
        journal = self.context.journal
        if not journal.has(TARGETS, self.cell.name):
            problem = self.cell.problem(0, self._times(AUTO))
            journal.write(TARGETS, self.cell.name, target=plain(carry(self.cell.target(problem), problem, self.runner)))
        entry = next(entry for entry in journal.entries(TARGETS) if entry["key"] == self.cell.name)
        return parse(entry["target"], Target)

    def _times(self, variant: str) -> Times:
        """Times of the candidates, measured unless they have been."""
        journal, key = self.context.journal, f"{self.cell.name} {variant}"
        if not journal.has(TIMES, key):
            data, sizes = self.cell.data, self.cell.candidates
            times = measure_step_time(self.cell.network, data.X, data.Y, sizes, variant=variant, most_seconds=SECONDS)
            journal.write(TIMES, key, times=plain(times))
            self._say(f"{variant}: " + ", ".join(f"{row.batch_size} {row.seconds:.3g} s" for row in times.rows))
        entry = next(entry for entry in journal.entries(TIMES) if entry["key"] == key)
        times = parse(entry["times"], Times)
        return replace(times, rows=tuple(row for row in times.rows if row.batch_size in self.cell.candidates))

    def _say(self, text: str) -> None:
        self.context.say(f"{self.cell.name}: {text}")


def measure(context: Context, stages: Sequence[str], names: Sequence[str], workers: int) -> None:
    """Measure stage by stage, in each of them cell by cell."""
    for stage in stages or STAGES:
        for name in names or CELLS:
            with threadpool_limits(1), processes(workers) as runner:
                Study(context, CELLS[name], runner, workers).measure(stage)


def _within(choice: BatchSizeChoice, true: float) -> bool:
    """Whether the interval holds a time of whole steps; those may be its end."""
    low, high = choice.seconds_low, choice.seconds_high
    return low is not None and high is not None and (1 - SAME) * low <= true <= (1 + SAME) * high


def _words(found: Found) -> str:
    return f"{found.steps:.4g} steps ± {found.half_width:.1%} at rate {found.rate:.4g} ({found.seeds} runs)"
