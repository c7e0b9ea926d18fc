"""What an answer does not cover, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gdbench.pick.views.amounts import counted, listed, sentence, share

Record = dict[str, Any]

TRAINING_ONLY = "The target is a training loss, which says nothing about new rows: --validation asks for held-out rows"
HELD_OUT = "The target is the loss of {} of the rows, held out of training: other rows may need another number of steps"


def limits(record: Record) -> list[str]:
    """Return the limits of an answer, a sentence each."""
    return [sentence(text) for text in _limits(record)]


def _limits(record: Record) -> Iterator[str]:
    settings = record["settings"]
    variants = sorted({row["variant"] for row in (record["times"] or {}).get("rows", [])})
    objective = settings.get("objective")
    if record["steps"] and objective != "throughput":
        yield "The learning rate is constant: a schedule or momentum changes the steps, and with them the answer"
        held_out = settings.get("validation")
        yield HELD_OUT.format(share(held_out)) if held_out else TRAINING_ONLY
        yield "Another target may have another answer: gradient noise grows in importance as the loss falls"
    if variants:
        machine = f"this machine with {counted(record['times']['threads'], 'thread')}, {settings['dtype']}"
        yield f"Seconds per step are of {machine} and variant {listed(variants)}: --replan measures them elsewhere"
