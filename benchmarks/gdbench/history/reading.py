"""Makes histories of asv's results: of each environment its own, in the order in which git has the commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from gdbench.history.all_files import read_all
from gdbench.history.asv_cases import case_of, names_of
from gdbench.history.asv_files import ResultFile
from gdbench.history.changes import MACHINE
from gdbench.history.coverage.names import MAX_NAMED
from gdbench.history.coverage.outcomes import ended, never
from gdbench.history.coverage.parameters import dropped, dropped_parameters
from gdbench.history.coverage.renames import renames
from gdbench.history.coverage.values import collect
from gdbench.history.coverage.versions import changed_versions, version_changes
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import MIN_NOT_POSITIVE
from gdbench.history.repository import Repository, look
from gdbench.history.series import History, Measured
from kernels import InputError
from kernels.errors import choices


@dataclass(frozen=True)
class Results:
    """Results of a machine that can be judged, in the order of their commits.

    Attributes
    ----------
    ordered : list of ResultFile
        Those whose commits are in the history that git knows.
    skipped : tuple of str
        Sentences on what was left out, and why.
    incomplete : tuple of str
        Sentences on results that are there and could be judged, but for something that the user can mend.
    """

    ordered: list[ResultFile]
    skipped: tuple[str, ...]
    incomplete: tuple[str, ...]


def read_histories(
    results: Path, machine: str, repository: Path, *, environment: str | None = None
) -> tuple[History, ...]:
    """Read all results of a machine into a history for each environment.

    Where one environment follows another and none comes back, all are one history, and a change of it is labelled.

    Parameters
    ----------
    results : Path
        Folder of asv's results.
    machine : str
        One of the folders in it.
    repository : Path
        Where git is asked for the order of commits; where it knows none of them, their dates decide.
    environment : str
        The only one of which there is a history, if given; it names the number of series of all.

    Raises
    ------
    InputError
        If no file of results can be read, or none is of that environment.
    """
    git = look(repository)
    found = _in_order(results / machine, git)
    places = {commit: (i, "") for i, commit in enumerate(dict.fromkeys(one.commit for one in found.ordered))}
    places |= {commit.commit: (i, commit.subject) for i, commit in enumerate(git.commits) if commit.commit in places}

    def histories(wanted: str | None) -> list[History]:
        parts = _by_environment(found.ordered, wanted)
        return [
            _history(part, places, machine=machine, environment=name, found=found, several=len(parts) > 1)
            for name, part in parts.items()
        ]

    chosen = histories(environment)
    n_series = sum(one.n_judgeable for one in (chosen if environment is None else histories(None)))
    return tuple(replace(one, n_series=n_series) for one in chosen)


def _in_order(folder: Path, git: Repository) -> Results:
    """Read the files of a machine and sort them."""
    found = read_all(folder)
    read, skipped, incomplete = found.results, [*found.skipped], [*found.incomplete]
    incomplete += [git.refused] if git.refused else []
    place = {commit.commit: i for i, commit in enumerate(git.commits)}
    there = {result.commit for result in read}
    outside = len(there - place.keys())
    if outside and git.shallow:
        incomplete.append(
            f"this clone is shallow, so {outside} of {len(there)} commits with results are beyond its history: "
            "run git fetch --unshallow, then ask again"
        )
    if outside < len(there):
        ordered = sorted((one for one in read if one.commit in place), key=lambda one: place[one.commit])
        if outside and not git.shallow:
            incomplete.append(
                f"{outside} of {len(there)} commits with results are not among the ancestors of HEAD: git pull, or "
                "check out the branch that was measured; if they are of none any more, delete their files"
            )
        return Results(ordered, tuple(skipped), tuple(incomplete))
    if git.commits:
        skipped.append("git knows none of these commits here, so their dates tell the order")
    undated = _without_date(read)
    if undated and len(there) > 1 and not git.refused:
        incomplete.append(
            f"{undated} of {len(there)} commits with results have no date of their own, and git does not know them "
            "here, so that nothing tells their order: ask in a clone of the repository that was measured"
        )
    return Results(sorted(read, key=lambda one: one.date or 0), tuple(skipped), tuple(incomplete))


def _without_date(read: Iterable[ResultFile]) -> int:
    """Count the commits whose place no date tells: they have none, or another has the same."""
    dates = {one.commit: one.date or None for one in read}
    shared = Counter(dates.values())
    return sum(date is None or shared[date] > 1 for date in dates.values())


def _by_environment(ordered: list[ResultFile], wanted: str | None) -> dict[str, list[ResultFile]]:
    """Divide results by their environments, or leave them together where one followed the other for good.

    One that comes back, or shares a commit with another, is judged by itself: between neighbours in different
    environments, a difference is of them, and hides what a commit does.
    """
    names = sorted({result.environment for result in ordered})
    if wanted is not None and wanted not in names:
        raise InputError(f"there are no results of the environment {wanted}: choose {choices(names)}")
    chosen = [name for name in names if wanted in (None, name)]
    stretches = [name for name, _ in groupby(ordered, key=lambda result: result.environment)]
    once = len({result.commit for result in ordered}) == len(ordered)
    if len(chosen) > 1 and once and len(stretches) == len(names):
        return {", then ".join(stretches): ordered}
    return {name: [result for result in ordered if result.environment == name] for name in chosen}


def _history(
    part: list[ResultFile],
    places: Mapping[str, tuple[int, str]],
    *,
    machine: str,
    environment: str,
    found: Results,
    several: bool,
) -> History:
    series = collect([(result.values, result.unusable) for result in part])
    names = names_of(series.outcomes)
    values = {names[key]: one for key, one in series.values.items()}
    left_out = Counter({name: left for name, one in values.items() if (left := _leave_out(one))})
    commits = tuple(_measured(result, *places[result.commit]) for result in part)
    outcomes = {name: series.outcomes[key] for key, name in names.items()}
    gone = dropped(series.outcomes)
    lasting = {name: outcomes[name] for key, name in names.items() if key not in gone}
    where = f" in {environment}" if several else ""
    hashes = [commit.short for commit in commits]
    versions = changed_versions(series, hashes)
    without = [*never(outcomes, where=where)]
    nothing = not any(np.isfinite(one).any() for one in values.values())
    return History(
        machine=machine,
        environment=environment,
        commits=commits,
        values=values,
        cases={names[key]: case for key in series.values if (case := case_of(*key)) is not None},
        skipped=(
            *found.skipped,
            *_not_positive(left_out),
            *version_changes(versions, too_few=False, where=where),
            *dropped_parameters(gone, names, hashes, where=where),
            *([] if nothing else without),
        ),
        incomplete=(
            *found.incomplete,
            *renames(series.outcomes, hashes, where=where),
            *ended(lasting, hashes, where=where),
            *version_changes(versions, too_few=True, where=where),
            *(without if nothing else []),
        ),
    )


def _measured(result: ResultFile, order: int, subject: str) -> Measured:
    day = result.moment.date().isoformat() if result.moment else ""
    return Measured(result.commit, subject, day, _environment(result), order)


def _environment(result: ResultFile) -> dict[str, str]:
    """Return what asv recorded of machine, packages and variables as texts; a package without a version has none.

    Of the machine, that is what asv finds out itself: a name or note that somebody has added changes no time.
    """
    machine = {name: value for name, value in result.machine.items() if name in MACHINE}
    parts = {**machine, **result.requirements, **result.variables, "python": result.python}
    return {name: "" if value is None else str(value) for name, value in parts.items()}


def _leave_out(series: Series) -> int:
    """Take a few values of zero or less out of a series, which failed; return how many."""
    wrong = series <= 0
    count = int(wrong.sum())
    if count >= MIN_NOT_POSITIVE:
        return 0
    series[wrong] = np.nan
    return count


def _not_positive(left_out: Counter[str]) -> Iterable[str]:
    """Say what is left out since nothing takes no time."""
    if left_out:
        named = ", ".join([*left_out][:MAX_NAMED]) + (", ..." if len(left_out) > MAX_NAMED else "")
        yield (
            f"{left_out.total()} values of zero or less are left out, fewer than {MIN_NOT_POSITIVE} of a case: {named}"
        )
