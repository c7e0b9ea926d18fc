"""What an answer does not cover, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from gdbench.basics.units import counted
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS
from gdbench.pick.record.record import PickRecord
from gdbench.pick.views.amounts import listed, sentence, share

TRAINING_ONLY = "The target is a training loss, which says nothing about new rows: --validation asks for held-out rows"
DRAWN = (
    "{:,} of the {:,} rows of the file were drawn by the seed, and stand for all: larger batches were not looked at, "
    "and scale and labels are those of these rows"
)
HELD_OUT = "The target is the loss of {} of the rows, held out of training: other rows may need another number of steps"


def limits(record: PickRecord) -> list[str]:
    """Return the limits of an answer, a sentence each."""
    return [sentence(text) for text in _limits(record)]


def _limits(record: PickRecord) -> Iterator[str]:
    settings, data = record.settings, record.data
    if data.n_in_file is not None:
        yield DRAWN.format(data.n_rows + data.n_held_out, data.n_in_file)
    if record.steps and settings.objective != NEEDS_NO_STEPS:
        yield "A learning rate goes with its batch size: take both of one row of the table"
        yield "The learning rate is constant: a schedule or momentum changes the steps, and with them the answer"
        yield HELD_OUT.format(share(settings.validation)) if settings.validation else TRAINING_ONLY
        yield "Another target may have another answer: gradient noise grows in importance as the loss falls"
    if record.times:
        variants = sorted({row.variant for row in record.times.rows})
        machine = f"this machine with {counted(record.times.threads, 'thread')}, {settings.dtype}"
        yield f"Seconds per step are of {machine} and variant {listed(variants)}: --replan measures them elsewhere"
