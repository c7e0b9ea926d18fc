"""A new answer from the steps of an earlier pick: another machine, variant, objective, dtype or number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gdbench.pick.data import source as sources
from gdbench.pick.data.source import RowSource
from gdbench.pick.question import Question, ask
from gdbench.pick.record import Record, steps_from_record
from gdbench.pick.settings import Settings, settings_from
from gdbench.pick.steps import Steps
from kernels import InputError, Network

CHANGEABLE = ("objective", "variant", "threads", "dtype", "current", "memory_bytes", "time_weight")
"""Settings on which the steps to a target do not depend."""
MAX_SECONDS = 6.0
"""Seconds of timing, so that the whole command takes ten as a rule."""


def ask_again(record: Record, changes: Mapping[str, Any], *, file: str | None = None) -> tuple[Question, Steps | None]:
    """Return the question of a record with some settings changed, and the steps that are known.

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
    settings = _changed(_settings(record), changes)
    steps = steps_from_record(record) if settings.needs_steps or record["steps"] else None
    source = source_again(record, file)
    dataset = source.load()
    sources.check_same(dataset, record["data"])
    kept = record["network"]
    network = _of(record, lambda: Network(tuple(kept["sizes"]), *(kept[name] for name in ("hidden", "output", "loss"))))
    sizes = [row["batch_size"] for row in (record["steps"] or record["times"])["rows"]]
    return ask(settings, source, dataset, network, label=kept["label"], batch_sizes=sizes), steps


def source_again(record: Record, file: str | None) -> RowSource:
    """Return where the rows of a record come from; ``file`` is where a user's file lies now, if it has moved."""
    source: RowSource = _of(record, lambda: sources.source_of(record["data"], file))
    return source


def _settings(record: Record) -> Settings:
    return settings_from(record["settings"])


def _changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Settings with changes; what belongs to another objective is dropped with it."""
    objective = changes.get("objective", settings.objective)
    limit = settings.memory_bytes if objective == "memory" else None
    weight = settings.time_weight if objective == "blend" else None
    return replace(settings, **{"memory_bytes": limit, "time_weight": weight, **changes})


def _of(record: Record, make: Any) -> Any:
    try:
        return make()
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError("this record is damaged or of another version of gdbench: pick again") from error
