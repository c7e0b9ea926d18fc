"""What a run is going to measure, in which blocks and in which order; written before anything is measured.

A block is one fresh process that measures every case of one network on one data set. Each profile asks for
several rounds of blocks; within a round the blocks, and within a block the cases, are in a new random order.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gdbench.basics import records
from gdbench.basics.folders import writing
from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.grid import Filters, expand, networks, profile
from gdbench.experiments.variants import is_peer, library_of
from gdbench.machine.fingerprint import fingerprint
from gdbench.processes.launch import check_threads
from kernels import InputError
from kernels.validation import check_seed

FILE = "plan.json"

START_SECONDS = 1.7
"""Start of a block's process: interpreter, imports, the machine's limits, data, compiled kernels from their cache."""

IMPORT_SECONDS = {"jax": 0.5, "scipy": 0.2, "sklearn": 0.6, "torch": 3.0}
"""Import of a peer's library, by the first word of the peer's name; two thirds of torch's is its compiler's."""

PEER_CASE_SECONDS = 0.4
"""Compilation for the shapes of one case."""


@dataclass(frozen=True)
class PlannedBlock:
    """One process: the cases (positions in the plan) in the order in which it measures them."""

    index: int
    threads: int
    turn: int
    """Which core the process is pinned to: every experiment takes turns over the cores from round to round."""
    cases: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A run before it is measured; everything that a block's process needs to know."""

    profile: str
    command: str
    seed: int
    case_seconds: float
    fingerprint: str
    """Fingerprint of the code that is measured and of the code that measures: a resumed run mixes no versions."""
    networks: dict[str, NetworkSpec]
    cases: tuple[Case, ...]
    blocks: tuple[PlannedBlock, ...] = field(repr=False)

    def __post_init__(self) -> None:
        missing = next((case.network for case in self.cases if case.network not in self.networks), None)
        if missing is not None:
            raise ValueError(f"its networks lack {missing}, which a case has")


def plan_profile(name: str, filters: Filters | None = None, *, seed: int | None = None, command: str = "") -> Plan:
    """Plan the cases of a profile.

    Parameters
    ----------
    name : str
        A profile of ``grid.toml``.
    filters : Filters, optional
        What of it is measured; all if not given.
    seed : int, optional
        Fixes the order of blocks and cases; drawn if not given.
    command : str
        What the user typed, for the report.

    Raises
    ------
    InputError
        If a name does not exist, no case is left, or more threads are asked for than there are cores.
    """
    chosen = profile(name)
    cases = expand(chosen, filters)
    check_seed(0 if seed is None else seed)
    check_threads(max(case.threads for case in cases))
    return make_plan(
        cases,
        profile=name,
        command=command,
        rounds=chosen.blocks,
        case_seconds=chosen.case_seconds,
        seed=secrets.randbits(32) if seed is None else seed,
    )


def make_plan(cases: list[Case], *, profile: str, command: str, rounds: int, case_seconds: float, seed: int) -> Plan:
    """Divide cases into blocks, in orders that the seed decides."""
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str, int], list[int]] = {}
    for position, case in enumerate(cases):
        groups.setdefault((case.network, case.dataset, case.threads), []).append(position)
    blocks: list[PlannedBlock] = []
    for turn in range(rounds):
        for key in rng.permutation(len(groups)):
            (_, _, threads), members = list(groups.items())[key]
            order = tuple(int(position) for position in rng.permutation(members))
            blocks.append(PlannedBlock(index=len(blocks), threads=threads, turn=turn + int(key), cases=order))
    used = {case.network for case in cases}
    return Plan(
        profile=profile,
        command=command,
        seed=seed,
        case_seconds=case_seconds,
        fingerprint=fingerprint(),
        networks={name: spec for name, spec in networks().items() if name in used},
        cases=tuple(cases),
        blocks=tuple(blocks),
    )


def write_plan(folder: Path, plan: Plan) -> None:
    """Write ``plan.json`` into a run's folder."""
    with writing(folder):
        records.write(folder / FILE, plan, indent=None)  # a number a line would be thousands


def read_plan(folder: Path) -> Plan:
    """Read the plan of a run's folder, or raise InputError when it holds no run."""
    remedy = "name a folder that gdbench run made"
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder} holds no run of gdbench: {remedy}")
    return records.read(path, Plan, remedy=f"use the version of gdbench that wrote it, or {remedy}")


def estimate_seconds(plan: Plan, block: PlannedBlock) -> float:
    """Roughly how long a block will take; good to a factor of two, for a plan that was never measured.

    Each case samples for ``case_seconds`` unless one call takes longer, and is called on few rows before.
    """
    cases = [plan.cases[position] for position in block.cases]
    libraries = {library_of(case.variant) for case in cases if is_peer(case.variant)}
    imports = sum(IMPORT_SECONDS.get(library, 0.0) for library in libraries)
    return START_SECONDS + imports + sum(_case_seconds(plan, case) for case in cases)


def _case_seconds(plan: Plan, case: Case) -> float:
    p = plan.networks[case.network].build(case.dataset).n_parameters
    row_by_row = case.variant == "reference"
    rows = case.rows_per_call
    updates = rows if row_by_row else -(-rows // case.batch_size)
    call = updates * (30e-6 + p * 1.0e-9) + rows * p * (0 if row_by_row else 0.15e-9)
    extra = PEER_CASE_SECONDS if is_peer(case.variant) else 0.003
    return extra + max(plan.case_seconds, call) + 64 / max(rows, 64) * call
