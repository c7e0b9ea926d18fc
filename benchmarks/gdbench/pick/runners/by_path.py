"""A problem that is sent without its rows: the worker that runs its trials reads them from the user's file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gdbench.pick.data.file_rows import FileRows
from gdbench.pick.steps.problem import DescentProblem, NetworkProblem

MAX_KEPT = 2
"""Problems whose rows a worker's process keeps at most: two picks may share a cluster, and one that was killed does not
say that its rows are no longer needed."""
UNREADABLE, OTHERS = "could not read", "read other rows from"
"""What a worker may have done in place of reading the rows."""


class NotRead(Exception):
    """A worker has not the rows: ``UNREADABLE`` or ``OTHERS``."""


@dataclass(frozen=True)
class ByPath:
    """A problem without its rows."""

    rows: FileRows
    empty: NetworkProblem
    key: str
    """That of the problem with its rows, which proves that those that were read are the same, bit for bit."""


def by_path(problem: NetworkProblem, rows: FileRows) -> ByPath:
    """Return a problem without its rows, which are those of a file."""
    empty = replace(problem, X=problem.X[:0], Y=problem.Y[:0], V=problem.V[:0], T=problem.T[:0])
    return ByPath(rows, empty, problem.key)


_kept: dict[str, NetworkProblem] = {}
"""What this process has read, by key."""
_reading = threading.Lock()
"""Held while the rows are read: threads that run trials at the same time share them."""


def with_rows(sent: DescentProblem | ByPath) -> DescentProblem:
    """Return a problem with its rows, which a process reads once.

    Raises
    ------
    NotRead
        If the file cannot be read here, or other rows come of it than those of the problem.
    """
    if not isinstance(sent, ByPath):
        return sent
    with _reading:
        if sent.key not in _kept:
            while len(_kept) >= MAX_KEPT:
                del _kept[next(iter(_kept))]
            _kept[sent.key] = _read(sent)
        return _kept[sent.key]


def _read(sent: ByPath) -> NetworkProblem:
    try:
        X, Y, V, T = sent.rows.read()
    except Exception as error:  # no such file, a damaged or an endless one, too little memory: its rows can be sent
        raise NotRead(UNREADABLE) from error
    found = replace(sent.empty, X=X, Y=Y, V=V, T=T)
    if found.key != sent.key:
        raise NotRead(OTHERS)
    return found


async def failure(sent: ByPath) -> str:
    """Have a worker read the rows, in a thread, so that it still answers its scheduler; return what it did instead."""
    try:
        await asyncio.to_thread(with_rows, sent)
    except NotRead as error:
        return str(error)
    return ""


async def forget(key: str) -> None:
    """Have a worker let go of the rows of a problem, once it has read them."""
    await asyncio.to_thread(_forget, key)


def _forget(key: str) -> None:
    with _reading:
        _kept.pop(key, None)


def sentence(problem: NetworkProblem, rows: FileRows, wrong: Mapping[str, str], n_workers: int) -> str:
    """Say that the rows were sent after all, and how that is avoided.

    Parameters
    ----------
    wrong : dict
        What workers did in place of reading the rows, by their addresses.
    n_workers : int
        How many were asked.
    """
    some = min(wrong)
    count = sum({id(values): values.nbytes for values in (problem.X, problem.Y, problem.V, problem.T)}.values())
    return (
        f"{len(wrong)} of {n_workers} workers, such as {some}, {wrong[some]} {rows.source.file}, so the rows "
        f"({count / 1e6:,.1f} MB) were sent to each: put the file that was read here at this path on every worker's "
        "machine, and its path alone is sent"
    )
