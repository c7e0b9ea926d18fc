"""What a comparison found, in plain sentences: the headline first, then what it could not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gdbench.compare.record import rules_out
from gdbench.compare.tables import (
    METRICS,
    NOT_CLAIMABLE,
    Record,
    Row,
    amount,
    case_name,
    claim,
    count,
    median,
    of_metric,
    percent,
    ratio_text,
    share,
    sort,
)
from gdbench.compare.verdicts import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    MISSING,
    REGRESSED,
    UNCHANGED,
    Rule,
)

NOT_ENOUGH_EVIDENCE = 3
"""Exit code of a comparison that resolved too few of its cases."""
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
MOST_REASONS = 5


def headline(record: Record) -> str:
    """Return the answer in one line, such as ``1 of 180 cases is slower: ..., 1.24x (1.21 to 1.27)``."""
    stopped = f"{capital(record['progress'] or 'stopped early')}. " if not record["complete"] else ""
    return f"{stopped}{_answer(record)}"


def details(record: Record) -> list[str]:
    """Return what else must be known: what is faster, unresolved, missing, and how small an effect was visible."""
    found = [
        *_improvements(record),
        *_insufficient(record),
        *_missing(record),
        *_visible(record),
        *_steadiness(record),
    ]
    return [f"{capital(sentence)}." for sentence in found]


def meanings(record: Record) -> dict[str, str]:
    """Return what each word of a report means, with the numbers of this run."""
    settings = record["settings"]
    band, rate = share(settings["equivalence"]), share(settings["fdr"])
    return {
        "ratio": "head relative to base, from pairs of processes measured in turns; above 1x head is slower, or "
        f"allocates more. The interval covers the true ratio with {share(Rule.confidence)} probability.",
        "block": "one fresh pair of processes. Its median is the only datum of a case that enters a test.",
        REGRESSED: f"slower, proven with fresh blocks; at most {rate} of such verdicts are expected to be wrong.",
        IMPROVED: "faster, proven in the same way.",
        UNCHANGED: f"the whole interval lies within {band} of 1x, either way.",
        INSUFFICIENT: f"neither a difference nor its absence within {band} was proven; it says nothing about speed.",
        BROKEN: "wrong results, or a process that died or hung; never timed, or not to its end.",
        MISSING: "one side lacks the case.",
        NOT_CLAIMABLE: "measured, but the controls of this run do not support the verdict.",
        "smallest visible effect": "the least slowdown that this run would have found with a probability of "
        f"{share(Rule.power)}.",
        "controls": "canaries are identical code on both sides and must show no difference; the spike-in is real extra "
        "work on one side and must be found.",
    }


def _answer(record: Record) -> str:
    controls = record["controls"]
    rows = record["cases"]
    if all(row["verdict"] in (BROKEN, MISSING) for row in rows):
        return _nothing(record)
    if controls["status"] == "invalid":
        reason = controls["reason"] or "identical code was found to differ"
        return (
            f"INVALID: {_sentence(reason)} No verdict of this run can be believed: run it again on a quieter machine."
        )
    parts = [*_changes(record, BROKEN), *_changes(record, REGRESSED)]
    if controls["status"] == "underpowered":
        reason = controls["reason"] or "the planted slowdown was not found"
        parts.append(f"UNDERPOWERED: {_sentence(reason)} No case can be called unchanged: measure longer with --deep.")
        return " ".join(parts)
    return " ".join(parts) if parts else _no_regression(record)


def _nothing(record: Record) -> str:
    """Say that there is no comparison at all, with the commonest reasons."""
    rows = record["cases"]
    if not rows:
        return "Nothing was measured: no case was chosen. Widen the filters."
    return f"Nothing was measured: {'; '.join(_reasons(rows))}."


def _changes(record: Record, verdict: str) -> Iterator[str]:
    """Yield a sentence per metric that has cases with the verdict, naming the one that moved most."""
    controls = record["controls"]
    for metric in METRICS:
        rows = of_metric(record, metric)
        found = [row for row in sort(rows, controls) if claim(row, controls) == verdict]
        if found:
            first = found[0]
            told = _reason(first) if verdict == BROKEN else _change(first)
            such = "" if len(found) == 1 else ", such as" if verdict == BROKEN else ", most of all"
            does = f"{WORDS[verdict, metric][len(found) > 1]}{such or ':'}"
            yield f"{_part(len(found), len(rows))} {does} {case_name(first)}, {_sentence(told)}"


def _change(row: Row) -> str:
    """Write the ratio, or both values where base is nothing."""
    if row["ratio"] is not None:
        return ratio_text(row)
    return f"{amount(row['base'], row['unit'])} to {amount(row['head'], row['unit'])}"


def _no_regression(record: Record) -> str:
    """Say how many cases are resolved; without enough of them, that is the headline."""
    rows = _main(record)
    tally = Counter(claim(row, record["controls"]) for row in rows)
    told = [f"{tally[UNCHANGED]:,} of {count(len(rows), 'case')} unchanged within {_band(record)}"]
    told += [f"{tally[IMPROVED]:,} faster"] if tally[IMPROVED] else []
    told += [f"{tally[INSUFFICIENT]:,} without enough evidence"] if tally[INSUFFICIENT] else []
    told += [f"{tally[MISSING]:,} missing"] if tally[MISSING] else []
    lead = "No regression"
    if record["exit_code"] == NOT_ENOUGH_EVIDENCE:
        lead = "Not enough evidence, and no regression proven"
    elif not record["complete"]:
        lead = "No regression proven so far"
    return f"{lead}: {', '.join(told)}."


def _improvements(record: Record) -> Iterator[str]:
    for sentence in _changes(record, IMPROVED):
        yield sentence.rstrip(".")


def _insufficient(record: Record) -> Iterator[str]:
    """Say how many cases are unresolved and how long it would take to find the effect that was asked for."""
    rows = [row for row in _main(record) if claim(row, record["controls"]) == INSUFFICIENT]
    if not rows:
        return
    unproven = f"neither a difference nor its absence within {_band(record)} was proven"
    yield f"{_is(len(rows), len(_main(record)))} without enough evidence: {unproven}"
    effect = record["settings"]["effect"]
    answered = sum(rules_out(row, effect) for row in rows)
    if answered:
        yield f"in {answered:,} of them a change of {share(effect)} or more is ruled out"
    minutes = [row["minutes_needed"] for row in rows if row["minutes_needed"] is not None]
    if minutes:
        several = f" for the median one, {_minutes(max(minutes))} for the worst" if len(minutes) > 1 else ""
        yield f"finding a slowdown of {share(effect)} in them takes {_minutes(median(minutes))}{several}"


def _missing(record: Record) -> Iterator[str]:
    rows = [row for row in _main(record) if row["verdict"] == MISSING]
    if rows:
        yield f"not compared: {'; '.join(_reasons(rows))}"


def _visible(record: Record) -> Iterator[str]:
    """Say how small a slowdown the run would have found: in the median case, and in the worst."""
    rows = [row for row in _main(record) if row["verdict"] not in (BROKEN, MISSING)]
    seen = sorted((row for row in rows if row["smallest_effect"] is not None), key=lambda row: row["smallest_effect"])
    if seen:
        worst = seen[-1]
        middle = percent(median([row["smallest_effect"] for row in seen]))
        several = f" in the median case, {percent(worst['smallest_effect'])} in the worst ({case_name(worst)})"
        yield f"smallest visible slowdown: {middle}{several if len(seen) > 1 else f' ({case_name(worst)})'}"
    if len(seen) < len(rows):
        yield f"{_is(len(rows) - len(seen), len(rows))} too little measured to find a slowdown of any size"


def _steadiness(record: Record) -> Iterator[str]:
    """Say why cases have a remark: unsteady blocks, intervals that disagree."""
    told = (BROKEN, MISSING, NOT_CLAIMABLE)
    rows = [row for row in _main(record) if row["reason"] and claim(row, record["controls"]) not in told]
    if rows:
        yield f"remarks: {'; '.join(_reasons(rows))}"


def _main(record: Record) -> list[Row]:
    """Rows of the first metric that was compared: each case once."""
    return next((rows for metric in METRICS if (rows := of_metric(record, metric))), [])


def _reasons(rows: Sequence[Row]) -> list[str]:
    """Write how many cases have each reason, the commonest first."""
    found = Counter(_reason(row) for row in rows).most_common()
    more = sum(number for _, number in found[MOST_REASONS:])
    told = [f"{count(number, 'case')} ({reason.rstrip('.')})" for reason, number in found[:MOST_REASONS]]
    return [*told, f"{count(more, 'case')} for other reasons"] if more else told


def _reason(row: Row) -> str:
    return " ".join(str(row["reason"] or "").split()) or str(row["verdict"]).lower()


def _is(part: int, whole: int) -> str:
    return f"{_part(part, whole)} {'is' if part == 1 else 'are'}"


def _part(part: int, whole: int) -> str:
    return f"{part:,} of {count(whole, 'case')}"


def _band(record: Record) -> str:
    return share(record["settings"]["equivalence"])


def _minutes(value: float) -> str:
    return "less than a minute" if value < 1 else count(round(value), "minute")


def _sentence(text: str) -> str:
    return f"{text.strip().rstrip('.')}."


def capital(text: str) -> str:
    """Return a text with a capital first letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]
