"""The headline of a comparison: how it ended, what it found, and what of that its controls allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gdbench.basics.exit_codes import NOT_ENOUGH_EVIDENCE
from gdbench.basics.units import counted
from gdbench.compare.judge.control import is_spike
from gdbench.compare.judge.terms import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    MISSING,
    REGRESSED,
    UNCHANGED,
)
from gdbench.compare.record.record import CaseResult, Comparison
from gdbench.compare.record.tiers import DEEP, STANDARD
from gdbench.compare.views import together
from gdbench.compare.views.tables import METRICS, amount, case_name, claim, ratio_text, share, sort

WORDS = {
    (BROKEN, "time"): ("is broken", "are broken"),
    (BROKEN, "compile"): ("cannot be compiled", "cannot be compiled"),
    (BROKEN, "memory"): ("is broken", "are broken"),
    (REGRESSED, "time"): ("is slower", "are slower"),
    (REGRESSED, "compile"): ("compiles more slowly", "compile more slowly"),
    (REGRESSED, "memory"): ("allocates more", "allocate more"),
    (IMPROVED, "time"): ("is faster", "are faster"),
    (IMPROVED, "compile"): ("compiles faster", "compile faster"),
    (IMPROVED, "memory"): ("allocates less", "allocate less"),
}
"""What a verdict means for a metric, said of one case and of several."""
UNTIMED = {"memory": "memory", "compile": "compile time"}
"""Metrics that are not measured in the blocks to which the controls belong, in words."""
MAX_REASONS = 5


def headline(record: Comparison) -> str:
    """Return the answer in one line, such as ``1 of 180 cases is slower: ..., 1.24x (1.21 to 1.27)``."""
    timed = any(row.base is not None for row in record.of_metric("time"))
    return " ".join([*_ending(record), *_answer(record)] if timed else _nothing(record))


def changes(record: Comparison, verdict: str) -> Iterator[str]:
    """Yield a sentence per metric that has cases with the verdict, naming the one that moved most."""
    for metric in [metric for metric in METRICS if (verdict, metric) in WORDS]:
        rows = record.of_metric(metric)
        found = [row for row in sort(rows) if claim(row) == verdict]
        if found:
            first = found[0]
            told = _reason(first) if verdict == BROKEN else _change(first)
            such = "" if len(found) == 1 else ", such as" if verdict == BROKEN else ", most of all"
            does = f"{WORDS[verdict, metric][len(found) > 1]}{such or ':'}"
            yield f"{part(len(found), len(rows))} {does} {case_name(first)}, {_sentence(told)}"


def reasons(rows: Sequence[CaseResult]) -> list[str]:
    """Write how many cases have each reason, the commonest first."""
    alike = Counter(map(_reason, rows)).most_common()
    more = sum(number for _, number in alike[MAX_REASONS:])
    told = [f"{counted(number, 'case')} ({reason.rstrip('.')})" for reason, number in alike[:MAX_REASONS]]
    return [*told, f"{counted(more, 'case')} for other reasons"] if more else told


def main_rows(record: Comparison) -> list[CaseResult]:
    """Rows of the first metric that was compared: each case once."""
    return next((rows for metric in METRICS if (rows := record.of_metric(metric))), [])


def part(some: int, whole: int) -> str:
    """Write how many of all cases: ``1 of 180 cases``."""
    return f"{some:,} of {counted(whole, 'case')}"


def band(record: Comparison) -> str:
    """Write how far a ratio may be from 1 and still be unchanged."""
    return share(record.settings.equivalence)


def capital(text: str) -> str:
    """Return a text with a capital first letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def _ending(record: Comparison) -> Iterator[str]:
    """Say how far a run got that did not come to its end."""
    if not record.complete:
        yield _sentence(capital(record.progress))
    elif record.ended_early:
        yield f"{capital(record.progress)}, after all verdicts were reached."


def _answer(record: Comparison) -> list[str]:
    status, reason = record.controls.status, record.controls.reason
    broken, slower = list(changes(record, BROKEN)), list(changes(record, REGRESSED))
    if status == "invalid":
        why = _sentence(reason or "identical code was found to differ")
        advice = "No verdict on times counts: run it again on a quieter machine."
        return [f"INVALID: {why} {advice}", *broken, *_standing(record, slower)]
    if status == "underpowered":
        return [*broken, *together.sentences(record), *slower, _underpowered(record)]
    shared = list(together.sentences(record))
    found = [*broken, *slower]
    if found or REGRESSED in (record.suite.verdict, *(group.verdict for group in record.groups)):
        return [*broken, *shared, *slower]
    return [*shared, _no_regression(record)]


def _standing(record: Comparison, slower: list[str]) -> Iterator[str]:
    """Say what an invalid run still proves: what was not measured in the blocks to which the controls belong."""
    names = _untimed(record)
    if names:
        yield f"Verdicts on {names} stand, since they do not come from the timed blocks."
        yield from slower or ["No regression there."]


def _underpowered(record: Comparison) -> str:
    if record.complete:
        lost = [row.case for row in record.controls.cases if is_spike(row.case) and row.verdict != REGRESSED]
        size = f" ({'; '.join(lost)})" if lost else ""
        why = _sentence(f"{record.controls.reason or 'the planted slowdown was not found'}{size}")
        return f"UNDERPOWERED: {why} No case can be called unchanged: {_quieter(record)}."
    unknown = "call any case unchanged" if record.settings.confirm_blocks else "judge any time"
    return f"Too early to {unknown}: run it again, to its end."


def _quieter(record: Comparison) -> str:
    """Say what may make the next run valid. Deep has the least noise, but its effect is smaller still."""
    if record.tier == DEEP.name:
        return f"compare with --{STANDARD.name}, which claims {share(STANDARD.effect)}, or on a quieter machine"
    return "compare again on a quieter machine"


def _nothing(record: Comparison) -> Iterator[str]:
    """Say that no time was compared at all, and why; what else is known stands beside it."""
    rows = record.of_metric("time")
    names = _untimed(record)
    lead = f"Nothing was measured but {names}" if names else "Nothing was measured"
    if not record.complete:
        yield _sentence(f"{lead}: {record.progress}")
        yield from changes(record, BROKEN)
    elif rows:
        yield f"{lead}: {'; '.join(reasons(rows))}."
    else:
        yield f"{lead}: no case was chosen. Widen the filters."
    yield from changes(record, REGRESSED)


def _untimed(record: Comparison) -> str:
    return " and ".join(words for metric, words in UNTIMED.items() if record.of_metric(metric))


def _change(row: CaseResult) -> str:
    """Write the ratio, or both values where base is nothing."""
    if row.ratio is not None:
        return ratio_text(row)
    return f"{amount(row.base, row.unit)} to {amount(row.head, row.unit)}"


def _no_regression(record: Comparison) -> str:
    """Say how many cases are resolved; without enough of them, that is the headline."""
    rows = main_rows(record)
    tally = Counter(claim(row) for row in rows)
    told = [f"{tally[UNCHANGED]:,} of {counted(len(rows), 'case')} unchanged within {band(record)}"]
    told += [f"{tally[IMPROVED]:,} faster"] if tally[IMPROVED] else []
    told += [f"{tally[INSUFFICIENT]:,} without enough evidence"] if tally[INSUFFICIENT] else []
    told += [f"{tally[MISSING]:,} missing"] if tally[MISSING] else []
    lead = "No regression"
    if not record.complete:
        lead = "No regression proven so far"
    elif record.exit_code == NOT_ENOUGH_EVIDENCE:
        lead = "Not enough evidence, and no regression proven"
    return f"{lead}: {', '.join(told)}."


def _reason(row: CaseResult) -> str:
    return " ".join(row.reason.split()) or row.verdict.lower()


def _sentence(text: str) -> str:
    return f"{text.strip().rstrip('.')}."
