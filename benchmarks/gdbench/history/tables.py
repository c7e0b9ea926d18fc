"""Findings on a history as rows of text; steps of the environment, which all cases share, take one row a commit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gdbench.basics.units import counted
from gdbench.history.confirm.bisect import Confirmation
from gdbench.history.coverage.names import listed
from gdbench.history.labels import ENVIRONMENT, IMPROVEMENT, NEXT, REGRESSION, SHARED
from gdbench.history.record import DriftRow, Record, StepRow

HEAD = ("commit", "case", "size", "label", "status", "history")
SHORT = 8
NO_COMMIT = "-"
MAX_WRITTEN = 1e4
"""Ratio, up or down, from which on a percentage would be a long number or say nothing."""


def rows(record: Record) -> list[tuple[str, ...]]:
    """Return the steps in order, and then the drifts, as cells under ``HEAD``."""
    lines = [_line(record, step) for step in record.steps if step.label not in (SHARED, ENVIRONMENT)]
    return [*_grouped_lines(record, SHARED), *lines, *_grouped_lines(record, ENVIRONMENT), *_drift_lines(record)]


def headline(record: Record) -> str:
    """Say in a sentence what was found."""
    counts = {name: sum(step.label == name for step in record.steps) for name in (REGRESSION, IMPROVEMENT)}
    environment = len({step.commit for step in record.steps if step.label == ENVIRONMENT})
    cases, commits = counted(record.judged, "case"), counted(record.commits, "commit")
    read = f"{cases} over {commits} on {record.machine}{_where(record)}"
    if not record.judged:
        return f"{read}: too few results for any case to be judged"
    found = f"{counted(counts[REGRESSION], 'regression')} and {counted(counts[IMPROVEMENT], 'improvement')} proposed"
    common = len({step.commit for step in record.steps if step.label == SHARED})
    shared = f", {counted(common, 'step')} that most cases share" if common else ""
    shared += f", {counted(environment, 'change')} of the environment" if environment else ""
    shared += f", {counted(len(record.drifts), 'drift')}" if record.drifts else ""
    missing = "; results are missing" if record.incomplete else ""
    return f"{read}: {found}{shared}{_confirmed(record)}{missing}"


def warnings(record: Record) -> list[str]:
    """Return what must be read before the rows: results that were not judged, or are too few, and the remedy."""
    return [f"{_capitalised(text)}." for text in (*record.incomplete, *record.unsettled)]


def _capitalised(text: str) -> str:
    """Begin a sentence with a capital, unless it begins with a name or a hash."""
    return f"{text[:1].upper()}{text[1:]}" if text.partition(" ")[0].isalpha() else text


def remarks(record: Record) -> Iterator[str]:
    """Yield what rows leave no room for; of a change of the environment, what to do next, once for all its cases."""
    advice = {
        (step.commit, note): f"{step.commit[:SHORT]}: {note}"
        for step in record.steps
        if step.label == ENVIRONMENT
        for note in step.notes
        if note.startswith(NEXT)
    }
    yield from advice.values()
    yield from _shared_remarks(record)
    for step in record.steps:
        if step.label not in (SHARED, ENVIRONMENT):
            yield from (f"{step.commit[:SHORT]} {case_name(record, step)}: {text}" for text in _about(step))
    if record.drifts:
        yield f"{listed([_drifting(record, drift) for drift in record.drifts])}: several small steps look like a drift"
    short = record.cases - record.judged
    if record.judged and short:
        have = "has" if short == 1 else "have"
        yield f"{counted(short, 'case')} of {record.cases} {have} too few results to be judged"
    if record.n_series > record.judged > 0:
        yield (
            f"one error rate holds for all {counted(record.n_series, 'case')} of this machine, those of environments "
            "that were not asked for too"
        )
    yield from record.skipped


def _shared_remarks(record: Record) -> Iterator[str]:
    """Yield what is known of steps that most cases share, once for all to which it applies; the table says the rest."""
    found: dict[tuple[str, str], list[str]] = {}
    for step in record.steps:
        for text in _about(step) if step.label == SHARED else ():
            found.setdefault((step.commit, text), []).append(case_name(record, step))
    in_table = {(step.commit, step.notes[0]) for step in record.steps if step.label == SHARED}
    for (commit, text), names in found.items():
        if (commit, text) not in in_table:
            yield f"{commit[:SHORT]} {listed(names)}: {text}"


def _about(step: StepRow) -> Iterator[str]:
    """Yield what is known of a step beside its size."""
    yield from step.notes
    if step.commits_without_result == 1:
        yield "the commit before it has no result"
    elif step.commits_without_result > 1:
        yield f"the {step.commits_without_result} commits before it have no result"
    if step.confirmation:
        yield _told(step.confirmation)


def subjects(record: Record) -> dict[str, str]:
    """First lines of the commits' messages by the short hash."""
    return {step.commit[:SHORT]: step.subject for step in record.steps if step.subject}


def case_name(record: Record, step: StepRow) -> str:
    """Name of a step's case, with its environment where there are several."""
    return f"{step.case} in {step.environment}" if len(record.environments) > 1 else step.case


def _line(record: Record, step: StepRow) -> tuple[str, ...]:
    status = f"{step.status}, {step.confirmation.status}" if step.confirmation else step.status
    return step.commit[:SHORT], case_name(record, step), _size(step), step.label, status, step.spark


def _grouped_lines(record: Record, label: str) -> Iterator[tuple[str, ...]]:
    """Yield a line per commit for steps that many cases have."""
    groups: dict[tuple[str, str], list[StepRow]] = {}
    for step in record.steps:
        if step.label == label:
            groups.setdefault((step.commit, step.environment), []).append(step)
    for (commit, environment), group in groups.items():
        where = f" in {environment}" if len(record.environments) > 1 else ""
        cases = f"{group[0].case if len(group) == 1 else f'{len(group)} cases'}{where}"
        ratios = [step.ratio for step in group if step.ratio is not None]
        shared = f"{_percent(float(np.median(ratios)))} in the median" if ratios else change(group[0])
        text = shared if len(group) > 1 else change(group[0])
        yield commit[:SHORT], cases, text, label, _status(group, label), group[0].spark


def _drift_lines(record: Record) -> Iterator[tuple[str, ...]]:
    """Yield a line for each drift; no commit stands in it, since none did it."""
    for drift in record.drifts:
        status = f"from {drift.first[:SHORT]} to {drift.last[:SHORT]}, no commit's fault"
        yield NO_COMMIT, _drifting(record, drift), _percent(drift.ratio), drift.label, status, drift.spark


def _drifting(record: Record, drift: DriftRow) -> str:
    """Name what drifts."""
    where = f" in {drift.environment}" if len(record.environments) > 1 else ""
    return f"{f'all {len(drift.cases)} cases' if drift.shared else drift.cases[0]}{where}"


def _status(group: list[StepRow], label: str) -> str:
    """Say why many cases moved, and what measuring one of them again said."""
    told = [step.confirmation.status for step in group if step.confirmation]
    slower = label == SHARED and any(step.after > step.before for step in group)  # of others nothing is measured
    suspect = ["suspect this commit first: --confirm"] if slower and not told else []
    return ", ".join([group[0].notes[0], *told, *suspect])


def change(step: StepRow) -> str:
    """Write a size without its interval: ``+10.3 %``, or ``0 to 5`` where the series has values of zero or less."""
    return _levels(step) if step.ratio is None else _percent(step.ratio)


def _levels(step: StepRow) -> str:
    return f"{step.before:.4g} to {step.after:.4g}"


def _size(of: StepRow | Confirmation) -> str:
    """Write a size with its sign and interval: ``+10.3 % (+8.1 to +12.4 %)``; both levels where there is no ratio."""
    if isinstance(of, StepRow) and of.ratio is None:
        return _levels(of)
    low, high = _percent(of.low), _percent(of.high)
    if high.endswith(" %"):
        low = low.removesuffix(" %")  # once is enough
    return f"{_percent(of.ratio)} ({low} to {high})"


def _percent(ratio: float | None) -> str:
    if ratio is None or not np.isfinite(ratio):
        return "not known"
    return f"{100 * (ratio - 1):+.1f} %" if 1 / MAX_WRITTEN < ratio < MAX_WRITTEN else f"{ratio:.3g} times"


def _where(record: Record) -> str:
    """Name the environments; asv's name for one may be empty."""
    if len(record.environments) > 1:
        return f", each in its environment: {', '.join(record.environments)}"
    return f" in {record.environments[0]}" if record.environments[0] else ""


def _confirmed(record: Record) -> str:
    told = [step.confirmation.status for step in record.steps if step.confirmation]
    if not told:
        return ""
    return "; measured again: " + ", ".join(f"{told.count(status)} {status}" for status in dict.fromkeys(told))


def _told(confirmation: Confirmation) -> str:
    commit = f" at {confirmation.commit[:SHORT]}" if confirmation.commit else ""
    known = all(value is not None and np.isfinite(value) for value in (confirmation.low, confirmation.high))
    measured = f", {_size(confirmation)}" if known else ""
    return f"{confirmation.status}{commit}{measured}: {confirmation.reason}"
