"""Combinations of parameters that a benchmark no longer has: others of it have results at the newest commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gdbench.history.coverage.names import listed
from gdbench.history.coverage.outcomes import ABSENT, THERE
from gdbench.history.coverage.values import Key


def dropped(outcomes: Mapping[Key, Sequence[str]]) -> dict[Key, int]:
    """Return such cases with the index of the commit of their last result: no later commit can give them one.

    Parameters
    ----------
    outcomes : mapping
        What became of each case at each commit, in any version.
    """
    lasting = {benchmark for (benchmark, _), all_of_it in outcomes.items() if all_of_it[-1] in THERE}
    return {
        key: max(at for at, outcome in enumerate(all_of_it) if outcome in THERE)
        for key, all_of_it in outcomes.items()
        if key[0] in lasting and all_of_it[-1] == ABSENT and any(outcome in THERE for outcome in all_of_it)
    }


def dropped_parameters(
    found: Mapping[Key, int], names: Mapping[Key, str], commits: Sequence[str], *, where: str = ""
) -> Iterator[str]:
    """Say which cases those are, and since when.

    Parameters
    ----------
    found : mapping
        What ``dropped`` returns.
    names : mapping
        Of all cases.
    commits : sequence of str
        Short hashes, oldest first.
    where : str
        What follows a name, such as the environment.
    """
    groups: dict[int, list[str]] = {}
    for key, last in found.items():
        groups.setdefault(last, []).append(f"{names[key]}{where}")
    for last, these in groups.items():
        have, its, them = ("has", "its", "it") if len(these) == 1 else ("have", "their", "them")
        yield (
            f"{listed(these)} {have} no results after {commits[last]}, where {its} benchmark has those of other "
            f"parameters: no later step of {them} is seen"
        )
