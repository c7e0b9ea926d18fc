"""A pick that is asked for in Python, from arrays to the answer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from gdbench.machine.settings import check_settings
from gdbench.pick.data.arrays import read_arrays
from gdbench.pick.data.source import RowSource
from gdbench.pick.in_python import call_of, record_in_python
from gdbench.pick.live import Listeners, drawn, drawn_in_notebook, silent
from gdbench.pick.picked import Pick
from gdbench.pick.progress import Clock
from gdbench.pick.request import Request, build_question, check_network
from gdbench.pick.runners.journal import Journal, default_folder
from gdbench.pick.runners.opening import runner_for
from gdbench.pick.session import Session
from gdbench.pick.values import whole


def answer(
    X: object, y: object, request: Request, *, workers: int | None, scheduler: str | None, progress: bool
) -> Pick:
    """Search, and return what was found until the end, or until Ctrl-C.

    Parameters
    ----------
    X : array or DataFrame, (n, d)
        Inputs.
    y : array, Series or DataFrame, (n,) or (n, k)
        What is to be learnt.
    request : Request
        All other options of the search.
    workers : int, optional
        Processes that train.
    scheduler : str, optional
        Address of a Dask cluster that trains instead.
    progress : bool
        Whether to show how far it is.

    Raises
    ------
    InputError
        If an option makes no sense, or the data have nothing to learn.
    """
    check_settings()
    settings = request.settings
    check_network(request)
    open_runner = runner_for(whole("workers", workers), scheduler)
    kind = request.usual_kind
    dataset = read_arrays(X, y, kind=kind, standardise=request.standardise)
    source = RowSource(standardise=request.standardise, kind=kind)
    question = build_question(request, settings, source, dataset)
    with _shown(progress=progress) as (listen, remark):
        session = Session(question, Clock(settings.most_seconds, listen, remark))
        session.search(open_runner, lambda key: None if settings.fresh else Journal(default_folder(), key))
    record = session.record(call_of(request, workers=workers, scheduler=scheduler))
    return Pick(record_in_python(record))


def _shown(*, progress: bool) -> AbstractContextManager[Listeners]:
    """Decide where progress is shown: below the cell of a notebook, or on standard error."""
    if not progress:
        return nullcontext(silent())
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    return drawn_in_notebook() if console.is_jupyter else drawn(console)
