"""How unlike fresh processes are: the range of a case's times over blocks, where one row at a time shows it most."""

from __future__ import annotations

import pandas as pd

from gdbench.basics.units import percent
from gdbench.experiments.cases import CASE_COLUMNS, MEASURED
from gdbench.report.findings import experiments, headline_task
from gdbench.report.tables import Table
from gdbench.run.folder import Run
from kernels.errors import choices

MIN_BLOCKS = 2
ALIKE = ["variant", "dtype"]


def spread_tables(run: Run) -> list[Table]:
    """Return a table of (largest - smallest) / median of the times of a case over blocks, at the smallest batch size.

    A block is a fresh process, which has its own physical memory: a variant whose time depends on where its data lie
    differs from process to process, and no repeat within one shows it. Rows are variant and dtype, columns the
    networks on their data sets; there is nothing where no case was measured in two blocks.
    """
    parts = [table[table["task"] == headline_task(table)] for _, table in experiments(run.summary)]
    chosen = pd.concat([part[part["batch_size"] == part["batch_size"].min()] for part in parts])
    chosen = chosen[(chosen["status"] == MEASURED) & (chosen["blocks"] >= MIN_BLOCKS)]
    if chosen.empty:
        return []
    ranges = run.samples.groupby(CASE_COLUMNS)["seconds"].agg(_range)
    shown = chosen.merge(ranges.rename("range").reset_index(), on=CASE_COLUMNS)
    shown["case"] = shown["network"] + " on " + shown["dataset"] + "\nB=" + shown["batch_size"].astype(str)
    cases = list(shown["case"].unique())
    rows = [
        (variant, dtype, *(_cell(line[line["case"] == case]["range"]) for case in cases))
        for (variant, dtype), line in shown.groupby(ALIKE, sort=False)
    ]
    blocks = sorted({str(blocks) for blocks in shown["blocks"]})
    title = f"Range of times over {choices(blocks)} fresh processes, of their median"
    return [Table(title, (*ALIKE, *cases), tuple(rows), best=None)]


def _range(times: pd.Series) -> float:
    return float((times.max() - times.min()) / times.median())


def _cell(ranges: pd.Series) -> str:
    return percent(ranges.iloc[0], 2) if len(ranges) else "-"
