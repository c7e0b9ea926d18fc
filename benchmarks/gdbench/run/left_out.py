"""What a plan leaves out, in sentences: nothing is skipped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import kernels
from gdbench.experiments import variants
from gdbench.experiments.cases import Case
from gdbench.experiments.grid import profile
from gdbench.run.plan import Plan
from kernels.errors import choices


class Cell(NamedTuple):
    """What the cases of all variants and peers have in common."""

    task: str
    experiment: str
    batch_size: int
    dtype: str
    threads: int


def sentences(plan: Plan, asked_sizes: Sequence[int | str], asked_variants: Sequence[str]) -> list[str]:
    """Return a sentence for each variant or peer that cannot be used here, for peers in part, and for batch sizes.

    ``asked_sizes`` and ``asked_variants`` are what the user named, empty where the profile decides.
    """
    with_peers = profile(plan.profile).peers and not asked_variants
    missing = variants.unavailable() if with_peers else kernels.unavailable()
    peers = [name for name in asked_variants or variants.names() if variants.is_peer(name)]
    wanted = peers if with_peers or asked_variants else []
    return [
        *(f"variant {name} is unavailable: {reason}" for name, reason in missing.items()),
        *_unsupported(plan, wanted),
        *_too_large(plan, asked_sizes),
    ]


def _unsupported(plan: Plan, peers: Sequence[str]) -> list[str]:
    """One line on what peers do not support: they are left out of those cases."""
    cells = {_cell(case) for case in plan.cases}
    parts = []
    for peer in peers:
        lacking = cells - {_cell(case) for case in plan.cases if case.variant == peer}
        if lacking:
            parts.append(f"{peer} in {len(lacking)} of {len(cells)} ({_where(lacking, cells)})")
    return [f"Peers have no case where they do not support it: {choices(parts)}"] if parts else []


def _cell(case: Case) -> Cell:
    return Cell(case.task, f"{case.network} on {case.dataset}", case.batch_size, case.dtype, case.threads)


def _where(lacking: set[Cell], cells: set[Cell]) -> str:
    """Name the tasks and experiments that are left out whole, and count what else is."""
    rest, kept = lacking, cells - lacking
    tasks = {cell.task for cell in rest} - {cell.task for cell in kept}
    rest = {cell for cell in rest if cell.task not in tasks}
    experiments = {cell.experiment for cell in rest} - {cell.experiment for cell in kept}
    rest = {cell for cell in rest if cell.experiment not in experiments}
    return choices([*sorted(tasks), *sorted(experiments), *([f"{len(rest)} at some batch sizes"] if rest else [])])


def _too_large(plan: Plan, asked_sizes: Sequence[int | str]) -> list[str]:
    rows = {f"{case.network} on {case.dataset}": case.n_rows for case in plan.cases}
    remarks = []
    for name, n in rows.items():
        large = [size for size in asked_sizes if isinstance(size, int) and size > n]
        if large:
            remarks.append(f"{name} has {n} rows: batch size {choices(large)} is left out there")
    return remarks
