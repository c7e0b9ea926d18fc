"""How the answer compares, in plain words: with other batch sizes, other learning rates, no search, another variant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gdbench.basics.units import duration
from gdbench.pick.steps.answer import EXTRAPOLATED, REACHED
from gdbench.pick.views.amounts import counted, number, plain, plain_interval, rate_text, rows, seconds

Record = dict[str, Any]

EXTRAPOLATION = "its steps taken from the fitted curve, since running it would have cost too much"


def comparisons(record: Record) -> Iterator[str]:
    """Yield sentences of a record with a choice."""
    for tell in (_against, _rate, _cost, _earlier):
        yield from tell(record)


def _against(record: Record) -> Iterator[str]:
    choice = record["choice"]
    guessed = [row["batch_size"] for row in choice["table"] if row["status"] == EXTRAPOLATED]
    unit = " per row" if choice["objective"] == "throughput" else ""
    for entry in choice["against"]:
        name = _name(entry)
        if entry["batch_size"] == choice["batch_size"]:
            yield f"{name} is the choice itself"
        elif entry["ratio"] is None:
            yield f"{name}: no number, since {entry['reason']}"
        else:
            ends = entry["ratio"], entry["low"], entry["high"]
            guess = f", {EXTRAPOLATION}" if entry["batch_size"] in guessed else ""
            yield f"{name}: {plain(*ends)} times as long{unit} (90 % interval {plain_interval(*ends)}){guess}"


def _name(entry: Record) -> str:
    if entry["name"] == "one row at a time":
        return "One row at a time"
    return f"{'Full batch' if entry['name'] == 'full batch' else 'Your current batch size'} ({entry['batch_size']})"


def _rate(record: Record) -> Iterator[str]:
    """Say how the learning rate goes with the batch size, at one that is likely to be tried next."""
    choice, law = record["choice"], (record["steps"] or {}).get("rate_law")
    if choice["rate"] is None:
        return
    told = "Do not keep this learning rate if you change the batch size"
    other = _other_size(record) if law is not None else None
    if law is None or other is None:
        yield f"{told}: pick again"
        return
    formula = f"{rate_text(law['largest'])} / (1 + {number(law['batch'])} / B)"
    rate = rate_text(law["largest"] / (1 + law["batch"] / other))
    yield f"{told}: it goes with B about as {formula}, which is {rate} at {other}"


def _other_size(record: Record) -> int | None:
    choice, current, n_rows = record["choice"], record["settings"].get("current"), record["data"].get("n_rows")
    size = int(choice["batch_size"])
    likely = [current, 4 * size if n_rows is None or 4 * size <= n_rows else None, max(size // 4, 1)]
    tried = [row["batch_size"] for row in record["steps"]["rows"] if row["status"] == REACHED]  # the law is of these
    return next((int(other) for other in likely if other and other != size and min(tried) <= other <= max(tried)), None)


def _two_digits(count: int) -> int:
    """Round a number of which no more than two digits are known."""
    return round(count, min(2 - len(str(count)), 0))


def _cost(record: Record) -> Iterator[str]:
    total, payback = record["seconds"].get("total"), record["choice"]["payback"]
    if total is None:
        return
    took = f"The search took {duration(total)}" if total >= 10 else f"The search took {seconds(total)}"
    if not payback:
        yield took
        return
    other = f"{'your current ' if payback['name'] == 'current' else 'the full batch of '}{payback['batch_size']}"
    if payback["trainings"] is None:
        yield f"{took}, and no training becomes shorter by it than with {other}"
        return
    count = counted(_two_digits(payback["trainings"]), "training")
    saved = seconds(payback["saved_seconds"])
    yield f"{took}; each training is {saved} shorter than with {other}, which pays the search back after {count}"


def _earlier(record: Record) -> Iterator[str]:
    """Compare with the pick whose steps were taken over, if it was asked the same: the seconds moved the answer."""
    earlier, choice = record["earlier"], record["choice"]
    if not earlier or earlier["objective"] != choice["objective"]:
        return
    here, there = choice["variant"], earlier["variant"]
    if here == there:
        here, there = f"{here} now", f"{there} before"
    if earlier["batch_size"] == choice["batch_size"]:
        yield f"The answer was the same with {there}: {earlier['batch_size']}"
    else:
        yield f"With {there} the answer was {earlier['batch_size']}, with {here} it is {choice['batch_size']}"
    halves = tuple(half and max(half, 1.0) for half in (earlier["half_throughput"], choice["half_throughput"]))
    if None not in halves:
        yield (
            f"The steps are the same for both; {there} reaches half of its top speed at {rows(halves[0])} per step, "
            f"{here} at {rows(halves[1])}{_moved(*halves)}"
        )


def _moved(before: float, after: float) -> str:
    if max(before, after) < 1.5 * min(before, after):
        return ""
    return f", so that {'smaller' if after < before else 'larger'} batches suit it"
