"""What the measurements come to: rates with their bounds, power by true size, commits that were found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

ALARMS = ("REGRESSED", "IMPROVED")
REGRESSED, UNCHANGED = "REGRESSED", "UNCHANGED"
TIME = "time"
INVALID = "invalid"
"""Status of a run whose controls failed: it says nothing of time."""
CONFIDENCE = 0.95
SMALLEST_PLANTED = 0.015
"""A mutant that makes a case slower by less is no planted slowdown there, whatever its name says."""
BINS = ((0.015, 0.035, "2 %"), (0.035, 0.075, "5 %"), (0.075, 0.175, "10 %"), (0.175, float("inf"), "25 % and more"))
"""True slowdowns that count as each size of the table of power: about the nearest by ratio."""
GOALS = (
    ("2 %", 0.015, 0.85, 0.05),
    ("5 %", 0.02, 0.99, 0.001),
    ("5 %", 0.04, 0.95, 0.001),
    ("10 %", 0.04, 0.99, 0.001),
    ("10 %", 0.08, 0.95, 0.001),
    ("25 % and more", 0.08, 0.999, 0.0),
    ("25 % and more", 0.15, 0.95, 0.0),
)
"""Size, largest pair sd, least power, largest share called unchanged: what the standard tier is held to."""


@dataclass(frozen=True)
class Rate:
    """A count of a total, with the one-sided upper bound of Clopper and Pearson (1934, Biometrika 26)."""

    hits: int
    trials: int

    @property
    def share(self) -> float | None:
        """Observed share; None of nothing."""
        return self.hits / self.trials if self.trials else None

    @property
    def upper(self) -> float | None:
        """Upper bound at 95 %."""
        if not self.trials:
            return None
        found = binomtest(self.hits, self.trials, alternative="less").proportion_ci(CONFIDENCE, method="exact")
        return float(found.high)


def alarms(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows whose verdict is that something changed."""
    return [row for row in rows if row["verdict"] in ALARMS]


def invalid_runs(runs: Sequence[Mapping[str, Any]]) -> Rate:
    """Return how many runs had controls that failed."""
    return Rate(sum(run["controls"] == INVALID for run in runs), len(runs))


def telling_rows(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Rows that could have been an alarm: failed controls downgrade all that a run found of time, and no more."""
    return [row for row in run["rows"] if run["controls"] != INVALID or row["metric"] != TIME]


def false_alarms(runs: Sequence[Mapping[str, Any]], metric: str | None = TIME) -> tuple[Rate, Rate]:
    """Return the rate of alarms per verdict, and that of runs with any, of groups too, where nothing had changed.

    Neither counts what was downgraded in an invalid run, which would make the rates look better than they are: its
    rows on time, and the run itself unless it raised an alarm all the same.
    """
    found = []
    for run in runs:
        rows = [row for row in telling_rows(run) if metric is None or row["metric"] == metric]
        raised = len(alarms(rows))
        found.append((raised, len(rows), raised + len(alarms(run.get("together", []))), run["controls"] != INVALID))
    loud = sum(any_raised > 0 for _, _, any_raised, _ in found)
    counted = sum(valid or any_raised > 0 for _, _, any_raised, valid in found)
    return Rate(sum(raised for raised, *_ in found), sum(rows for _, rows, *_ in found)), Rate(loud, counted)


def tested_alarms(runs: Sequence[Mapping[str, Any]]) -> Rate:
    """Return the rate of alarms among the verdicts on time that a test made: what a screen settles cannot alarm.

    Runs of before the stage was kept count for nothing.
    """
    rows = [row for run in runs for row in telling_rows(run) if row["metric"] == TIME and row.get("stage") == "confirm"]
    return Rate(len(alarms(rows)), len(rows))


def rival_alarms(runs: Sequence[Mapping[str, Any]]) -> tuple[Rate, Rate]:
    """Return the same for the runs of another tool."""
    found = [len(run["alarms"]) for run in runs]
    return Rate(sum(found), sum(run["cases"] for run in runs)), Rate(sum(map(bool, found)), len(runs))


@dataclass(frozen=True)
class Planted:
    """A case that was made slower, by how much it truly was, and what was said of it."""

    case: str
    mutant: str
    truth: float
    low: float
    high: float
    verdict: str
    pair_sd: float | None

    @property
    def size(self) -> str | None:
        """Bin of the true size; None where the interval of the truth leaves open whether it is slower at all."""
        if self.low <= 1 or self.truth - 1 < SMALLEST_PLANTED:
            return None
        return next(name for low, high, name in BINS if low <= self.truth - 1 < high)


def planted_cases(run: Mapping[str, Any], truth: Mapping[str, Any]) -> list[Planted]:
    """Join what a run said of its planted cases with what is true of them; cases without a verdict count as such."""
    said = {row["case"]: row for row in run["rows"] if row["metric"] == TIME}
    nothing = {"verdict": "not measured", "pair_sd": None}
    return [
        Planted(
            row["case"],
            row["mutant"],
            row["ratio"],
            row["low"],
            row["high"],
            said.get(row["case"], nothing)["verdict"],
            said.get(row["case"], nothing)["pair_sd"],
        )
        for row in truth["rows"]
    ]


def unplanted_rows(run: Mapping[str, Any], truth: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Rows on time of the cases that the same commit left alone; none of an invalid run."""
    touched = {row["case"] for row in truth["rows"]}
    return [row for row in telling_rows(run) if row["metric"] == TIME and row["case"] not in touched]


@dataclass(frozen=True)
class Power:
    """Planted cases of one size whose pairs spread by at most so much: found, and called unchanged."""

    size: str
    largest_sd: float
    found: Rate
    unchanged: Rate
    wanted_power: float
    allowed_unchanged: float


def power(cases: Sequence[Planted]) -> list[Power]:
    """Return a row for each goal; a case that counts for a stricter goal counts for the looser ones too."""
    rows = []
    for size, largest_sd, wanted, allowed in GOALS:
        chosen = [case for case in cases if case.size == size and (case.pair_sd or 0.0) <= largest_sd]
        chosen = [case for case in chosen if case.pair_sd is not None]
        found = Rate(sum(case.verdict == REGRESSED for case in chosen), len(chosen))
        unchanged = Rate(sum(case.verdict == UNCHANGED for case in chosen), len(chosen))
        rows.append(Power(size, largest_sd, found, unchanged, wanted, allowed))
    return rows


@dataclass(frozen=True)
class HistoryScore:
    """Planted commits that were found, commits that were blamed without cause, and the label of the bump."""

    found: tuple[float, ...]
    missed: tuple[float, ...]
    blamed: tuple[str, ...]
    at_bump: tuple[str, ...]
    """Labels of the steps at the bump; empty when it moved nothing that could be seen."""


def score_history(entry: Mapping[str, Any], bump: int, *, confirmed: bool) -> HistoryScore:
    """Compare proposals with the truth, commit by commit.

    Parameters
    ----------
    entry : with ``commits`` in order, ``planted`` and the ``steps`` that were proposed
    bump : index of the commit at which the environment changed
    confirmed : count a regression only where measuring again confirmed it, at the commit that this named
    """
    planted = {step["commit"]: step["size"] for step in entry["planted"]}
    blamed = {commit for step in entry["steps"] for commit in _culprits(step, confirmed=confirmed)}
    edge = entry["commits"][bump]
    return HistoryScore(
        found=tuple(size for commit, size in planted.items() if commit in blamed),
        missed=tuple(size for commit, size in planted.items() if commit not in blamed),
        blamed=tuple(sorted(blamed - planted.keys())),
        at_bump=tuple(step["label"] for step in entry["steps"] if step["commit"] == edge),
    )


def _culprits(step: Mapping[str, Any], *, confirmed: bool) -> list[str]:
    """Commits that a step blames: none for the environment, and only confirmed ones if that is asked."""
    if step["label"] == "ENVIRONMENT":
        return []
    if not confirmed:
        return [step["commit"]]
    confirmation = step["confirmation"] or {}
    return [confirmation["commit"]] if confirmation.get("status") == "confirmed" else []
