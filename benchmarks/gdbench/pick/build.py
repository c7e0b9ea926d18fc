"""Builds the record of a pick from what was found, with its status, exit code and words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gdbench.basics.exit_codes import INTERRUPTED, NOT_ENOUGH_EVIDENCE, OK
from gdbench.machine.environment import Environment
from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice
from gdbench.pick.data.source import DataDescription
from gdbench.pick.record.record import Earlier, PickRecord, SearchSeconds
from gdbench.pick.record.settings import Settings
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import BUDGET, REACHED, Steps
from gdbench.pick.views.sentences import in_words
from kernels import Network


def build_record(
    *,
    command: str,
    data: DataDescription,
    network: Network,
    label: str,
    environment: Environment,
    settings: Settings,
    steps: Steps | None,
    times: Times | None,
    choice: BatchSizeChoice | NoChoice | None,
    seconds: SearchSeconds,
    progress: str = "",
    interrupted: str = "",
    warnings: Sequence[str] = (),
    earlier: PickRecord | None = None,
    exit_code: int | None = None,
) -> PickRecord:
    """Return the record of a pick with its words.

    Parameters
    ----------
    steps, times, choice
        Each may be None if it was not made.
    interrupted
        Why it did not come to its end, such as ``stopped by SIGTERM``; empty if it did.
    warnings
        Beside those of the two halves.
    earlier
        Record whose steps were taken over, if any: what it chose is told beside the new choice.
    exit_code
        In place of 0, 3 and 130, which follow from the other arguments.
    """
    found = choice if isinstance(choice, BatchSizeChoice) else None
    status, reason = _status(steps, choice)
    return in_words(
        PickRecord(
            command=command,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            complete=not interrupted,
            progress="; ".join(part for part in (interrupted, progress) if part),
            data=data,
            network=network,
            label=label,
            environment=environment,
            settings=settings,
            status=status,
            reason=reason,
            steps=steps,
            times=times,
            choice=found,
            earlier=_earlier(earlier),
            seconds=seconds,
            warnings=(*(steps.warnings if steps else ()), *(times.warnings if times else ()), *warnings),
            exit_code=_exit_code(found, interrupted) if exit_code is None else exit_code,
        )
    )


def _status(steps: Steps | None, choice: BatchSizeChoice | NoChoice | None) -> tuple[str, str]:
    if isinstance(choice, NoChoice):
        return choice.status, choice.reason
    if steps is not None:
        return steps.status, steps.reason
    return (REACHED, "") if choice is not None else (BUDGET, "nothing was measured")


def _exit_code(choice: BatchSizeChoice | None, interrupted: str) -> int:
    if interrupted:
        return INTERRUPTED
    return OK if choice is not None else NOT_ENOUGH_EVIDENCE


def _earlier(record: PickRecord | None) -> Earlier | None:
    if record is None or record.choice is None:
        return None
    choice, settings = record.choice, record.settings
    return Earlier(
        batch_size=choice.batch_size,
        learning_rate=choice.learning_rate,
        variant=choice.variant,
        seconds=choice.seconds,
        half_throughput=choice.half_throughput,
        threads=settings.threads,
        dtype=settings.dtype,
        objective=settings.objective,
        cpu=record.environment.cpu,
        date=record.date,
    )
