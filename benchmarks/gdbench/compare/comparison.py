"""A comparison from beginning to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gdbench.compare.conclusion import conclude
from gdbench.compare.explain import explain as explain_rows
from gdbench.compare.pair import SideError, SideLost
from gdbench.compare.record import write_record
from gdbench.compare.session import Report, Session, open_session
from gdbench.compare.stages import measure
from gdbench.compare.tiers import TIERS
from gdbench.compare.verdicts import REGRESSED, Rule
from gdbench.experiments.grid import Filters


def compare(
    base: str,
    head: str,
    *,
    folder: Path,
    tier: str = "standard",
    filters: Filters | None = None,
    effect: float | None = None,
    seed: int | None = None,
    explain: bool = False,
    report: Report = lambda step: None,
) -> dict[str, Any]:
    """Compare two sides and return the record, which is also in ``folder``.

    Parameters
    ----------
    base, head : each a git revision, a folder with a checkout, or a variant's name
    folder : where raw blocks and the record are written
    tier : "quick", "standard" or "deep"
    filters : which cases of HEAD's grid take part
    effect : relative slowdown that is asked about, for the plan of blocks; that of the tier if not given
    seed : of orders, seeds and padding of processes; drawn if not given
    explain : also tell, for proven regressions, which task moved and whether the work grew

    Raises
    ------
    InputError
        If a side cannot be measured at all, or both are not alike in their packages.
    KeyboardInterrupt
        After the record of what was measured until then has been written.
    """
    chosen = TIERS[tier]
    if effect is not None:  # what is asked about must also be what the screen lets through
        chosen = replace(chosen, effect=effect, gate=max(min(chosen.gate, effect), Rule().equivalence))
    with open_session(
        base, head, folder=folder, tier=chosen, filters=filters or Filters(), seed=seed, report=report
    ) as (session, place):
        try:
            measure(session, place)
        except KeyboardInterrupt:
            conclude(session, complete=False)
            raise
        except (SideError, SideLost) as error:  # in no case, so the machine's or the instrument's fault
            session.progress = f"ended early, since {error}"
            return conclude(session, complete=False)
        record = conclude(session, complete=True)
        if explain:
            _explain(session, record)
        return record


def _explain(session: Session, record: dict[str, Any]) -> None:
    """Complete the rows of proven regressions; the record is whole already, and stays so if this is stopped."""
    try:
        explain_rows(
            session, [row for row in record["cases"] if (row["metric"], row["verdict"]) == ("time", REGRESSED)]
        )
    except KeyboardInterrupt:
        record["progress"] = "stopped while it explained"
        raise
    except (SideError, SideLost) as error:
        record["warnings"].append(f"The explanation ended early: {error}.")
    finally:
        write_record(session.folder, record)
