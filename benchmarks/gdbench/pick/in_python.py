"""Sentences for whoever calls ``gdbench.pick``: options by the names that they have there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from gdbench.experiments.cases import PRESETS
from gdbench.pick.choose.objectives import NAMES
from gdbench.pick.data.files import KINDS
from gdbench.pick.record.record import PickRecord
from gdbench.pick.request import Request
from gdbench.pick.steps.tiers import TIERS
from kernels import InputError
from kernels.network import DTYPES

WORDS = (*TIERS, *NAMES, *KINDS, *PRESETS, *DTYPES)
"""Values of options that sentences name."""
NAMED = re.compile(rf"--([a-z]+(?:-[a-z]+)*)(?: ({'|'.join(WORDS)}|\d[\w.]*)\b)?")
NUMBER = re.compile(r"\d+\.?\d*|\.\d+")
OTHERWISE = {
    "--no-standardise": "standardise=False",
    "--replan": "gdbench pick --replan",
    "same command": "same call",
    "repeat the command": "repeat the call",
    ", and save the file again": "",
    "of the file were": "were",
}
"""What is said in other words."""
SENTENCES = ("sentences", "apart", "details", "limits", "warnings")


def in_python(text: str) -> str:
    """Return a sentence with ``tier="quick"`` in place of ``--tier quick``, and the like.

    Examples
    --------
    >>> in_python("Give a larger --budget or take --tier quick; the same command goes on from where it ended.")
    'Give a larger budget or take tier="quick"; the same call goes on from where it ended.'
    """
    kept = {phrase: f"\0{index}\0" for index, phrase in enumerate(OTHERWISE)}
    for phrase, mark in kept.items():
        text = text.replace(phrase, mark)
    text = NAMED.sub(_option, text)
    for phrase, mark in kept.items():
        text = text.replace(mark, OTHERWISE[phrase])
    return text


def record_in_python(record: PickRecord) -> PickRecord:
    """Return a record whose sentences name the options as Python does."""
    changed: dict[str, Any] = {name: tuple(map(in_python, getattr(record, name))) for name in SENTENCES}
    return replace(record, **changed, reason=in_python(record.reason))


@contextmanager
def errors_in_python() -> Iterator[None]:
    """Let what is raised for bad input name the options as Python does."""
    try:
        yield
    except InputError as error:
        raise InputError(in_python(str(error))) from error.__cause__


def call_of(request: Request, **others: object) -> str:
    """Return the call, for the record: what differs from what is usual."""
    usual = {each.name: each.default for each in fields(Request)}
    asked = {name: getattr(request, name) for name in usual} | others
    given = [f"{name}={value!r}" for name, value in asked.items() if value != usual.get(name)]
    return f"gdbench.pick({', '.join(['X', 'y', *given])})"


def _option(found: re.Match[str]) -> str:
    name, value = found[1].replace("-", "_"), found[2]
    if value is None:
        return name
    return f"{name}={value}" if NUMBER.fullmatch(value) else f'{name}="{value}"'
