"""The answer in plain words: what to use, how sure that is, and why; the most important comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gdbench.basics.units import counted, duration
from gdbench.pick.choose.choice import ARITHMETIC, NOISE, OVERHEAD, Against, BatchSizeChoice, Row
from gdbench.pick.choose.comparisons import CURRENT, FULL, UNMEASURED
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS
from gdbench.pick.record.record import PickRecord
from gdbench.pick.steps.answer import EXTRAPOLATED, StepsRow
from gdbench.pick.steps.measure import ENDED
from gdbench.pick.views.amounts import (
    listed,
    number,
    rate_text,
    rows,
    seconds,
    seconds_interval,
    sentence,
    share,
)
from gdbench.pick.views.elsewhere import for_other_libraries
from gdbench.pick.views.limits import limits
from gdbench.pick.views.remedies import no_answer

MAX_SENTENCES = 7
"""With the answer itself; what is left stands in the report alone."""
LEAST = {
    "time": "the least time to the target",
    "compute": "the fewest rows read until the target",
    "throughput": "the least time per row",
    "steps": "the fewest steps to the target",
    "memory": "the least time to the target within the memory allowed",
    "blend": "the least blend of time and rows read until the target",
}
"""What was made small, by objective."""
NO_REGRET = 0.0005
"""A 90th percentile of the regret below this is called none."""
WOULD_HELP = {
    OVERHEAD: "less fixed cost per step would help most",
    ARITHMETIC: "a faster row would help most",
    NOISE: "less gradient noise would help most, since no batch large enough to balance it was chosen",
}
LITTLE, NO_FIXED_COST = 2.0, "a step has hardly any fixed cost"
"""Rows a step at half of the top speed, below which it is told in words."""
SIMILAR = 1.5
"""Ratio of two half-throughput batch sizes from which they suit different batches."""


def in_words(record: PickRecord) -> PickRecord:
    """Return a record with its words."""
    told = [sentence(text) for text in (_answered(record) if record.choice else no_answer(record))]
    return replace(
        record,
        sentences=tuple(told[:MAX_SENTENCES]),
        details=tuple(told[MAX_SENTENCES:]),
        apart=tuple(sentence(text) for text in _apart(record)),
        limits=tuple(limits(record)),
    )


def cost(choice: BatchSizeChoice) -> str:
    """Write what training at the choice comes to, in the unit of the objective."""
    row = choice.row
    if row.time is None:
        return seconds(choice.value)
    if choice.objective in ("compute", "steps"):
        return f"{round(choice.value):,}"
    time = f"{seconds(*row.time)} (90 % interval {seconds_interval(*row.time)})"
    return f"{time} and {row.examples:,} rows" if choice.objective == "blend" else time


def _answered(record: PickRecord) -> Iterator[str]:
    choice = record.choice
    assert choice is not None
    rate = f" with learning rate {rate_text(choice.learning_rate)}" if choice.learning_rate is not None else ""
    yield f"Use batch size {choice.batch_size:,}{rate} for {LEAST[choice.objective]}: {cost(choice)}"
    for tell in (
        _ended,
        _earlier,
        _target,
        for_other_libraries,
        _tie,
        _against,
        _regret,
        _why,
        _cost,
        _binding,
        _halves,
    ):
        yield from tell(record, choice)


def _ended(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    if not record.complete:
        yield f"Stopped early ({record.progress}): the best answer so far, less sure than that of a whole search"
    elif record.reason == ENDED:
        yield "Time was up before the answer was sure: search longer with --tier or --budget"
    elif record.reason:
        yield f"The search ended before it was sure: {record.reason}"


def _earlier(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    """Compare with the pick whose steps were taken over, if it was asked the same: the seconds moved the answer."""
    earlier = record.earlier
    if earlier is None or earlier.objective != choice.objective:
        return
    if earlier.batch_size == choice.batch_size:
        yield f"The answer was the same before, with {earlier.variant}: {earlier.batch_size:,}"
    else:
        now = "now it is" if earlier.variant == choice.variant else f"with {choice.variant} it is"
        yield f"With {earlier.variant} the answer was {earlier.batch_size:,}, {now} {choice.batch_size:,}"


def _target(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    row = choice.row
    if record.steps is None or row.steps is None:
        yield "This is no time to a target: nothing was trained, and a batch size can be fast and learn slowly"
        return
    took = f"that takes {counted(row.steps, 'step')}, or {number(row.epochs or 0.0)} passes over the data"
    yield f"Target: {record.steps.target.words}; {took}"


def _tie(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    others = [f"{row.batch_size:,}" for row in choice.table if row.tied and not row.chosen]
    if not others:
        return
    best, chosen = next(row for row in choice.table if row.fastest), choice.row
    saved = 1 - chosen.examples / best.examples if chosen.examples and best.examples else 0.0
    reads = f" and reads {share(saved)} fewer rows than {best.batch_size:,}, the best" if saved >= 0.0005 else ""
    are = "are" if len(others) > 1 else "is"
    yield (
        f"{listed(others)} {are} as good within {100 * choice.tolerance:g} %; the smallest was taken, which needs less "
        f"memory{reads}"
    )


def _against(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    per = " per row" if choice.objective == NEEDS_NO_STEPS else ""
    known = [entry for entry in choice.against if entry.ratio is not None and entry.batch_size != choice.batch_size]
    unknown = [_name(entry) for entry in choice.against if entry.reason == UNMEASURED]
    told = [f"{_name(entry)} {number(entry.ratio or 1.0)} times" for entry in known[1:]]
    if known:
        first = f"{_name(known[0])} takes {number(known[0].ratio or 1.0)} times as long{per}"
        yield ", ".join([first, *told])
    if unknown:
        yield f"{listed(unknown)} {'were' if len(unknown) > 1 else 'was'} not measured"
    for entry in choice.against:
        if entry.ratio is None and entry.reason != UNMEASURED:
            yield f"{_name(entry)} gave no number: {entry.reason}"


def _name(entry: Against) -> str:
    names = {FULL: "the full batch", CURRENT: "your current batch size"}
    return f"{names[entry.name]} ({entry.batch_size:,})" if entry.name in names else entry.name


def _regret(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    if choice.regret_p90 < NO_REGRET:
        if record.complete and not record.reason:
            yield "What noise there is hides no better one among those measured"
        return
    mean, most = share(choice.regret_expected), share(choice.regret_p90)
    yield (
        f"Noise may hide a better one: the choice is worse than the best of those measured by {mean} on average, "
        f"and by more than {most} in one case of ten"
    )


def _why(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    half, where = choice.half_throughput, f"{choice.variant}, {counted(record.settings.threads, 'thread')}"
    prevails = f"up to {rows(half)} the fixed cost of a step prevails" if half >= LITTLE else NO_FIXED_COST
    why = f"Why: {prevails} ({where})"
    if choice.objective == NEEDS_NO_STEPS:
        yield why
    elif choice.critical_batch is None:
        yield f"{why}; the runs do not tell from where on more rows repeat the others"
    else:
        balance = f"; {rows((half * choice.critical_batch) ** 0.5)} balance both" if half >= LITTLE else ""
        yield f"{why}, beyond {rows(choice.critical_batch)} more mostly repeat the others{balance}"


def _cost(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    total, payback = record.seconds.total, choice.payback
    if total is None:
        return
    took = f"The search took {duration(total)}" if total >= 10 else f"The search took {seconds(total)}"
    if payback is None:
        yield took
        return
    other = f"{'your current' if payback.name == CURRENT else 'the full batch of'} {payback.batch_size:,}"
    if payback.trainings is None:
        yield f"{took}, and no training becomes shorter by it than with {other}"
        return
    count = counted(round(payback.trainings, min(2 - len(str(payback.trainings)), 0)), "training")
    yield f"{took}, which {count} pay back: each is {seconds(payback.saved_seconds)} shorter than with {other}"


def _binding(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    shares = choice.shares
    noise = f", and {share(shares.noise)} of the steps only average out gradient noise" if shares.noise else ""
    yield (
        f"At {choice.batch_size:,}, {share(shares.overhead)} of a step is fixed cost and {share(shares.arithmetic)} "
        f"arithmetic{noise}: {WOULD_HELP[choice.binding]}"
    )


def _halves(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    """Say why another variant has another answer from the same steps."""
    earlier = record.earlier
    if earlier is None or earlier.objective != choice.objective:
        return
    before, after = (max(half, 1.0) for half in (earlier.half_throughput, choice.half_throughput))
    smaller = "smaller" if after < before else "larger"
    moved = f", so that {smaller} batches suit it" if max(before, after) >= SIMILAR * min(before, after) else ""
    yield f"The steps are the same; half of the top speed was at {rows(before)} per step, now at {rows(after)}{moved}"


def _apart(record: PickRecord) -> Iterator[str]:
    """Name the batch sizes that no run confirmed, and those without a number by reason."""
    table = record.choice.table if record.choice else record.steps.rows if record.steps else ()
    groups: dict[str, list[str]] = {}
    guessed = [row for row in table if row.status == EXTRAPOLATED]
    for row in table:
        if row.status != EXTRAPOLATED and (row.reason or not row.measured):
            why = row.reason if row.status in (row.reason, "") else f"{row.status}: {row.reason or row.status}"
            groups.setdefault(why.rstrip("."), []).append(f"{row.batch_size:,}")
    if guessed:
        sizes, steps = ([f"{value:,}" for value in values] for values in zip(*_pairs(guessed), strict=True))
        yield f"Not measured: {_sizes(sizes)}, where the curve alone would have {listed(steps)} steps"
    if record.choice is None and len(groups) < 2:  # the same everywhere: the answer says it
        return
    for why, sizes in groups.items():
        yield f"Left out: {_sizes(sizes)} ({why})"


def _pairs(rows: Sequence[Row | StepsRow]) -> list[tuple[int, int]]:
    return [(row.batch_size, row.steps or 1) for row in rows]


def _sizes(sizes: Sequence[str]) -> str:
    return f"batch size{'s' if len(sizes) > 1 else ''} {listed(sizes)}"
