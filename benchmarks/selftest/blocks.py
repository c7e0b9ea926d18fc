"""Blocks of a comparison: compressed into a file of the scratch folder, and the verdicts that follow from them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path

from gdbench.basics import records
from gdbench.basics.storage import replacing
from gdbench.compare.conclusion import judge_measured
from gdbench.compare.judge.terms import BROKEN, MISSING, Verdicts
from gdbench.compare.measure.session import State
from gdbench.compare.record.record import RAW, Comparison, MeasuredBlock, Measurements, read_record
from gdbench.compare.record.tiers import TIERS
from gdbench.experiments.cases import CASE_COLUMNS, Case

FOLDER = "blocks"
"""Folder of these files within the scratch folder."""


@dataclass(frozen=True)
class KeptComparison:
    """The record of a comparison, and all that was measured of time."""

    record: Comparison
    screen: tuple[MeasuredBlock, ...]
    confirm: tuple[MeasuredBlock, ...]


def file_of(scratch: Path, name: str) -> Path:
    """Return where the blocks of the comparison of a name are kept."""
    return scratch / FOLDER / f"{name}.json.gz"


def keep(folder: Path, path: Path) -> None:
    """Compress record and raw blocks of the folder of a comparison into a file, whole or not at all."""
    screen, confirm = (
        tuple(records.read(raw, MeasuredBlock, remedy="compare again") for raw in sorted((folder / RAW).glob(pattern)))
        for pattern in ("screen-*.json", "confirm-*.json")
    )
    text = json.dumps(records.plain(KeptComparison(read_record(folder), screen, confirm)))
    with replacing(path) as beside:
        beside.write_bytes(gzip.compress(text.encode()))


def read(path: Path) -> KeptComparison:
    """Read what was kept of a comparison."""
    return records.parse(json.loads(gzip.decompress(path.read_bytes())), KeptComparison)


def judge_anew(kept: KeptComparison) -> Verdicts:
    """Return the verdicts that follow from the blocks alone, by today's rule and the settings of the comparison.

    What the rule asks beyond these is the tier's. Cases and controls that were lost while they were measured are out,
    though some of their blocks were kept.
    """
    record, settings = kept.record, kept.record.settings
    timed = record.of_metric("time")
    lost = {
        verdict: {row.case: row.reason for row in (*timed, *record.controls.cases) if row.verdict == verdict}
        for verdict in (BROKEN, MISSING)
    }
    tier = replace(
        TIERS[record.tier].asked_about(settings.effect),
        margin=settings.margin,
        suite_margin=settings.suite_margin,
        layouts=settings.layouts,
    )
    return judge_measured(
        [Case(**{name: getattr(row, name) for name in CASE_COLUMNS}) for row in timed],
        Measurements([*kept.screen], [*kept.confirm], settings.confirm_planned),
        State(broken=lost[BROKEN], missing=lost[MISSING]),
        replace(
            tier.settings,
            equivalence=settings.equivalence,
            fdr=settings.fdr,
            bias_sd=settings.bias_expected,
            complete=record.complete,
        ),
        controls=[row.case for row in record.controls.cases],
    )
