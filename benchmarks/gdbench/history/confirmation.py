"""Measures proposed regressions again, by comparing commits on the one case that stepped."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gdbench.compare.record.record import Comparison
from gdbench.experiments.cases import Case
from gdbench.experiments.grid import Filters
from gdbench.history.confirm.bisect import INVALID, OPEN, Confirmation, Measure, confirm
from gdbench.history.labels import ENVIRONMENT, SHARED, Proposal
from gdbench.history.repository import first_parents
from gdbench.history.series import History
from gdbench.processes.live import AnswerError, ProcessLost
from kernels import InputError

ReportText = Callable[[str], None]
MAX_ASKED = 3
"""Cases of a shared step that are tried where those before cannot be measured: what stops three may well stop all."""


@dataclass(frozen=True)
class Compared:
    """One case's row of a comparison."""

    verdict: str
    ratio: float
    low: float
    high: float
    p: float


def confirm_all(
    history: History,
    found: list[Proposal],
    confirmations: MutableMapping[int, Confirmation],
    *,
    tier: str,
    folder: Path | None,
    report: ReportText,
) -> None:
    """Confirm each proposed regression in turn; answers stand in ``confirmations`` as soon as they are known."""
    commits = first_parents(Path())
    asked: Counter[int] = Counter()
    """Cases of a shared step that were asked for: the first that can be measured stands for all."""
    with _folder(folder) as place:
        for i, proposal in enumerate(found):
            if not proposal.is_regression or asked[proposal.step.at] >= MAX_ASKED:
                continue
            case = history.cases.get(proposal.step.case)
            report(f"measuring {history.commits[proposal.step.at].short} again: {proposal.step.case}")
            if case is None:
                confirmations[i] = _open("it is no case of the grid, so gdbench compare cannot measure it")
                continue
            answered = False
            measure = measure_by_compare(case, tier=tier, folder=place, report=report)
            try:
                confirmations[i] = confirm_one(history, found, proposal, commits, measure)
                answered = confirmations[i].comparisons > 0
            except (InputError, AnswerError, ProcessLost) as error:  # of this pair of commits: others may be measured
                confirmations[i] = _open(str(error))
            if proposal.label == SHARED:
                asked[proposal.step.at] += MAX_ASKED if answered else 1


def confirm_one(
    history: History, found: list[Proposal], proposal: Proposal, commits: list[str], measure: Measure
) -> Confirmation:
    """Confirm one proposal among all commits of the branch, those without results too."""
    step = proposal.step
    place = {commit: i for i, commit in enumerate(commits)}
    at = place.get(history.commits[step.at].commit, 0)
    if at == 0:
        return _open("its commit has no parent on this branch: run in the repository that asv measured")
    others = [
        place[history.commits[other.step.at].commit] for other in found if _bounds(other, proposal, history, place)
    ]
    first = max((other for other in others if other < at), default=0)
    last = min((other - 1 for other in others if other > at), default=len(commits) - 1)
    expected = step.ratio if step.relative else None
    return confirm(commits, at, step.case, measure, first=first, last=last, expected=expected)


def measure_by_compare(case: Case, *, tier: str, folder: Path, report: ReportText) -> Measure:
    """Return a function that compares two commits on one case, each comparison in a folder of its own."""
    from gdbench.compare.comparison import compare  # noqa: PLC0415 - only measuring again needs it

    def measure(base: str, head: str, name: str) -> Compared:
        report(f"  {base[:8]} against {head[:8]}")
        record = compare(base, head, folder=new_place(folder, base, head), tier=tier, filters=filters_of(case))
        return finding_of(record, name)

    return measure


def filters_of(case: Case) -> Filters:
    """Filters that leave this case alone."""
    return Filters(
        network=(case.network,),
        dataset=(case.dataset,),
        task=(case.task,),
        variant=(case.variant,),
        batch_size=(case.batch_size,),
        dtype=(case.dtype,),
        threads=(case.threads,),
    )


def finding_of(record: Comparison, case: str) -> Compared:
    """Return what a comparison says of the time of a case; no verdict counts where identical code differed.

    One that missed its extra work has withdrawn what it may not say, UNCHANGED: what it has proven stands.
    """
    row = next((row for row in record.of_metric("time") if row.case == case), None)
    if row is None:
        return Compared("MISSING", math.nan, math.nan, math.nan, math.nan)
    numbers = (math.nan if value is None else value for value in (row.ratio, row.low, row.high, row.p))
    return Compared(INVALID if record.controls.status == "invalid" else row.verdict, *numbers)


def new_place(folder: Path, base: str, head: str) -> Path:
    """Return a folder for a comparison that holds none yet."""
    names = (f"{base[:8]}-{head[:8]}{suffix}" for suffix in ("", *(f"-{i}" for i in range(2, 1000))))
    return next(folder / name for name in names if not (folder / name).exists())


def _bounds(other: Proposal, proposal: Proposal, history: History, place: dict[str, int]) -> bool:
    """Whether another step of the case ends the search on its side; the environment's steps are in no commit."""
    same = other.step.case == proposal.step.case and other.step.at != proposal.step.at
    return same and other.label != ENVIRONMENT and history.commits[other.step.at].commit in place


def _open(reason: str) -> Confirmation:
    return Confirmation(OPEN, reason, None, None, None, None, 0)


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="gdbench-") as place:
        yield Path(place)
