"""Part ``judge``: how often the judge is wrong where noise, bias of builds and effects are drawn, row by row."""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from gdbench.compare import judge
from gdbench.compare.judge.terms import IMPROVED, REGRESSED, Verdicts
from gdbench.compare.record.tiers import TIERS
from selftest.context import Context
from selftest.verdicts.simulation import IDS, World, compare

PART = "judge"
PLANTED = 10
"""Cases of a run that are slowed by the smallest effect that a run before said it would find."""
LARGEST_PLANTED = 1.0
"""A larger smallest effect is nobody's, and is planted nowhere."""


@dataclass(frozen=True)
class Row:
    """One kind of world, in which the head of every case is slower by ``slowdown``."""

    tier: str
    world: World
    slowdown: float = 0.0

    @property
    def key(self) -> str:
        """What distinguishes the row."""
        world = self.world
        parts = [self.tier, world.noise, f"pair sd {world.pair_sd:.1%}"]
        parts += [f"unlike by {world.unlike:.0%}"] if world.unlike else []
        parts += [f"fresh builds {world.fresh_sd:.1%}"] if world.fresh_sd else []
        parts += [f"lasting bias {world.lasting_sd:.1%}"] if world.lasting_sd else []
        parts += [f"all slower by {self.slowdown:.0%}"] if self.slowdown else []
        return ", ".join(parts)


ROWS = (
    *(Row(tier, World(pair_sd=sd)) for tier in TIERS for sd in (0.01, 0.019)),
    Row("standard", World(pair_sd=0.05)),
    *(Row(tier, World("t, 3 degrees", 0.019)) for tier in TIERS),
    Row("standard", World(pair_sd=0.019, unlike=0.7)),
    Row("standard", World("half shared", 0.019)),
    *(Row("standard", World("one-sided spikes", sd)) for sd in (0.019, 0.05)),
    *(Row("deep", World("one-sided spikes", sd)) for sd in (0.05, 0.08)),
    *(Row("standard", World(f"AR(1), {rho}", sd)) for rho in (0.3, 0.5) for sd in (0.019, 0.05)),
    Row("quick", World("AR(1), 0.5", 0.019)),
    *(Row("standard", World(pair_sd=0.01, fresh_sd=sd)) for sd in (0.01, 0.02)),
    Row("standard", World(pair_sd=0.019, lasting_sd=0.004)),
    *(Row(tier, World(pair_sd=0.01, lasting_sd=0.01)) for tier in TIERS),
    *(Row("quick", World(pair_sd=sd), slowdown) for sd in (0.01, 0.019) for slowdown in (0.02, 0.05)),
    *(Row("standard", World(pair_sd=sd), slowdown) for sd in (0.01, 0.019) for slowdown in (0.01, 0.02)),
)


def measure(context: Context, suites: int, workers: int) -> None:
    """Simulate so many suites of each row in several processes; rows of this very judge are not simulated again."""
    keys = {number: f"{row.key}, {suites} suites of judge {version()}" for number, row in enumerate(ROWS)}
    left = [number for number, key in keys.items() if not context.journal.has(PART, key)]
    with ProcessPoolExecutor(workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
        jobs = {pool.submit(_simulate_row, number, suites, context.seed): number for number in left}
        for job in as_completed(jobs):
            number = jobs[job]
            context.journal.write(PART, keys[number], judge=version(), **asdict(ROWS[number]), **job.result())
            context.say(f"judge: {keys[number]}")


@cache
def version() -> str:
    """Tell apart what decides: the sources of the judge and of the tiers, as eight digits."""
    root = Path(judge.__path__[0])
    digest = hashlib.sha256()
    for path in (*sorted(root.glob("*.py")), root.parent / "record" / "tiers.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _simulate_row(number: int, suites: int, seed: int) -> dict[str, Any]:
    return simulate(np.random.default_rng([seed, number]), ROWS[number], suites)


def simulate(rng: np.random.Generator, row: Row, suites: int) -> dict[str, Any]:
    """Return counts over suites: alarms, intervals that hold the truth, smallest effects that are found."""
    total: dict[str, Any] = {}
    for _ in range(suites):
        found = compare(rng, TIERS[row.tier], row.world, row.slowdown)
        one = _counts(found, row.slowdown)
        one |= {} if row.slowdown else _smallest_found(rng, row, found)
        total = {name: total.get(name, 0) + value for name, value in one.items()}
    return {"suites": suites, "spike_in": TIERS[row.tier].effect, **total}


def _counts(found: Verdicts, slowdown: float) -> dict[str, int]:
    cases, shared = list(found.cases.values()), (found.suite, *found.groups)
    alarms = sum(one.verdict in (REGRESSED, IMPROVED) for one in cases)
    together = sum(one.verdict in (REGRESSED, IMPROVED) for one in shared)
    return {
        "cases": len(cases),
        "tested": sum(one.stage == "confirm" for one in cases),
        "alarms": alarms,
        "alarmed_together": int(together > 0),
        "alarmed_suites": int(alarms + together > 0),
        "covered": sum(one.low <= 1 + slowdown <= one.high for one in cases),
        "unchanged": sum(one.verdict == "UNCHANGED" for one in cases),
        "invalid": int(found.controls.status == "invalid"),
        "underpowered": int(found.controls.status == "underpowered"),
        "exit_1": int(found.exit_code == 1),
    }


def _smallest_found(rng: np.random.Generator, row: Row, before: Verdicts) -> dict[str, int]:
    """Slow some cases by the smallest effect that each had in the run before, and count those that are found.

    A smallest effect is that of one slow case among all: one counts as found if its p is small enough for that.
    """
    effects, names = np.zeros(len(IDS)), list(before.cases)
    for i in rng.choice(len(names), PLANTED, replace=False):
        smallest = before.cases[names[i]].smallest_effect
        effects[i] = smallest if smallest < LARGEST_PLANTED else 0.0
    settings, found = TIERS[row.tier].settings, compare(rng, TIERS[row.tier], row.world, effects)
    if found.controls.status == "invalid":  # it says nothing of any effect
        return {"planted": 0, "planted_found": 0}
    planted = [found.cases[name] for name, effect in zip(names, effects, strict=True) if effect]
    hits = sum(one.verdict == REGRESSED and one.p <= settings.fdr / len(names) for one in planted)
    return {"planted": len(planted), "planted_found": hits}
