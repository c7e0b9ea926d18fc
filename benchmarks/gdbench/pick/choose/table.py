"""The rows of a choice: every batch size that either half knows, and why some of them cannot be chosen."""

from __future__ import annotations

from collections.abc import Collection

from gdbench.pick.choose.choice import NOT_TIMED, NOT_TRIED, TOO_LARGE, Row
from gdbench.pick.seconds.times import Times, TimesRow
from gdbench.pick.steps.answer import REACHED, Steps, StepsRow

WORDS = {
    NOT_TIMED: "its seconds per step were not measured",
    NOT_TRIED: "its steps were not searched for",
    TOO_LARGE: "a step needs more memory than allowed",
}


def rows_of(
    steps: Steps | None, times: Times, *, n_rows: int | None = None, over: Collection[int] = ()
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
    timed = {row.batch_size: row for row in times.rows}
    found = []
    for size in sorted({*stepped, *timed}):
        step, time = stepped.get(size), timed.get(size)
        status, reason = _status(step, time, searched=steps is not None, over=size in over)
        found.append(_row(size, step, time, status=status, reason=reason, n_rows=n_rows))
    return tuple(found)


def _row(
    size: int, step: StepsRow | None, time: TimesRow | None, *, status: str, reason: str, n_rows: int | None
) -> Row:
    steps = step.steps if step is not None else None
    measured = step.measured if step is not None else status != NOT_TRIED
    examples = steps * size if steps is not None and measured else None
    return Row(
        batch_size=size,
        status=status,
        reason=reason,
        measured=measured,
        runs=step.runs if step is not None else 0,
        learning_rate=step.learning_rate if step is not None else None,
        steps=steps,
        variant=time.variant if time is not None else None,
        seconds_per_step=time.seconds if time is not None else None,
        seconds=steps * time.seconds if steps is not None and measured and time is not None else None,
        seconds_low=None,
        seconds_high=None,
        examples=examples,
        epochs=examples / n_rows if examples is not None and n_rows else None,
        value=None,
        ratio=None,
    )


def _status(step: StepsRow | None, time: TimesRow | None, *, searched: bool, over: bool) -> tuple[str, str]:
    """Status and the reason why a batch size cannot be chosen; no reason if it can."""
    if searched and step is None:
        return NOT_TRIED, WORDS[NOT_TRIED]
    if step is not None and not step.measured:
        return step.status, step.reason or step.status
    if time is None:
        return NOT_TIMED, WORDS[NOT_TIMED]
    if over:
        return TOO_LARGE, WORDS[TOO_LARGE]
    return REACHED, ""
