"""Benchmarks that end where others begin: if those are the same under other names, no step between them is seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gdbench.history.coverage.names import listed
from gdbench.history.coverage.outcomes import ABSENT, THERE
from gdbench.history.coverage.values import Key


def renames(outcomes: Mapping[Key, Sequence[str]], commits: Sequence[str], *, where: str = "") -> Iterator[str]:
    """Say which benchmarks those are, at which commit, and how to see a step there.

    Parameters
    ----------
    outcomes : mapping
        What became of each case at each commit, in any version.
    commits : sequence of str
        Short hashes, oldest first.
    where : str
        What follows a name, such as the environment.
    """
    begun: dict[int, list[str]] = {}
    ended: dict[int, list[str]] = {}
    for name, there in _commits_of(outcomes).items():
        begun.setdefault(min(there), []).append(f"{name}{where}")
        ended.setdefault(max(there) + 1, []).append(f"{name}{where}")
    for at in sorted(begun.keys() & ended.keys()):
        ends, it_was = ("ends", "it was") if len(ended[at]) == 1 else ("end", "they were")
        begins, those = ("begins", listed(begun[at])) if len(begun[at]) == 1 else ("begin", "the later ones")
        yield (
            f"{listed(ended[at])} {ends} before {commits[at]}, where {listed(begun[at])} {begins}; if {it_was} "
            f"renamed, a change of speed there is not seen: measure earlier commits with {those}"
        )


def _commits_of(outcomes: Mapping[Key, Sequence[str]]) -> dict[str, set[int]]:
    """Return for each benchmark that was ever measured the commits at which asv has stored something of it."""
    there: dict[str, set[int]] = {}
    measured = {benchmark for (benchmark, _), all_of_it in outcomes.items() if {*all_of_it} & {*THERE}}
    for (benchmark, _), all_of_it in outcomes.items():
        if benchmark in measured:
            found = (at for at, outcome in enumerate(all_of_it) if outcome != ABSENT)
            there.setdefault(benchmark, set()).update(found)
    return there
