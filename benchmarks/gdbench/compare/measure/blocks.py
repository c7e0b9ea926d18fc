"""One block: a fresh pair of processes measures cases in turns; the result is a log-ratio for each.

Per case, quads of four samples in the order ABBA or BAAB, by the toss of a coin, of a few milliseconds each: what slows
the machine for longer than that slows both sides alike and cancels (``block_datum``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

import numpy as np
import psutil
from numpy.typing import ArrayLike, NDArray

from gdbench.compare.measure.controls import control_names, spike_in
from gdbench.compare.measure.pair import MAX_PADDING_BYTES, Pair
from gdbench.compare.measure.preparation import at_case, key_of, prepare
from gdbench.compare.measure.session import Setting, State, note_lost
from gdbench.compare.record.record import MeasuredBlock, PairedSample
from gdbench.compare.sides.builds import Build
from gdbench.experiments.cases import Case
from gdbench.processes.launch import allowed_cores
from gdbench.processes.live import AnswerError, ProcessLost
from kernels import InputError

DRIFT = 0.02
"""A log-ratio whose first and last third differ by more, beyond their own noise, is unsteady."""
DRIFT_ERRORS = 5.0


ReportShare = Callable[[float], None]
"""Callable that is given the share of a block that is done."""
Share = tuple[tuple[Build, Build], int, list[Case | str]]
"""Builds, number of threads, and cases or names of controls."""


def measure_block(
    setting: Setting,
    state: State,
    cases: list[Case],
    *,
    stage: int,
    index: int,
    builds: tuple[Build, Build] | None = None,
    report: ReportShare = lambda share: None,
) -> MeasuredBlock:
    """Measure cases and controls in fresh pairs; return the block for its raw file.

    A case whose side dies or hangs is noted as broken, and a fresh pair goes on with the others. ``builds`` are those
    to measure in the place of the setting's own.
    """
    rng = np.random.default_rng([setting.seed, stage, index])
    begun, found = monotonic(), dict[str, PairedSample]()
    alike = {"hash_seed": int(rng.integers(2**32)), "padding_bytes": int(rng.integers(MAX_PADDING_BYTES))}
    todo = [cases[position] for position in rng.permutation(len(cases))]
    controls, spike = control_names(setting.tier.effect), spike_in(setting.tier.effect).name
    spiked, first, total, compiled = index // 2 % 2, int(rng.integers(2)), len(cases) + len(controls), False
    for both, threads, entries in _shares(builds or setting.builds, todo, controls, index):
        left = [entries[position] for position in rng.permutation(len(entries))]
        while left := [entry for entry in left if key_of(entry) not in found and not state.out(key_of(entry))]:
            with _pair(both, threads, alike, first=first) as pair:
                try:
                    prepare(pair, setting, state, left, spiked=spiked)
                    before = pair.ask_both("begin", (), ())
                    with _together(pair, _cores_of(threads, index)):
                        for entry in left:
                            if not state.out(key_of(entry)):
                                _try(pair, state, entry, rng, found)
                                report(len(found) / total)
                    compiled |= pair.ask_both("begin", (), ()) != before
                except ProcessLost:
                    if not note_lost(state, pair):
                        raise
    if spike in found and spiked == 0:  # the base did the work: told as if it had been the head
        found[spike] = _mirrored(found[spike])
    return MeasuredBlock(
        stage=stage,
        index=index,
        **alike,
        core=tuple(_cores_of(1, index)),
        load_1_minute=round(psutil.getloadavg()[0], 2),
        compiled_while_timed=compiled,
        seconds=monotonic() - begun,
        cases=found,
    )


def _shares(builds: tuple[Build, Build], cases: list[Case], controls: Sequence[str], index: int) -> Iterator[Share]:
    """Yield what each pair of processes of a block measures: builds, number of threads, and cases or controls.

    Controls run with the cases. But in two environments NumPy, which they call, is not the same: there they have two
    processes of one side, in turns of either, so that what they compare is identical code.
    """
    together = builds[0].side.environment is None
    by_threads = {number: [case for case in cases if case.threads == number] for number in _threads(cases)}
    for position, (threads, own) in enumerate(by_threads.items()):
        yield builds, threads, [*own, *(controls if together and position == 0 else ())]
    if not together:
        yield (builds[index % 2],) * 2, _threads(cases)[0], [*controls]


def _threads(cases: list[Case]) -> list[int]:
    """Numbers of threads that occur: each needs processes of its own. Controls alone are a block too."""
    return sorted({case.threads for case in cases} or {1})


def block_datum(base_ns: ArrayLike, head_ns: ArrayLike) -> float:
    """Return the log-ratio of one block: the median over quads of mean log head - mean log base.

    Both are (quads, samples of a side in a quad), in nanoseconds, above 0. However many samples there are, a block
    is one datum: samples of one process are wrong together.
    """
    base, head = np.asarray(base_ns, float), np.asarray(head_ns, float)
    if base.shape != head.shape or base.ndim != 2 or not base.size or not (np.all(base > 0) and np.all(head > 0)):
        raise InputError("times of a block must be positive and two-dimensional, alike for both sides: measure again")
    return float(np.median(np.mean(np.log(head), axis=1) - np.mean(np.log(base), axis=1)))


def _mirrored(sample: PairedSample) -> PairedSample:
    """Return a sample with its sides exchanged."""
    return replace(
        sample,
        log_ratio=-sample.log_ratio,
        base_seconds=sample.head_seconds,
        head_seconds=sample.base_seconds,
    )


def _try(pair: Pair, state: State, entry: Case | str, rng: np.random.Generator, found: dict[str, PairedSample]) -> None:
    """Measure a case into ``found``; one that raises while it is timed is broken."""
    try:
        found[key_of(entry)] = _measure(pair, state, entry, rng)
    except AnswerError as error:
        state.broken[key_of(entry)] = f"it raised {error} while it was timed"


def _pair(builds: tuple[Build, Build], threads: int, alike: dict[str, int], *, first: int) -> Pair:
    """Start a pair whose variables take the same number of bytes: those of the shorter paths have more padding."""
    longest = max(build.path_bytes for build in builds)
    own = tuple(
        {
            "PYTHONHASHSEED": str(alike["hash_seed"]),
            "GDBENCH_PADDING": "x" * (alike["padding_bytes"] + longest - build.path_bytes),
            "NUMBA_CACHE_DIR": str(build.numba_cache),
        }
        for build in builds
    )
    return Pair(builds, threads=threads, variables=own, turn=first, first=first)


def _cores_of(threads: int, index: int) -> list[int]:
    """Cores of the pair in a block; the coordinator takes the others, so that it disturbs neither side."""
    cores = allowed_cores()
    return [cores[(index + offset) % len(cores)] for offset in range(min(threads, len(cores)))]


@contextmanager
def _together(pair: Pair, chosen: list[int]) -> Iterator[None]:
    """Bring both sides to the same cores, and this process, which coordinates them, to the others meanwhile."""
    cores = allowed_cores()
    others = [core for core in cores if core not in chosen]
    pair.pin(chosen)
    if others:
        psutil.Process().cpu_affinity(others)
    try:
        yield
    finally:
        if others:
            psutil.Process().cpu_affinity(cores)


def _measure(pair: Pair, state: State, entry: Case | str, rng: np.random.Generator) -> PairedSample:
    """Sample one case on both sides in turns."""
    key = key_of(entry)
    calls, warm, quads = state.calls[key]
    walls = np.empty((2, quads, 2))
    used, switches = np.zeros(2), np.zeros(2, int)
    former = None
    with at_case(pair, key):
        pair.ask_both("begin", (), ())
        for quad in range(quads):
            taken = [0, 0]
            for number in (0, 1, 1, 0) if rng.random() < 0.5 else (1, 0, 0, 1):
                wall, cpu, left = pair.sides[number].ask("sample", key, calls, warm if number != former else 0)
                walls[number, quad, taken[number]] = wall / calls
                taken[number] += 1
                used[number] += cpu
                switches[number] += left
                former = number
    per_quad = np.log(walls[1]).mean(axis=1) - np.log(walls[0]).mean(axis=1)
    return PairedSample(
        log_ratio=block_datum(walls[0], walls[1]),
        base_seconds=float(np.median(walls[0])) * 1e-9,
        head_seconds=float(np.median(walls[1])) * 1e-9,
        calls=calls,
        quads=quads,
        unsteady=_drifts(per_quad),
        cpu_share=tuple(round(float(share), 4) for share in used / (walls.sum(axis=(1, 2)) * calls)),
        switches=tuple(switches.tolist()),
    )


def _drifts(per_quad: NDArray[np.float64]) -> bool:
    """Whether the log-ratio of the first third of the quads differs from that of the last, beyond their noise."""
    third = len(per_quad) // 3
    if third < 2:
        return False
    first, last = per_quad[:third], per_quad[-third:]
    error = math.sqrt((first.var(ddof=1) + last.var(ddof=1)) / third)
    return bool(abs(last.mean() - first.mean()) > max(DRIFT, DRIFT_ERRORS * error))
