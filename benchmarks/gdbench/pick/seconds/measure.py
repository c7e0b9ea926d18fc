"""Seconds of one step by batch size, on this machine: the hardware half of the choice of a batch size.

What is timed, and how it becomes a time per step, is told in ``process``. Several fresh processes take turns, so
that only one runs at any time, and go through the batch sizes in random orders, so that what slows the machine for a
while slows all of them alike. The process is the unit of inference: processes that run the same code differ steadily,
by where their memory lies, and the samples of one process are wrong together. More samples narrow what is known of a
process and no more, so sampling ends when that is known to 2 %, and the interval tells how the processes differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

import numpy as np

import kernels
from gdbench.basics.folders import scratch_folder
from gdbench.experiments.variants import supports
from gdbench.pick.seconds.fleet import Fleet, NotTimed
from gdbench.pick.seconds.kept_proofs import KeptProofs
from gdbench.pick.seconds.model import fit_time_model
from gdbench.pick.seconds.process import certified_rows
from gdbench.pick.seconds.proof import certified, reason
from gdbench.pick.seconds.schedule import MAX_DRIFT, VisitSchedule
from gdbench.pick.seconds.statistics import enough, rows
from gdbench.pick.seconds.times import Times
from gdbench.processes.launch import check_threads
from kernels import Choice, InputError, Network
from kernels.auto import AUTO
from kernels.contract import Array
from kernels.validation import check_batch_size, check_problem

SAMPLING_SHARE = 0.4
"""Share of the seconds that are given that is left for samples, however long the start and the certificates took."""
MIN_SHARE = 0.9
"""Share of the time for which a process has its cores on a machine that is as good as idle."""
LARGEST_RATE = 0.01
"""Default learning rate, less for long rows: small, so that parameters stay ordinary however many steps are made."""

ReportVisit = Callable[[str, float], None]
"""Hears what is being done, and which share of the seconds is spent."""


def measure_step_time(
    network: Network,
    X: Array,
    Y: Array,
    candidates: Sequence[int],
    *,
    variant: str = AUTO,
    threads: int = 1,
    processes: int = 4,
    most_seconds: float = 10.0,
    seed: int = 0,
    learning_rate: float | Mapping[int, float] | None = None,
    report: ReportVisit | None = None,
) -> Times:
    """Time one step (gather, gradient, update, share of the shuffle) at every batch size, after its certificate.

    Parameters
    ----------
    network : Network
        What is computed.
    X, Y : array, (n, d) and (n, k), float32 or float64
        Data; their dtype is that of the measurement.
    candidates : sequence of int
        Batch sizes, 1 to n.
    variant : str
        Name of a variant, or ``auto``: at each batch size the first of ``kernels.choose`` that is certified.
    threads : int
        Threads of BLAS and Numba.
    processes : int
        Fresh processes to measure in.
    most_seconds : float
        Wall time of everything; more where the certificates, or one visit to each batch size, need it.
    seed : int
        Seed of parameters, orders of rows and orders of batch sizes.
    learning_rate : float or dict, optional
        For all, or by batch size; a small one where not given.
    report : callable, optional
        Called with progress.

    Raises
    ------
    InputError
        If an argument does not fit the others.
    NotTimed
        If no certified variant is left, or no process.
    """
    X, Y = check_problem(network, X, Y)
    begun, report = monotonic(), report or (lambda words, share: None)
    _check(network, X, candidates, variant, threads=threads, processes=processes, most_seconds=most_seconds)
    preferences = {size: _choice(network, X, size, variant) for size in sorted(set(map(int, candidates)))}
    with _fleet(network, X, Y, threads=threads, size=processes, seed=seed) as fleet:
        report("certifying, and compiling what this machine has not yet", 0.0)
        taken, refused = certified(fleet, preferences, KeptProofs(network, *certified_rows(X, Y), threads=threads))
        schedule = VisitSchedule(
            fleet,
            taken,
            _rates(X, taken, learning_rate),
            rng=np.random.default_rng(seed),
            deadline=max(begun + most_seconds, monotonic() + SAMPLING_SHARE * most_seconds),
        )
        schedule.run(enough, lambda: report("timing steps", min(1.0, (monotonic() - begun) / most_seconds)))
        drift = schedule.drift()
        losses = tuple(fleet.losses)
    found = rows(schedule.values, taken)
    if not found:
        how = next(iter(schedule.failed.values()))
        raise NotTimed(f"the variant raised at every batch size ({how}), so nothing is timed: see gdbench check")
    used = {number for values in schedule.values.values() for number in values}
    return Times(
        variant=variant,
        reason=reason(preferences, taken, refused) if variant == AUTO else "",
        dtype=X.dtype.name,
        threads=threads,
        rows=found,
        model=fit_time_model([row.batch_size for row in found], [row.seconds for row in found]),
        processes=len(used),
        drift=drift,
        warnings=_warnings(schedule, losses, drift, processes=len(used)),
    )


@contextmanager
def _fleet(network: Network, X: Array, Y: Array, *, threads: int, size: int, seed: int) -> Iterator[Fleet]:
    with scratch_folder("gdbench-pick-") as folder:
        np.save(folder / "X.npy", X)
        np.save(folder / "Y.npy", Y)
        with Fleet(network, folder, threads=threads, size=size, seed=seed) as fleet:
            fleet.fill()
            yield fleet


def _check(
    network: Network,
    X: Array,
    candidates: Sequence[int],
    variant: str,
    *,
    threads: int,
    processes: int,
    most_seconds: float,
) -> None:
    check_threads(threads)
    if len(candidates) == 0:
        raise InputError("there is no batch size to time: name one from 1 to the number of rows")
    for size in candidates:
        check_batch_size(size, len(X))
        if variant != AUTO and not supports(variant, network, "epoch", int(size)):
            raise InputError(f"variant {variant!r} does not compute {network} at batch size {size}: choose another one")
    if processes < 1 or not most_seconds > 0:
        raise InputError(f"at least one process and a positive time are needed, got {processes} and {most_seconds:g} s")


def _choice(network: Network, X: Array, batch_size: int, variant: str) -> Choice:
    return kernels.choose(network, X, batch_size) if variant == AUTO else Choice((variant,), "")


def _rates(X: Array, sizes: Mapping[int, str], given: float | Mapping[int, float] | None) -> dict[int, float]:
    """Learning rate of each batch size; by default one below 1 / (|x|² + 1), from which on one layer may diverge."""
    usual = min(LARGEST_RATE, 0.5 / (1.0 + float(np.einsum("ij,ij->i", X, X, dtype=float).max())))
    if isinstance(given, Mapping):
        return {size: float(given.get(size, usual)) for size in sizes}
    return dict.fromkeys(sizes, usual if given is None else float(given))


def _warnings(schedule: VisitSchedule, losses: tuple[str, ...], drift: float, *, processes: int) -> tuple[str, ...]:
    found = [f"{loss}; its samples so far are kept." for loss in losses]
    found += [f"B = {size:,} was not timed: the variant raised {how}." for size, how in schedule.failed.items()]
    if abs(drift) > MAX_DRIFT:
        found.append(
            f"The machine's speed changed: the first batch size takes {100 * abs(drift):.0f} % "
            f"{'more' if drift > 0 else 'less'} at the end than at the start; measure again on a quieter machine."
        )
    share = float(np.median(schedule.shares))
    if share < MIN_SHARE:
        found.append(
            f"Other programs were busy: these processes had their cores for {100 * share:.0f} % of the time; the "
            "seconds are those of an idle machine, so a fit takes longer while that goes on."
        )
    if processes == 1:
        found.append("One process only: the intervals do not tell how processes differ.")
    return tuple(found)
