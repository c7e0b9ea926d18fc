"""Benchmarks whose version changed: their source did, so that asv's earlier results are of another benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gdbench.basics.units import counted
from gdbench.history.coverage.names import listed
from gdbench.history.coverage.values import AllSeries, Key
from gdbench.history.detection.vote import MIN_VALUES


@dataclass(frozen=True)
class ChangedVersion:
    """A benchmark that has results of other versions than its newest.

    Attributes
    ----------
    since : str
        Short hash of the first commit of the newest version.
    earlier : int
        Commits that have results of other versions.
    too_few : bool
        Whether a case could be judged with these results, and cannot without.
    """

    benchmark: str
    since: str
    earlier: int
    too_few: bool


def changed_versions(found: AllSeries, commits: Sequence[str]) -> list[ChangedVersion]:
    """Return the benchmarks that have values of other versions than their newest; commits are their short hashes."""
    changed = []
    for benchmark, there in found.newest.items():
        other = {key: at for key, at in found.other.items() if key[0] == benchmark}
        if other:
            earlier = {at for places in other.values() for at in places}
            since = next((at for at in there if at > max(earlier)), there[0])
            few = any(_is_lost(_count(found, key), len(at)) for key, at in other.items())
            changed.append(ChangedVersion(benchmark, commits[since], len(earlier), few))
    return changed


def _count(found: AllSeries, key: Key) -> int:
    """Count the values of a case in the newest version; where that has other parameters, those of the best of them.

    No commit can give a case results that its benchmark no longer has, but those that took its place can be too few.
    """
    alike = [key] if key in found.values else [other for other in found.values if other[0] == key[0]]
    return max(int(np.isfinite(found.values[one]).sum()) for one in alike)


def _is_lost(count: int, others: int) -> bool:
    """Whether values are too few to be judged, and would be enough with those of other versions."""
    return count < MIN_VALUES <= count + others


def version_changes(found: Iterable[ChangedVersion], *, too_few: bool, where: str = "") -> Iterator[str]:
    """Say which versions changed at which commit, of the benchmarks that have too few results since, or of the others.

    Parameters
    ----------
    found : iterable
        All of them.
    too_few : bool
        Which of the two.
    where : str
        What follows a name, such as the environment.
    """
    groups: dict[tuple[str, int], list[str]] = {}
    for one in found:
        if one.too_few == too_few:
            groups.setdefault((one.since, one.earlier), []).append(f"{one.benchmark}{where}")
    for (since, earlier), names in groups.items():
        version, its = ("version", "its") if len(names) == 1 else ("versions", "their")
        told = (
            f"{listed(names)} changed {its} {version} at {since}: {its} results of {counted(earlier, 'commit')} before "
            "are not comparable"
        )
        rest = (
            "those since are too few to judge: measure earlier commits again"
            if too_few
            else "only those since are judged"
        )
        yield f"{told}, and {rest}"
