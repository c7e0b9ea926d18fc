"""What of an environment changed between two commits, as far as it can change a time.

asv's description of a machine is compared by what it means: RAM differs by a few kilobytes after every update of a
kernel's image, and kernels of one series are alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MACHINE = ("arch", "cpu", "num_cpu", "os", "ram")
"""Fields by which asv describes a machine; what one of two commits does not tell is no change."""
RAM_TOLERANCE = 0.1
"""Relative difference up to which two machines have the same memory."""
KILOBYTES = {"": 1.0, "k": 1.0, "m": 1e3, "g": 1e6, "t": 1e9}
"""By unit, which people write."""
MIN_BYTES = 2.0**30
"""asv writes a number without a unit: of kilobytes once, of bytes today. One from here on is of bytes."""


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Say in what two environments differ, such as ``numpy 1.26 -> 2.1, dask added without a version``.

    Parameters
    ----------
    before, after : mapping
        Texts by the names of machine fields, packages and variables; an empty one is a package of whatever version
        there was.
    """
    names = dict.fromkeys([*before, *after])
    return ", ".join(filter(None, (_change(name, before.get(name), after.get(name)) for name in names)))


def _change(name: str, before: str | None, after: str | None) -> str:
    """Say how one thing changed; nothing if it did not."""
    if name in MACHINE:
        return "" if not before or not after or _alike(name, before, after) else f"{name} {before} -> {after}"
    if before == after or (before and after and _version(before) == _version(after)):
        return ""
    if before is None:
        return f"{name} {after} added" if after else f"{name} added without a version"
    if after is None:
        return f"{name} removed"
    return f"{name} {before or 'of any version'} -> {after or 'any version'}"


def _alike(name: str, before: str, after: str) -> bool:
    """Whether two descriptions of a machine mean the same."""
    if name == "ram":
        sizes = _kilobytes(before), _kilobytes(after)
        if None not in sizes:
            small, large = sorted(size for size in sizes if size is not None)
            return large - small <= RAM_TOLERANCE * large
    if name == "os":
        return _series(before) == _series(after)
    if name == "cpu":
        return _model(before) == _model(after)
    return " ".join(before.split()).casefold() == " ".join(after.split()).casefold()


def _model(text: str) -> list[str]:
    """Words of a processor's name without trade marks, what it is, and its clock, which some systems leave out."""
    return re.sub(r"\((?:r|tm|c)\)|[®™©]|\b(?:cpu|processor)\b|@\s*[\d.]+\s*[gm]hz", " ", text.casefold()).split()


def _version(text: str) -> str:
    """Write a version without the zeros at its end, as installers compare it."""
    return re.sub(r"(?:\.0)+$", "", text) if re.fullmatch(r"\d+(?:\.\d+)+", text) else text


def _kilobytes(text: str) -> float | None:
    """Read memory such as ``16303316``, ``16GB`` or ``15.5 GiB``; None for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().casefold())
    if not found:
        return None
    number = float(found[1])
    return number / 1e3 if not found[2] and number >= MIN_BYTES else number * KILOBYTES[found[2]]


def _series(text: str) -> str:
    """Name of a system with the first two numbers of its version: later ones are its updates."""
    found = re.match(r"\D*\d+(?:\.\d+)?", text.strip().casefold())
    return found[0] if found else text.strip().casefold()
