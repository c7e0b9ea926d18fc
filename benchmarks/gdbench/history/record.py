"""The findings on a history of each environment as one record, for every view of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from gdbench.basics.exit_codes import KERNEL_WRONG, NOT_ENOUGH_EVIDENCE, OK, REGRESSED
from gdbench.basics.units import counted
from gdbench.experiments.cases import Case
from gdbench.history.apart import slowdowns_beside
from gdbench.history.confirm.bisect import CONFIRMED, OPEN, Confirmation
from gdbench.history.detection.vote import MIN_VALUES
from gdbench.history.drifts import FoundDrift, without_drift
from gdbench.history.labels import DRIFT, Proposal, label, rank
from gdbench.history.series import History
from gdbench.history.spark import spark
from gdbench.history.steps import find_steps
from gdbench.history.unsettled import unsettled

FORMAT = 1


@dataclass(frozen=True)
class Judged:
    """A history with its drifts and labelled steps, and what measuring these again said, by their position."""

    history: History
    proposals: list[Proposal]
    confirmations: dict[int, Confirmation] = field(default_factory=dict)
    drifts: tuple[FoundDrift, ...] = ()


@dataclass(frozen=True)
class StepRow:
    """A step as every view shows it.

    Attributes
    ----------
    axes : Case
        Our own case; None for a benchmark of another suite.
    since : str
        Last commit before it that has a result.
    ratio, low, high : float
        Later level over the earlier with its interval; None where the series has values of zero or less.
    before, after : float
        Both levels, medians in the unit of the benchmark; where the case drifts, as they would be had it not.
    spark : str
        The series as a line of bars.
    """

    case: str
    environment: str
    axes: Case | None
    label: str
    status: str
    notes: tuple[str, ...]
    commit: str
    subject: str
    date: str
    since: str
    commits_without_result: int
    ratio: float | None
    low: float | None
    high: float | None
    before: float
    after: float
    spark: str
    confirmation: Confirmation | None


@dataclass(frozen=True)
class DriftRow:
    """A slow change that no commit made.

    Attributes
    ----------
    cases : tuple of str
        Those that drift together, or one that drifts alone.
    shared : bool
        Whether it is that of all cases of the environment.
    first, last : str
        Commits between which the cases drift.
    ratio : float
        Level at the end over that at the beginning.
    spark : str
        The first of the series as a line of bars.
    """

    label: str
    environment: str
    cases: tuple[str, ...]
    shared: bool
    first: str
    last: str
    ratio: float
    spark: str


@dataclass(frozen=True)
class Record:
    """All that is known of the results of a machine.

    Attributes
    ----------
    environments : tuple of str
        Those that were judged, each by itself, or all where none has enough results.
    cases, judged : int
        Series, and how many of them have enough results; one in each environment counts each time.
    n_series : int
        Series that share the error rate of a step: those with enough results in all environments of the machine, also
        where only one of these was asked for.
    confirmed : bool
        Whether proposals were measured again.
    skipped, incomplete : tuple of str
        Sentences on what was left out, and on what could be judged but for something that the user can mend.
    unsettled : tuple of str
        Sentences on cases that are much slower in results at an end of the history that are too few for a step.
    """

    format: int
    machine: str
    environments: tuple[str, ...]
    commits: int
    first: str
    last: str
    cases: int
    judged: int
    n_series: int
    confirmed: bool
    steps: tuple[StepRow, ...]
    drifts: tuple[DriftRow, ...]
    skipped: tuple[str, ...]
    incomplete: tuple[str, ...]
    unsettled: tuple[str, ...]
    exit_code: int


def judge_all(histories: Sequence[History]) -> list[Judged]:
    """Judge the history of each environment; one error rate holds for the series of all of them.

    Those of environments that are not asked for count, too: whoever asks for one after the other, or for the one that
    shows most, would have an error rate for each.
    """
    together = _together(histories)
    return [judge(history, n_series=together) for history in histories]


def judge(history: History, *, n_series: int = 0) -> Judged:
    """Return the drifts of a history, and the labelled steps of what is left, sorted by what matters.

    Parameters
    ----------
    history : History
        Of one environment.
    n_series : int
        Series that are judged together with those of other environments; without it, those that the history names.
    """
    together = n_series or _together([history])
    level = without_drift(history, n_series=together)
    found = label(level.history, find_steps(level.history, n_series=together))
    found += slowdowns_beside(level.history, found, n_series=together)
    return Judged(history, sorted(found, key=rank), drifts=level.drifts)


def make_record(found: Sequence[Judged], *, confirmed: bool = False) -> Record:
    """Return all that is known.

    Parameters
    ----------
    found : sequence
        One for each environment, at least one.
    confirmed : bool
        Whether proposals were measured again.
    """
    histories = [one.history for one in found]
    commits = sorted((commit for history in histories for commit in history.commits), key=lambda commit: commit.order)
    rows = [_row(one, i) for one in found for i in range(len(one.proposals))]
    together = _together(histories)
    enough = [history for history in histories if history.n_judgeable]
    return Record(
        format=FORMAT,
        machine=histories[0].machine,
        environments=tuple(history.environment for history in enough or histories),
        commits=len({commit.commit for commit in commits}),
        first=commits[0].commit,
        last=commits[-1].commit,
        cases=sum(len(history.values) for history in histories),
        judged=sum(history.n_judgeable for history in histories),
        n_series=together,
        confirmed=confirmed,
        steps=tuple(rows),
        drifts=tuple(_drift_row(one.history, drift) for one in found for drift in one.drifts),
        skipped=tuple(dict.fromkeys(text for history in histories for text in history.skipped)),
        incomplete=_incomplete(histories),
        unsettled=tuple(text for history in histories for text in unsettled(history, n_series=together)),
        exit_code=exit_code(found),
    )


def exit_code(found: Sequence[Judged]) -> int:
    """Return 4 when no case could be judged, 1 and 3 after measuring again, since a proposal proves nothing.

    It is 3 also where results are missing from the history that the user can bring in: they may hold a step.
    """
    if not any(one.history.n_judgeable for one in found):
        return KERNEL_WRONG
    statuses = {told.status for one in found for told in one.confirmations.values()}
    if CONFIRMED in statuses:
        return REGRESSED
    open_ends = OPEN in statuses or _incomplete([one.history for one in found])
    return NOT_ENOUGH_EVIDENCE if open_ends else OK


def _incomplete(histories: Sequence[History]) -> tuple[str, ...]:
    """Return what each history lacks, and which environments have too few results beside one that has enough."""
    told = [text for history in histories for text in history.incomplete]
    few = [history for history in histories if not history.n_judgeable]
    told += [
        f"{history.environment or 'an environment without a name'} has {counted(len(history.commits), 'commit')} "
        f"with results, too few to judge: measure {MIN_VALUES} or more, or name another one by --environment"
        for history in (few if len(few) < len(histories) else [])
    ]
    return tuple(dict.fromkeys(told))


def _together(histories: Sequence[History]) -> int:
    """Count the series that share one error rate."""
    return max([sum(history.n_judgeable for history in histories), *(history.n_series for history in histories)])


def _row(found: Judged, index: int) -> StepRow:
    history, proposal = found.history, found.proposals[index]
    step = proposal.step
    commit, since = history.commits[step.at], history.commits[step.since]
    return StepRow(
        case=step.case,
        environment=history.environment,
        axes=history.cases.get(step.case),
        label=proposal.label,
        status=proposal.status,
        notes=proposal.notes,
        commit=commit.commit,
        subject=commit.subject,
        date=commit.date,
        since=since.commit,
        commits_without_result=commit.order - since.order - 1,
        ratio=_finite(step.ratio),
        low=_finite(step.low),
        high=_finite(step.high),
        before=step.before,
        after=step.after,
        spark=spark(history.values[step.case]),
        confirmation=found.confirmations.get(index),
    )


def _drift_row(history: History, found: FoundDrift) -> DriftRow:
    drift = found.drift
    return DriftRow(
        label=DRIFT,
        environment=history.environment,
        cases=found.cases,
        shared=found.shared,
        first=history.commits[drift.start].commit,
        last=history.commits[drift.stop].commit,
        ratio=math.exp(drift.size),
        spark=spark(history.values[found.cases[0]]),
    )


def _finite(value: float) -> float | None:
    """Replace a number that JSON has not."""
    return value if math.isfinite(value) else None
