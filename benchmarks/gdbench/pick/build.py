"""Builds the record of a pick from what was found, with its status, exit code and words."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import UTC, datetime

from gdbench.basics.exit_codes import KERNEL_WRONG, NOT_ENOUGH_EVIDENCE, OK, SIGNALLED
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
    stopped_by: int | None = None,
    fault: str = "",
    warnings: Sequence[str] = (),
    earlier: PickRecord | None = None,
) -> PickRecord:
    """Return the record of a pick with its words.

    Parameters
    ----------
    command, label : str
        The command line as typed; the network in words.
    data, network, environment, settings, seconds
        Fields of the record.
    steps : Steps, optional
        None if they were not counted.
    times : Times, optional
        None if no step was timed.
    choice : BatchSizeChoice or NoChoice, optional
        None if there was nothing to choose of.
    progress : str
        How far it got, in words.
    stopped_by : int, optional
        Number of the signal that ended it; None if it came to its end.
    fault : str
        Why a kernel could not be timed; empty if it could.
    warnings : sequence of str
        Beside those of the two halves.
    earlier : PickRecord, optional
        Record whose steps were taken over: what it chose is told beside the new choice.
    """
    found = choice if isinstance(choice, BatchSizeChoice) else None
    status, reason = _status(steps, choice)
    return in_words(
        PickRecord(
            command=command,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            complete=stopped_by is None,
            progress="; ".join(part for part in (_ending(stopped_by), progress) if part),
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
            exit_code=_exit_code(found, stopped_by, fault),
        )
    )


def _status(steps: Steps | None, choice: BatchSizeChoice | NoChoice | None) -> tuple[str, str]:
    if isinstance(choice, NoChoice):
        return choice.status, choice.reason
    if steps is not None:
        return steps.status, steps.reason
    return (REACHED, "") if choice is not None else (BUDGET, "nothing was measured")


def _exit_code(choice: BatchSizeChoice | None, stopped_by: int | None, fault: str) -> int:
    if stopped_by is not None:
        return SIGNALLED + stopped_by
    if fault:
        return KERNEL_WRONG
    return OK if choice is not None else NOT_ENOUGH_EVIDENCE


def _ending(stopped_by: int | None) -> str:
    """Say what ended it; nothing if it came to its end."""
    if stopped_by is None:
        return ""
    return f"stopped by {'Ctrl-C' if stopped_by == signal.SIGINT else signal.Signals(stopped_by).name}"


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
