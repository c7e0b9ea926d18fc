"""The rows of a choice: every batch size that either half knows, and why some of them cannot be chosen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gdbench.pick.choose.choice import NOT_TIMED, NOT_TRIED, TOO_LARGE, Row
from gdbench.pick.seconds.times import Times, TimesRow
from gdbench.pick.steps.answer import EXTRAPOLATED, REACHED, Steps, StepsRow

WORDS = {
    EXTRAPOLATED: "its steps come from the curve alone",
    NOT_TIMED: "its seconds per step were not measured",
    NOT_TRIED: "its steps were not searched for",
    TOO_LARGE: "a step needs more memory than allowed",
}


def rows_of(
    steps: Steps | None,
    times: Times | None,
    *,
    n_rows: int | None = None,
    over: Collection[int] = (),
) -> tuple[Row, ...]:
    """Return a row per batch size, ascending; one that can be chosen has no ``reason``.

    Parameters
    ----------
    steps
        None if the objective needs none.
    n_rows
        Rows of the data, for epochs.
    over
        Batch sizes that need more memory than allowed.
    """
    stepped = {row.batch_size: row for row in (steps.rows if steps is not None else ())}
    timed = {row.batch_size: row for row in (times.rows if times is not None else ())}
    found = (
        _row(size, stepped.get(size), timed.get(size), searched=steps is not None, over=over, n_rows=n_rows)
        for size in sorted({*stepped, *timed})
    )
    return _with_front(tuple(found))


def _row(
    size: int,
    step: StepsRow | None,
    time: TimesRow | None,
    *,
    searched: bool,
    over: Collection[int],
    n_rows: int | None,
) -> Row:
    status, reason = _status(size, step, time, searched=searched, over=over)
    known = step if step is not None and step.steps is not None else None
    steps = known.steps if known is not None else None
    examples = None if steps is None else steps * size
    return Row(
        batch_size=size,
        status=status,
        reason=reason,
        variant=time.variant if time is not None else None,
        rate=known.rate if known is not None else None,
        steps=steps,
        steps_low=known.low if known is not None else None,
        steps_high=known.high if known is not None else None,
        seconds_per_step=time.seconds if time is not None else None,
        seconds_per_step_low=time.low if time is not None else None,
        seconds_per_step_high=time.high if time is not None else None,
        seconds=steps * time.seconds if steps is not None and time is not None else None,
        low=None,
        high=None,
        examples=examples,
        epochs=examples / n_rows if examples is not None and n_rows else None,
        value=None,
        ratio=None,
    )


def _status(
    size: int, step: StepsRow | None, time: TimesRow | None, *, searched: bool, over: Collection[int]
) -> tuple[str, str]:
    """Status and the reason why a batch size cannot be chosen; no reason if it can."""
    if searched and step is None:
        return NOT_TRIED, WORDS[NOT_TRIED]
    if step is not None and (step.status != REACHED or step.steps is None):
        return step.status, step.reason or WORDS.get(step.status, step.status)
    if time is None:
        return NOT_TIMED, WORDS[NOT_TIMED]
    if size in over:
        return TOO_LARGE, WORDS[TOO_LARGE]
    return REACHED, ""


def _with_front(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Mark those that can be chosen and that no other such one beats in both time and examples."""
    known = {
        row.batch_size: (row.seconds, row.examples)
        for row in rows
        if not row.reason and row.seconds is not None and row.examples is not None
    }

    def beaten(mine: tuple[float, float]) -> bool:
        return any(other[0] <= mine[0] and other[1] <= mine[1] and other != mine for other in known.values())

    front = {size for size, mine in known.items() if not beaten(mine)}
    return tuple(replace(row, on_front=row.batch_size in front) for row in rows)
