"""What to say when there is no answer: the status, its reason and what to do about it; never a time or a batch size."""

from __future__ import annotations

from collections.abc import Iterator

from gdbench.pick.choose.choice import NOT_MEASURED, NOT_TIMED, NOT_TRIED, TOO_LARGE
from gdbench.pick.record.record import PickRecord
from gdbench.pick.record.settings import Settings
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, EXTRAPOLATED, MET, REACHED, UNRELIABLE
from gdbench.pick.steps.measure import ENDED
from gdbench.pick.steps.tiers import QUICK
from kernels.auto import AUTO

WHAT = {
    REACHED: "seconds per step were not measured",
    DIVERGED: "training diverged at every learning rate and batch size that was tried",
    CAPPED: "the target was not reached at any batch size",
    UNRELIABLE: "at every batch size too many runs failed to reach the target",
    MET: "the target is met before the first step, so that there is nothing to train",
    BUDGET: "the budget ended the search before any batch size had an answer",
    EXTRAPOLATED: "no batch size was run to the target",
    NOT_TIMED: "no batch size that reached the target has its seconds per step measured",
    NOT_MEASURED: "no variant could be timed",
    NOT_TRIED: "no batch size that was timed has its steps searched for",
    TOO_LARGE: "every batch size that reached the target needs more memory than allowed",
}
SCALING = (DIVERGED, CAPPED, UNRELIABLE, MET, BUDGET)
"""What may come of columns of unlike sizes."""
UNSCALED = (
    "The columns of the file were left as they are, and where their sizes differ descent is slow or diverges: "
    "leave out --no-standardise, or scale them"
)
STUCK = (
    "Descent did not lower the loss from where it starts: take another --init or --activation, look for columns of "
    "enormous size, or name a --loss-target"
)
"""Where the target is what a reference descent reached."""
GOES_ON = "The same command goes on from where it ended"
REMEDY = {
    DIVERGED: "Let the inputs be standardised, look for columns or targets of enormous size, or take a smaller network",
    CAPPED: "Ask for a higher --loss-target, or for auto, or let it search longer with --tier thorough",
    UNRELIABLE: "Ask for a higher --loss-target, which more runs reach, or for more runs with --tier thorough",
    MET: "Ask for a lower --loss-target, or for auto",
    EXTRAPOLATED: "Give a larger --budget or take --tier thorough",
    NOT_TIMED: "Run the same command again to its end",
    NOT_TRIED: "Run the same command again to its end",
    TOO_LARGE: "Allow more memory, or take a smaller network",
}


def no_answer(record: PickRecord) -> Iterator[str]:
    """Yield why there is no answer and what would give one."""
    status, reason, settings = record.status, record.reason, record.settings
    if not record.complete:
        yield f"Stopped before there was an answer ({record.progress})"
        yield "The same command begins anew" if settings.fresh else GOES_ON
        return
    yield f"No batch size can be recommended: {WHAT.get(status, status)}"
    if reason not in ("", status, ENDED):
        yield f"What was seen: {reason}"
    if record.steps:
        yield f"Target: {record.steps.target.words}"
    if remedy := _remedy(record):
        yield remedy
    if status in SCALING and not record.data.source.standardise:
        yield UNSCALED


def _remedy(record: PickRecord) -> str:
    status, settings = record.status, record.settings
    if status == BUDGET:
        return _larger_budget(settings)
    if status == MET and settings.loss_target == AUTO:
        return STUCK
    target = record.steps.target if record.steps else None
    if status == CAPPED and target and target.optimum is not None and target.optimum >= target.value:
        return "Ask for a higher --loss-target, or for auto"  # no search is long enough
    if status == CAPPED and settings.loss_target == AUTO:
        return "Name a higher --loss-target, or let it search longer with --tier thorough"
    return REMEDY.get(status, "")


def _larger_budget(settings: Settings) -> str:
    smaller = " or take --tier quick" if settings.tier != QUICK.name else ""
    return f"Give a larger --budget{smaller}" + ("" if settings.fresh else f"; {GOES_ON.lower()}")
