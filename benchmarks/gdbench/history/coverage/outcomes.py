"""Cases without results to the end of a history, or in all of it: they failed, were skipped, or are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gdbench.history.coverage.names import listed

MEASURED, FAILED, SKIPPED, ABSENT = "measured", "failed", "skipped", "absent"
"""What became of a case at a commit; it is absent where asv has stored nothing of it."""
UNUSABLE = "unusable"
"""It has a value that is no number, which is told by itself."""
THERE = (MEASURED, UNUSABLE)


def ended(outcomes: Mapping[str, Sequence[str]], commits: Sequence[str], *, where: str = "") -> Iterator[str]:
    """Say which cases have results, but none at the end of the history, where a step is not seen.

    Parameters
    ----------
    outcomes : mapping
        By the name of the case: what became of it at each commit.
    commits : sequence of str
        Short hashes, oldest first.
    where : str
        What follows a name, such as the environment.
    """
    found: dict[tuple[str, int], list[str]] = {}
    for name, all_of_it in outcomes.items():
        last = max((at for at, outcome in enumerate(all_of_it) if outcome in THERE), default=None)
        if last is None or last == len(commits) - 1:
            continue
        later = all_of_it[last + 1 :]
        kind = _kind(later)
        at = last if kind == ABSENT else last + 1 + later.index(kind)
        found.setdefault((kind, at), []).append(f"{name}{where}")
    for (kind, at), names in found.items():
        have, its, them = ("has", "its", "it") if len(names) == 1 else ("have", "their", "them")
        rid = f"delete {its} results (asv rm) if {'it is' if len(names) == 1 else 'they are'} gone for good"
        told = {
            FAILED: f"{have} failed since {commits[at]}: mend {them}, and measure again",
            SKIPPED: f"{have} been skipped since {commits[at]}: measure again, or {rid}",
            ABSENT: f"{have} no results after {commits[at]}: measure later commits, or {rid}",
        }
        yield f"{listed(names)} {told[kind]}"


def never(outcomes: Mapping[str, Sequence[str]], *, where: str = "") -> Iterator[str]:
    """Say which cases failed or were skipped each time, so that they have no result at all."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for name, all_of_it in outcomes.items():
        if not any(outcome in THERE for outcome in all_of_it):
            kind = _kind(all_of_it)
            found.setdefault((kind, all_of_it.count(kind), len(all_of_it)), []).append(f"{name}{where}")
    for (kind, count, commits), names in found.items():
        verb = "failed" if kind == FAILED else "was skipped" if len(names) == 1 else "were skipped"
        at = f"all {commits} commits" if count == commits else f"{count} of {commits} commits, and has no result at any"
        yield f"{listed(names)} {verb} at {at if len(names) == 1 else at.replace(' has ', ' have ')}"


def _kind(outcomes: Sequence[str]) -> str:
    """Return what is worst of several outcomes without a result."""
    return next(kind for kind in (FAILED, SKIPPED, ABSENT) if kind in outcomes)
