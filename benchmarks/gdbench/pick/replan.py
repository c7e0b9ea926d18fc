"""A new answer from the steps of an earlier pick: another machine, variant, objective, dtype or number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gdbench.pick.data import source as sources
from gdbench.pick.question import Question, ask
from gdbench.pick.record.record import PickRecord
from gdbench.pick.record.settings import Settings
from kernels import InputError

CHANGEABLE = ("objective", "variant", "threads", "dtype", "current", "memory_bytes", "time_weight")
"""Settings on which the steps to a target do not depend."""
MAX_SECONDS = 6.0
"""Seconds of timing, so that the whole command takes ten as a rule."""


def ask_again(record: PickRecord, changes: Mapping[str, Any], *, file: str | None = None) -> Question:
    """Return the question of a record with some settings changed; its steps are still known.

    Parameters
    ----------
    changes : dict
        New values by name, of ``CHANGEABLE``.
    file : str, optional
        Where the user's file lies now, if not where it lay.

    Raises
    ------
    InputError
        If the data have changed, the record is of no use for this, or a change makes no sense.
    """
    settings = _changed(record.settings, changes)
    known = record.times if record.steps is None else record.steps
    if known is None or (record.steps is None and settings.needs_steps):
        raise InputError("the record has no steps: name a record of a search that found them")
    source = sources.source_of(record.data, file)
    dataset = source.load()
    sources.check_same(dataset, record.data)
    sizes = [row.batch_size for row in known.rows]
    return ask(settings, source, dataset, record.network, label=record.label, batch_sizes=sizes)


def _changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Settings with changes; what belongs to another objective is dropped with it."""
    objective = changes.get("objective", settings.objective)
    limit = settings.memory_bytes if objective == "memory" else None
    weight = settings.time_weight if objective == "blend" else None
    return replace(settings, **{"memory_bytes": limit, "time_weight": weight, **changes})
