"""A comparison from beginning to end: sides built, stages measured, cases judged, regressions explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gdbench.basics.folders import own_folder
from gdbench.compare.conclusion import conclude
from gdbench.compare.judge.terms import REGRESSED
from gdbench.compare.measure.explain import explanations
from gdbench.compare.measure.instructions import why_not
from gdbench.compare.measure.session import ComparisonSession, ReportStage, open_session
from gdbench.compare.measure.stages import measure
from gdbench.compare.record.record import Comparison, write_record
from gdbench.compare.record.tiers import TIERS
from gdbench.experiments.grid import Filters
from gdbench.processes.launch import interrupts_deferred
from gdbench.processes.live import AnswerError, ProcessLost
from kernels import InputError


def compare(
    base: str | None,
    head: str | None,
    *,
    folder: Path,
    tier: str = "standard",
    filters: Filters | None = None,
    effect: float | None = None,
    seed: int | None = None,
    explain: bool = False,
    instructions: bool = False,
    report: ReportStage = lambda step: None,
    environments: Sequence[str] = (),
) -> Comparison:
    """Compare two sides and return the record, which is also in ``folder``.

    Parameters
    ----------
    base, head : str, optional
        A git revision, a folder with a checkout, or a variant's name each. Where environments are compared, the base
        is the code that both run, or the tree here as it is, and there is no head.
    folder : Path
        Folder into which raw blocks and the record are written.
    tier : {"quick", "standard", "deep"}
        How much is measured.
    filters : Filters, optional
        Which cases of HEAD's grid take part; all if not given.
    effect : float, optional
        Relative slowdown that blocks are planned for; that of the tier if not given.
    seed : int, optional
        Seed of orders, hash seeds and padding of processes; drawn if not given.
    explain : bool
        Also tell, for proven regressions, which task moved and whether the work grew.
    instructions : bool
        Also count the instructions of every case under valgrind, before it is timed.
    report : callable
        Called with each ``StageProgress``.
    environments : sequence of str
        Requirements of the environments that are compared, as ``--env`` takes them; one stands against that of this
        process.

    Raises
    ------
    InputError
        If a side cannot be measured at all, or both are not alike in their packages; if the folder is not empty,
        cannot be written, or another command writes into it; if instructions cannot be counted here.
    KeyboardInterrupt
        After the record of what was measured until then has been written.
    """
    if instructions and why_not():
        raise InputError(f"instructions cannot be counted: {why_not()}; leave --instructions out to compare times")
    chosen = TIERS[tier] if effect is None else TIERS[tier].asked_about(effect)
    with (
        own_folder(folder, refusal="name a new folder with --output"),
        open_session(
            base,
            head,
            folder=folder,
            tier=chosen,
            filters=filters or Filters(),
            seed=seed,
            report=report,
            environments=environments,
        ) as (session, place),
    ):
        session.counts_instructions = instructions
        complete = False
        try:
            measure(session, place)
            complete = True
        except KeyboardInterrupt:
            with interrupts_deferred():  # a second one would cost the answer
                conclude(session, complete=False)
            raise
        except (AnswerError, ProcessLost) as error:  # in no case, so the machine's or the instrument's fault
            session.progress = f"ended early, since {error}"
        with interrupts_deferred():
            record = conclude(session, complete=complete)
        explain = explain and complete
        return _explained(session, record) if explain else record


def _explained(session: ComparisonSession, record: Comparison) -> Comparison:
    """Complete the rows of proven regressions; the record is whole already, and stays so if this is stopped."""
    slower = [row for row in record.of_metric("time") if row.verdict == REGRESSED]
    try:
        for case, explanation in explanations(session, slower):
            rows = (
                replace(row, explanation=explanation) if row.case == case and row.metric == "time" else row
                for row in record.cases
            )
            record = replace(record, cases=tuple(rows))
    except KeyboardInterrupt:
        record = replace(record, progress="stopped while it explained", ended_early=True)
        raise
    except (AnswerError, ProcessLost) as error:
        session.warnings.append(f"The explanation ended early: {error}.")
    finally:
        record = replace(record, warnings=tuple(session.warnings))
        write_record(session.folder, record)
    return record
