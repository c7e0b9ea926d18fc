"""The answer in plain words: what to use, how long it takes, what it ties with, why, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gdbench.pick.choose.choice import ARITHMETIC, NOISE, OVERHEAD, TOO_LARGE
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, EXTRAPOLATED, UNRELIABLE
from gdbench.pick.views.amounts import (
    counted,
    listed,
    number,
    plain,
    rate_text,
    rows,
    seconds,
    seconds_interval,
    sentence,
    share,
)
from gdbench.pick.views.comparison_sentences import comparisons
from gdbench.pick.views.remedies import no_answer

Record = dict[str, Any]

LEAST = {
    "time": "time to the target",
    "compute": "rows read until the target",
    "throughput": "time per row, whatever is learnt from it",
    "steps": "steps to the target",
    "memory": "time to the target within the memory allowed",
    "blend": "blend of time and rows read until the target",
}
"""What was made small, by objective."""
NO_REGRET = 0.0005
"""A 90th percentile of the regret below this is called none."""
MUCH_BETTER = 0.95
"""Value relative to the best that can be chosen, from which a batch size that was not run is told."""
WOULD_HELP = {
    OVERHEAD: "overhead binds: less fixed cost per step would help most",
    ARITHMETIC: "arithmetic binds: a faster row would help most",
    NOISE: "gradient noise binds: less of it would help most, since no batch large enough to balance it was chosen",
}


def sentences(record: Record) -> list[str]:
    """Return the answer of a record, a sentence each; without a choice the status, its reason and what to do."""
    return [sentence(text) for text in (_answered(record) if record["choice"] else no_answer(record))]


def _answered(record: Record) -> Iterator[str]:
    for tell in (_use, _ended, _unconfirmed, _target, _expected, _tie, _regret, _why, _binding):
        yield from tell(record)
    yield from comparisons(record)
    yield from _left_out(record)


def _use(record: Record) -> Iterator[str]:
    choice = record["choice"]
    rate = f" with learning rate {rate_text(choice['rate'])}" if choice["rate"] is not None else ""
    yield f"Use batch size {choice['batch_size']}{rate}, for the least {LEAST[choice['objective']]}"


def _ended(record: Record) -> Iterator[str]:
    if not record["complete"]:
        yield f"Stopped early ({record['progress']}): the best answer so far, less sure than that of a whole search"
    elif record["reason"]:
        yield f"The search ended before it was sure: {record['reason']}"


def _unconfirmed(record: Record) -> Iterator[str]:
    """Name the batch size that would be better by the curve alone, by more than rounding to powers of two costs."""
    guessed = [row for row in record["choice"]["table"] if row["status"] == EXTRAPOLATED and row["ratio"] is not None]
    best = min(guessed, key=lambda row: float(row["ratio"]), default=None)
    if best is not None and best["ratio"] < MUCH_BETTER:
        yield (
            f"Not sure: by the curve alone, which no run has confirmed there, {best['batch_size']} is better still; "
            "let the search go on"
        )


def _target(record: Record) -> Iterator[str]:
    if record["choice"]["objective"] == "throughput":
        yield "This is no time to a target: nothing was trained, and a batch size can be fast and learn slowly"
    elif record["steps"]:
        yield f"Target: {record['steps']['target']['words']}"


def _expected(record: Record) -> Iterator[str]:
    choice = record["choice"]
    if choice["seconds"] is None:
        yield f"A row takes {seconds(choice['value'])} with variant {choice['variant']}"
        return
    ends = choice["seconds"], choice["seconds_low"], choice["seconds_high"]
    row = _row(choice, choice["batch_size"])
    epochs = f" ({number(row['epochs'])} passes over the data)" if row["epochs"] is not None else ""
    steps = plain(row["steps"], row["steps_low"], row["steps_high"])
    yield (
        f"Expected time to the target: {seconds(*ends)} (90 % interval {seconds_interval(*ends)}), that is "
        f"{steps} steps{epochs} of {seconds(row['seconds_per_step'])} with variant {choice['variant']}"
    )


def _tie(record: Record) -> Iterator[str]:
    choice = record["choice"]
    if choice["tie_reason"]:
        best = _row(choice, choice["fastest"])
        took = f" at {seconds(best['seconds'], best['low'], best['high'])}" if choice["unit"] == "s" else ""
        yield f"{choice['fastest']} is best{took}, but {choice['batch_size']} was taken: {choice['tie_reason']}"
    others = [str(tied["batch_size"]) for tied in choice["ties"] if tied["batch_size"] != choice["fastest"]]
    if others:
        yield f"Also within {share(choice['tolerance'])} of the best: {listed(others)}"


def _regret(record: Record) -> Iterator[str]:
    mean, most = record["choice"]["regret_expected"], record["choice"]["regret_p90"]
    if mean is None or most is None:
        return
    worse = f"worse than the best of these batch sizes by {share(mean)} on average, and by {share(most)} or less"
    found = "the best of these batch sizes" if most < NO_REGRET else worse
    yield f"Given the noise in both halves, the choice is {found} in nine cases of ten"


def _why(record: Record) -> Iterator[str]:
    choice = record["choice"]
    half, critical, balance = (choice[name] for name in ("half_throughput", "critical_batch", "balance"))
    half = half and max(half, 1.0)  # of a fixed cost that is smaller than a row's arithmetic
    on = f"{counted(record['times']['threads'], 'thread')}, {choice['variant']}"
    if half is None:
        machine = f"this machine ({on}) gains from more rows per step throughout the range"
    else:
        machine = f"this machine ({on}) needs {rows(half)} per step to reach half of its top speed"
    if choice["objective"] == "throughput":
        yield f"Why: {machine}"
    elif critical is None:
        yield f"Why: {machine}; the runs do not fix the critical batch size, so only what was measured counts"
    else:
        yield f"Why: {machine}; on this problem, batches well above {rows(critical)} mostly repeat information"
        if balance is not None:
            yield f"The balance point is √({number(choice['half_throughput'])} · {number(critical)}) ≈ {rows(balance)}"


ABOUT = 0.8
"""Share of another that is about as much."""


def _binding(record: Record) -> Iterator[str]:
    choice = record["choice"]
    shares = choice["shares"]
    if not shares:
        return
    noise, size = shares["noise"], rows(choice["batch_size"])
    cost = (
        f"At {size}, {share(shares['overhead'])} of a step is fixed cost and {share(shares['arithmetic'])} arithmetic"
    )
    more = f", and {share(noise)} of the steps only average out gradient noise" if noise is not None else ""
    balanced = choice["binding"] == ARITHMETIC and noise is not None and noise > ABOUT * shares["arithmetic"]
    as_much = ", and less gradient noise about as much" if balanced else ""
    yield f"{cost}{more}; {WOULD_HELP[choice['binding']]}{as_much}"


def _left_out(record: Record) -> Iterator[str]:
    """Name the batch sizes that were tried and have no number, by reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in record["choice"]["table"]:
        if row["status"] in (DIVERGED, CAPPED, UNRELIABLE, BUDGET, TOO_LARGE):
            found.setdefault((row["status"], row["reason"]), []).append(str(row["batch_size"]))
    for (status, reason), sizes in found.items():
        why = f"{status}: {reason}" if reason != status else status
        yield f"Left out: batch size{'s' if len(sizes) > 1 else ''} {listed(sizes)} ({why.rstrip('.')})"


def _row(choice: Record, size: int) -> Record:
    return next(row for row in choice["table"] if row["batch_size"] == size)
