"""Tables of ``gdbench train``: epochs, evenly spaced, and how each regime ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from gdbench.basics.units import bars
from gdbench.train.training import EpochPoint, FitHistory, Training

CURVE_WIDTH = 48
"""Columns of a curve; longer fits are shown at evenly spaced epochs."""
SMALLEST = 1e-300
"""Loss that stands for 0 on a logarithmic scale."""
TABLE_ROWS = 12
"""Epochs shown at most, the first and the last among them."""


def tables(training: Training, histories: Sequence[FitHistory]) -> list[Table]:
    """Return the table of epochs, and for several regimes the losses side by side and then their ends."""
    if len(histories) == 1:
        return [_epochs(training, histories[0])]
    return [_losses(histories), _ends(training, histories)]


def curves(histories: Sequence[FitHistory]) -> list[str]:
    """Return a line per regime that draws its loss over the epochs, all on one logarithmic scale."""
    logs = [np.log([max(point.loss, SMALLEST) for point in history.points]) for history in histories]
    low, high = min(map(np.min, logs)), max(map(np.max, logs))
    lines = ["loss by epoch, logarithmic"]
    for history, values in zip(histories, logs, strict=True):
        shown = values[np.linspace(0, len(values) - 1, min(len(values), CURVE_WIDTH)).round().astype(int)]
        first, last = history.points[0].loss, history.points[-1].loss
        lines.append(f"{history.descent:<10}  {bars((shown - low) / ((high - low) or 1))}  {first:#.4g} to {last:#.4g}")
    return lines


def score_text(training: Training, score: float) -> str:
    """Accuracy in per cent, R² as it is."""
    return f"{100 * score:.1f} %" if training.dataset.kind == "classification" else f"{score:.4f}"


def _epochs(training: Training, history: FitHistory) -> Table:
    table = _table("epoch", "seconds", "loss", training.score_name)
    for i in _rows(len(history.points)):
        table.add_row(str(i), *_state(training, history.points[i]))
    return table


def _losses(histories: Sequence[FitHistory]) -> Table:
    table = _table("loss after epoch", *(history.descent for history in histories))
    for i in _rows(max(len(history.points) for history in histories)):
        known = (history.points[i].loss if i < len(history.points) else None for history in histories)
        table.add_row(str(i), *("" if loss is None else f"{loss:#.4g}" for loss in known))
    return table


def _ends(training: Training, histories: Sequence[FitHistory]) -> Table:
    early = any(history.diverged or history.interrupted for history in histories)
    names = "B", "epochs", "updates", "seconds", "loss", training.score_name
    table = _table("descent", *names, *(["ended early"] if early else []))
    for history in histories:
        counts = history.batch_size, history.epochs, history.epochs * history.updates_per_epoch
        cells = *(f"{number:,}" for number in counts), *_state(training, history.points[-1])
        table.add_row(history.descent, *cells, *([_reason(history)] if early else []))
    return table


def _state(training: Training, point: EpochPoint) -> tuple[str, str, str]:
    seconds = f"{point.seconds:#.3g}" if point.seconds < 1000 else f"{point.seconds:,.0f}"
    return seconds, f"{point.loss:#.4g}", score_text(training, point.score)


def _reason(history: FitHistory) -> str:
    if history.diverged:
        return f"diverged, epoch {history.diverged.epoch}"
    return "stopped" if history.interrupted else ""


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _rows(count: int) -> list[int]:
    """Every 1st, 2nd, 5th, 10th, ... of ``count`` epochs, so that the last is among TABLE_ROWS of them."""
    last = count - 1
    step = next(
        10**power * digit for power in range(20) for digit in (1, 2, 5) if 10**power * digit * (TABLE_ROWS - 1) >= last
    )
    return [*range(0, last, step), last]
