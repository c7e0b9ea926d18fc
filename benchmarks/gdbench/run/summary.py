"""Makes the row of each case of a run: time, speed relative to reference and peers, limit, certificate, status."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gdbench.basics.statistics import Interval, median_interval, ratio_interval
from gdbench.experiments.cases import CASE_COLUMNS, FAILED, MEASURED, MISSING, Case, NetworkSpec
from gdbench.experiments.variants import is_peer
from gdbench.machine.work import Limits, limit_seconds, work_of
from gdbench.verify.certificates import CertificateRow

CELL = ["network", "dataset", "task", "batch_size", "dtype", "threads"]
"""What cases share that differ in the variant alone."""


LEAD_UNKNOWN = "lead unknown"
"""Stands for the fastest peer where one failed, which has no times and may be it."""


class PeerSpeed(NamedTuple):
    """The fastest peer of a row and the speed relative to it; empty where no peer was measured, or one failed."""

    best_peer: str
    speedup_vs_best_peer: float = math.nan
    speedup_vs_best_peer_low: float = math.nan
    speedup_vs_best_peer_high: float = math.nan


PEER_COLUMNS = [*PeerSpeed._fields]
Seconds = dict[int, float]
"""Seconds per call of one case, by block."""
Times = dict[tuple[Any, ...], Seconds]
"""The same of many cases, by the fields of each; only of what is measured and certified."""
SUMMARY_COLUMNS = [
    *("network", "sizes", "dataset", "n_rows", "task", "variant", "descent", "batch_size", "dtype", "threads"),
    *("seconds", "seconds_low", "seconds_high", "interval_coverage", "blocks"),
    *("seconds_per_row", "rows_per_second", "speedup_vs_reference", "speedup_low", "speedup_high"),
    *PEER_COLUMNS,
    *("flops", "bytes", "limit_seconds", "fraction_of_limit", "fraction_of_peak"),
    *("first_call_seconds", "max_error", "tolerance", "certified", "status", "reason"),
]


def summarise(
    cases: tuple[Case, ...],
    samples: pd.DataFrame,
    certificates: Iterable[CertificateRow],
    failures: dict[str, str],
    *,
    networks: Mapping[str, NetworkSpec],
    limits: Mapping[int, Limits],
) -> pd.DataFrame:
    """Make a row per case; ``limits`` are those of the machine by number of threads, empty where not measured.

    A block has one sample of a case.
    """
    groups = samples.groupby(CASE_COLUMNS, sort=False)
    by_case = {
        tuple(key): dict(zip(group["block"].tolist(), group["seconds"].tolist(), strict=True)) for key, group in groups
    }
    first_calls = groups["first_call_seconds"].median().to_dict()
    proofs = {identity(row): row for row in certificates}
    proof_of = {case: proofs.get(identity(case)) for case in cases}
    statuses = {case: _status(case, by_case.get(_key(case)), proof_of[case], failures) for case in cases}
    times: Times = {_key(case): by_case[_key(case)] for case in cases if statuses[case]["status"] == MEASURED}
    rows = [
        {
            **case.to_dict(),
            "descent": case.descent,
            **_times(case, times.get(_key(case))),
            **_speedup(times.get(_key(case)), times.get(_key(replace(case, variant="reference")))),
            "first_call_seconds": first_calls.get(_key(case), math.nan),
            **_certificate(proof_of[case]),
            **statuses[case],
        }
        for case in cases
    ]
    table = add_peer_columns(pd.DataFrame(rows, columns=SUMMARY_COLUMNS), times, CASE_COLUMNS)
    return _add_limit_columns(table, cases, networks, limits)


def _key(case: Case) -> tuple[object, ...]:
    return tuple(getattr(case, name) for name in CASE_COLUMNS)


def identity(row: Case | CertificateRow) -> tuple[str, str, str, str]:
    """Return what a certificate is for."""
    return row.variant, row.network, row.dataset, row.dtype


def _certificate(proof: CertificateRow | None) -> dict[str, str | float | bool]:
    if proof is None:
        return {"sizes": "", "max_error": math.nan, "tolerance": math.nan, "certified": False}
    return {
        "sizes": proof.sizes,
        "max_error": math.inf if proof.max_error is None else proof.max_error,
        "tolerance": math.nan if proof.tolerance is None else proof.tolerance,
        "certified": proof.certified,
    }


def _times(case: Case, seconds: Seconds | None) -> dict[str, float]:
    if seconds is None:
        return {"blocks": 0}
    interval = median_interval([*seconds.values()])
    return {
        "seconds": interval.median,
        "seconds_low": interval.low,
        "seconds_high": interval.high,
        "interval_coverage": interval.coverage,
        "blocks": len(seconds),
        "seconds_per_row": interval.median / case.rows_per_call,
        "rows_per_second": case.rows_per_call / interval.median,
    }


def _speedup(seconds: Seconds | None, reference: Seconds | None) -> dict[str, float]:
    """Speed relative to the reference, from the blocks in which both were measured."""
    ratio = shared_ratio(seconds, reference)
    if ratio is None:
        return {}
    return {"speedup_vs_reference": ratio.median, "speedup_low": ratio.low, "speedup_high": ratio.high}


def _status(
    case: Case, seconds: Seconds | None, proof: CertificateRow | None, failures: dict[str, str]
) -> dict[str, str]:
    """Failed when a certificate or a process says so; times of a failed case are never shown."""
    if case.id in failures:
        return {"status": FAILED, "reason": failures[case.id]}
    if proof is not None and not proof.certified:
        return {"status": FAILED, "reason": proof.refusal}
    if seconds is None:
        return {"status": MISSING, "reason": "not measured yet"}
    return {"status": MEASURED, "reason": ""}


def shared_ratio(seconds: Seconds | None, other: Seconds | None) -> Interval | None:
    """Return the speed relative to another case, from the blocks in which both were measured; None without any."""
    if seconds is None or other is None:
        return None
    shared = [block for block in seconds if block in other]
    if not shared:
        return None
    return ratio_interval([other[block] for block in shared], [seconds[block] for block in shared])


def add_peer_columns(summary: pd.DataFrame, times: Times, fields: list[str]) -> pd.DataFrame:
    """Fill in the fastest peer of each row and the speed relative to it; empty where no peer was measured.

    The fastest peer has the least median time of the same network, data set, task, batch size, dtype and threads.
    Where a peer failed nobody knows which is fastest: ``LEAD_UNKNOWN``.
    ``fields`` are the columns that make the keys of ``times``.
    """
    peers = summary[summary["variant"].map(is_peer).astype(bool)]
    timed = peers[peers["seconds"].notna()].sort_values("seconds", kind="stable").drop_duplicates(CELL)
    failed = peers[peers["status"] == FAILED]
    fastest = timed.set_index(CELL)["variant"].to_dict()
    fastest |= dict.fromkeys(failed[CELL].itertuples(index=False, name=None), LEAD_UNKNOWN)
    speeds = [_peer_speed(row, fastest, times, fields) for row in summary.to_dict("records")]
    found = pd.DataFrame(speeds, index=summary.index, columns=PEER_COLUMNS)
    return summary.assign(**{name: found[name] for name in PEER_COLUMNS})


def _peer_speed(row: dict[Any, Any], fastest: dict[Any, Any], times: Times, fields: list[str]) -> PeerSpeed:
    peer = fastest.get(tuple(row[name] for name in CELL), "")
    key = tuple(row[name] for name in fields)
    other = tuple(peer if name == "variant" else row[name] for name in fields)
    ratio = shared_ratio(times.get(key), times.get(other))
    return PeerSpeed(peer) if ratio is None else PeerSpeed(peer, ratio.median, ratio.low, ratio.high)


def _add_limit_columns(
    summary: pd.DataFrame, cases: Sequence[Case], networks: Mapping[str, NetworkSpec], limits: Mapping[int, Limits]
) -> pd.DataFrame:
    """Fill in operations, bytes, least time, and fractions of limit and peak; without limits these three stay empty.

    The rows of the summary are those of the cases.
    """
    work = [work_of(networks[case.network].build(case.dataset), case) for case in cases]
    least = [
        limit_seconds(needed, limits[case.threads], case.dtype) if case.threads in limits else math.nan
        for case, needed in zip(cases, work, strict=True)
    ]
    peaks = [
        limits[case.threads].multiply_adds_per_second.get(case.dtype, math.nan) if case.threads in limits else math.nan
        for case in cases
    ]
    flops, seconds = np.array([needed.flops for needed in work], float), summary["seconds"].to_numpy(float)
    return summary.assign(
        flops=[needed.flops for needed in work],
        bytes=[needed.moved for needed in work],
        limit_seconds=least,
        fraction_of_limit=np.asarray(least) / seconds,
        fraction_of_peak=flops / np.asarray(peaks) / seconds,
    )
