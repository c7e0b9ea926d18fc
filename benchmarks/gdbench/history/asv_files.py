"""Reads asv's result files, by asv's own reader, into a history of one machine."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asv.util
import numpy as np
from asv.machine import Machine
from asv.results import Results, iter_results_for_machine

from gdbench.history.asv_cases import case_of, name_of
from gdbench.history.repository import Commit, ancestors
from gdbench.history.series import History, Measured
from kernels import InputError
from kernels.errors import choices

CONFIG = "asv.conf.json"
RESULTS = Path("reports", "asv", "results")
HOW_TO_MAKE = "make some by: asv run HEAD~20..HEAD"


def results_folder(folder: Path) -> Path:
    """Return where asv.conf.json of a folder says that results are, or the usual place below the folder."""
    config = folder / CONFIG
    if not config.exists():
        return folder / RESULTS
    try:
        text = asv.util.load_json(str(config), js_comments=True)
    except ValueError as error:
        raise InputError(
            f"{config} is not valid JSON ({error}): correct it, or name the folder by --results"
        ) from error
    return folder / str(text.get("results_dir", RESULTS))


def choose_machine(results: Path, wanted: str | None) -> str:
    """Return the machine whose results are read: the one asked for, this one, or the only one.

    Raises
    ------
    InputError
        If there are no results, or those of several machines and none of them is this one: they are never mixed.
    """
    there = sorted(path.parent.name for path in results.glob("*/machine.json") if _has_results(path.parent))
    if not there:
        raise InputError(f"there are no results of asv in {results}: {HOW_TO_MAKE}")
    if wanted is not None:
        if wanted not in there:
            raise InputError(f"{results} has no results of a machine called {wanted}: choose {choices(there)}")
        return wanted
    here = Machine.get_unique_machine_name()
    if here in there or len(there) == 1:
        return here if here in there else there[0]
    raise InputError(
        f"{results} has results of several machines, which are never mixed: name one of {choices(there)} by --machine"
    )


def read_history(results: Path, machine: str, repository: Path) -> History:
    """Read all results of a machine, in the order in which git has their commits.

    Parameters
    ----------
    results : folder of asv's results
    machine : one of the folders in it
    repository : where git is asked for the order of commits; where it knows none of them, their dates decide

    Raises
    ------
    InputError
        If no file of results can be read.
    """
    with _warnings_of_asv() as complaints:
        found = list(iter_results_for_machine(str(results), machine))
    if not found:
        raise InputError(f"no file of results in {results / machine} can be read: delete them, and {HOW_TO_MAKE}")
    known = ancestors(repository)
    ordered, outside = _ordered(found, known)
    chosen, dropped = _one_per_commit(ordered)
    places = {commit.commit: (i, commit.subject) for i, commit in enumerate(known)}
    values, cases = _series(chosen)
    return History(
        machine=machine,
        commits=tuple(_measured(result, *places.get(result.commit_hash, (i, ""))) for i, result in enumerate(chosen)),
        values=values,
        cases=cases,
        skipped=(*complaints, *outside, *dropped),
    )


def _has_results(folder: Path) -> bool:
    return any(path.name != "machine.json" for path in folder.glob("*.json"))


@contextmanager
def _warnings_of_asv() -> Iterator[list[str]]:
    """Gather what asv's reader says of files that it passes over, which it would print."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger = logging.getLogger()  # asv has no logger of its own
    before = logger.handlers[:]
    logger.handlers = [Listener()]
    try:
        yield heard
    finally:
        logger.handlers = before


def _ordered(found: list[Results], known: list[Commit]) -> tuple[list[Results], list[str]]:
    """Sort results by git's order, leaving out other branches; by date where git knows none of the commits."""
    place = {commit.commit: i for i, commit in enumerate(known)}
    inside = [result for result in found if result.commit_hash in place]
    if not inside:
        return sorted(found, key=lambda result: result.date), []
    outside = len({result.commit_hash for result in found} - place.keys())
    remark = [f"{outside} commits with results are not among the ancestors of HEAD and are left out"] if outside else []
    return sorted(inside, key=lambda result: place[result.commit_hash]), remark


def _one_per_commit(ordered: list[Results]) -> tuple[list[Results], list[str]]:
    """Keep one environment where commits were measured in several: the one that has the most commits.

    Where each commit has results of one environment only, a change of it stays in the history, to be labelled.
    """
    commits = Counter(result.commit_hash for result in ordered)
    if max(commits.values()) == 1:
        return ordered, []
    environments = Counter(result.env_name for result in ordered)
    name = max(environments, key=lambda each: environments[each])
    others = choices(sorted(set(environments) - {name}))
    return (
        [result for result in ordered if result.env_name == name],
        [f"commits were measured in several environments, which are never mixed: {name} is shown, {others} left out"],
    )


def _measured(result: Results, order: int, subject: str) -> Measured:
    date = datetime.fromtimestamp(result.date / 1000, UTC).date().isoformat() if result.date else ""
    return Measured(result.commit_hash, subject, date, _environment(result), order)


def _environment(result: Results) -> dict[str, str]:
    """Flatten what asv recorded of machine, packages and variables; equal wherever results may be compared."""
    parts = {**result.params, **(result._requirements or {}), **(result.env_vars or {}), "python": result._python}
    return {str(name): str(value) for name, value in parts.items() if name != "machine"}


def _series(chosen: list[Results]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return each case's values over the commits, of the newest version of each benchmark."""
    newest = {key: result.benchmark_version.get(key) for result in chosen for key in result.get_all_result_keys()}
    values: dict[str, np.ndarray] = {}
    cases = {}
    for at, result in enumerate(chosen):
        for key in result.get_all_result_keys():
            if result.benchmark_version.get(key) != newest[key]:
                continue  # it measured something else then
            for parameters, value, _ in results_of(result, key):
                name = name_of(key, parameters)
                case = case_of(key, parameters)
                if case is not None:
                    cases[name] = case
                values.setdefault(name, np.full(len(chosen), np.nan))[at] = np.nan if value is None else value
    return values, cases


def load(path: Path) -> Results:
    """Read one file of results by asv's reader.

    Raises
    ------
    InputError
        If it is none, or of another version of asv.
    """
    try:
        return Results.load(str(path))
    except asv.util.UserError as error:
        raise InputError(f"asv cannot read {path} ({error}): run asv update, or delete it") from error


def results_of(result: Results, key: str) -> Iterator[tuple[tuple[str, ...], float | None, dict[str, float]]]:
    """Yield the parameters, the value and asv's statistics of each case of a benchmark."""
    axes = result.get_result_params(key) or []
    values = result.get_result_value(key, axes)
    stats = result.get_result_stats(key, axes) if result._stats.get(key) else [None] * len(values)
    for parameters, value, stat in zip(itertools.product(*axes), values, stats, strict=False):
        yield parameters, value, stat or {}
