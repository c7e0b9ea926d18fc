"""What an answer says to people who train with another library."""

from __future__ import annotations

from collections.abc import Iterator

from gdbench.experiments.variants import is_peer
from gdbench.pick.choose.choice import BatchSizeChoice
from gdbench.pick.record.record import PickRecord


def for_other_libraries(record: PickRecord, choice: BatchSizeChoice) -> Iterator[str]:
    """Say which half was measured with whose code, where the variant is another library's."""
    if not is_peer(choice.variant):
        return
    seconds = f"This is for people who train with {choice.variant}: the seconds per step were measured with it"
    counted = record.steps.variants.get(choice.batch_size) if record.steps else None
    yield f"{seconds}, the steps counted with {counted}, which makes the same ones faster" if counted else seconds
