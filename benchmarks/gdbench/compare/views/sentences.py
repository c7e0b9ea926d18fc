"""What a comparison found, in plain sentences: what is known beside the headline, and what it could not see."""

from __future__ import annotations

from collections.abc import Iterator

from gdbench.basics.units import counted
from gdbench.compare.environments.record import in_words
from gdbench.compare.judge.terms import BROKEN, IMPROVED, INSUFFICIENT, MISSING, REGRESSED, UNCHANGED, JudgeSettings
from gdbench.compare.measure.instructions import NOTE, SAME_WORK
from gdbench.compare.record.record import Comparison
from gdbench.compare.views.headline import band, capital, changes, main_rows, part, reasons
from gdbench.compare.views.tables import (
    NOT_CLAIMABLE,
    case_name,
    claim,
    median,
    percent,
    ratio_text,
    share,
    sort,
)


def details(record: Comparison) -> list[str]:
    """Return what else must be known: what is faster, unresolved, missing, and how small an effect was visible."""
    found = [
        *_versions(record),
        *_improvements(record),
        *_insufficient(record),
        *_missing(record),
        *_visible(record),
        *_steadiness(record),
        *_work(record),
    ]
    return [f"{capital(sentence)}." for sentence in found]


def builds(record: Comparison) -> str:
    """Say what builds of like code differ by, and on how many the blocks were measured."""
    settings = record.settings
    number = f"{settings.layouts} fresh builds of each side" if settings.layouts > 1 else "one build of each side"
    expected = f"{percent(settings.bias_expected)} was expected, by {settings.bias_source}"
    return f"{number}; those of like code differ by {percent(settings.bias_sd)} ({expected})"


def meanings(record: Comparison) -> dict[str, str]:
    """Return what each word of a report means, with the numbers of this run."""
    settings = record.settings
    rate, within = share(settings.fdr), band(record)
    return {
        "ratio": "head relative to base, from pairs of processes measured in turns; above 1x head is slower, or "
        f"allocates more. The interval covers the true ratio with {share(JudgeSettings.confidence)} probability.",
        "suite and groups": "the geometric mean of the ratios of all cases, and of those that share a variant, "
        "network, task, dtype or batch size: changes that are too small to be seen in one case. Their error rates are "
        f"bounded by themselves; nothing below {share(settings.suite_margin)} is claimed.",
        "block": "one fresh pair of processes. Its median is the only datum of a case that enters a test.",
        REGRESSED: f"slower, proven with fresh blocks; at most {rate} of such verdicts are expected to be wrong.",
        IMPROVED: "faster, proven in the same way.",
        UNCHANGED: f"the whole interval lies within {within} of 1x, either way.",
        INSUFFICIENT: f"neither a difference nor its absence within {within} was proven; it says nothing about speed.",
        BROKEN: "wrong results, or a process that died or hung; never timed, or not to its end.",
        MISSING: "one side lacks the case.",
        NOT_CLAIMABLE: "measured, but the controls of this run do not support the verdict.",
        "smallest visible effect": "the least slowdown that this run would have found with a probability of "
        f"{share(JudgeSettings.power)}.",
        "controls": f"canaries are identical code {_controlled(record)} and must show no difference; the spike-in is "
        "real extra work in one of the two, as much as its name says, and must be found.",
    }


def _work(record: Comparison) -> Iterator[str]:
    """Say how instructions changed; they decide nothing, since other code may run under valgrind than was timed."""
    rows = record.of_metric("instructions")
    if not rows:
        return
    more, fewer = ([row for row in rows if row.verdict == verdict] for verdict in (REGRESSED, IMPROVED))
    first = f" (most of all {case_name(sort(more)[0])}, {ratio_text(sort(more)[0])})" if more else ""
    yield (
        f"instructions per call, {NOTE}: {part(len(more), len(rows))} over {share(SAME_WORK)} more{first}, "
        f"{len(fewer):,} over {share(SAME_WORK)} fewer; time decides the verdicts"
    )
    uncounted = [row for row in rows if row.verdict == MISSING]
    if uncounted:
        yield f"instructions were not counted in {'; '.join(reasons(uncounted))}"


def _controlled(record: Comparison) -> str:
    """Say where the controls run."""
    if record.head.kind == "environment":
        return "in two processes of one environment, of each in turns,"
    return "in the processes of both sides"


def _versions(record: Comparison) -> Iterator[str]:
    """Say in which versions two environments differ."""
    if record.differences:
        yield f"versions that differ: {in_words(record.differences)}"


def _improvements(record: Comparison) -> Iterator[str]:
    for sentence in changes(record, IMPROVED):
        yield sentence.rstrip(".")


def _insufficient(record: Comparison) -> Iterator[str]:
    """Say how many cases are unresolved and how long it would take to find the effect that was asked for."""
    rows = [row for row in main_rows(record) if claim(row) == INSUFFICIENT]
    if not rows:
        return
    unproven = f"neither a difference nor its absence within {band(record)} was proven"
    yield f"{_is(len(rows), len(main_rows(record)))} without enough evidence: {unproven}"
    effect = record.settings.effect
    answered = sum(row.rules_out(effect) for row in rows)
    if answered:
        yield f"in {answered:,} of them a change of {share(effect)} or more is ruled out"
    minutes = [row.minutes_needed for row in rows if row.minutes_needed is not None]
    if minutes:
        several = f" for the median one, {_minutes(max(minutes))} for the worst" if len(minutes) > 1 else ""
        yield f"finding a slowdown of {share(effect)} in them takes {_minutes(median(minutes))}{several}"


def _missing(record: Comparison) -> Iterator[str]:
    rows = [row for row in main_rows(record) if row.verdict == MISSING]
    if rows:
        yield f"not compared: {'; '.join(reasons(rows))}"


def _visible(record: Comparison) -> Iterator[str]:
    """Say how small a slowdown the run would have found: in the median case, and in the worst."""
    rows = [row for row in main_rows(record) if row.verdict not in (BROKEN, MISSING)]
    seen = sorted(
        ((row.smallest_effect, row) for row in rows if row.smallest_effect is not None), key=lambda pair: pair[0]
    )
    if seen:
        largest, worst = seen[-1]
        middle = percent(median([effect for effect, _ in seen]))
        several = f" in the median case, {percent(largest)} in the worst ({case_name(worst)})"
        yield f"smallest visible slowdown: {middle}{several if len(seen) > 1 else f' ({case_name(worst)})'}"
    if len(seen) < len(rows):
        yield f"{_is(len(rows) - len(seen), len(rows))} too little measured to find a slowdown of any size"


def _steadiness(record: Comparison) -> Iterator[str]:
    """Say why cases have a remark: unsteady blocks, builds that differ."""
    told = (BROKEN, MISSING, NOT_CLAIMABLE)
    rows = [row for row in main_rows(record) if row.reason and claim(row) not in told]
    if rows:
        yield f"remarks: {'; '.join(reasons(rows))}"


def _is(some: int, whole: int) -> str:
    return f"{part(some, whole)} {'is' if some == 1 else 'are'}"


def _minutes(value: float) -> str:
    return "less than a minute" if value < 1 else counted(round(value), "minute")
