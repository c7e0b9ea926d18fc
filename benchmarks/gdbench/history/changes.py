"""What of an environment changed between two commits, as far as it can change a time.

asv's description of a machine is compared by what it means: RAM differs by a few kilobytes after every update of a
kernel's image, and kernels of one series are alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import InvalidVersion, Version

MACHINE = ("arch", "cpu", "num_cpu", "os", "ram")
"""Fields by which asv describes a machine; what one of two commits does not tell is no change."""
PIP = "pip+"
"""By which asv marks what pip installs into an environment of conda's."""
ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "x86-64": "x86_64", "aarch64": "arm64"}
"""Other names that systems have for one."""
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
    names = {_key(name): name.removeprefix(PIP) for name in (*before, *after)}
    earlier, later = ({_key(name): value.strip() for name, value in one.items()} for one in (before, after))
    return ", ".join(filter(None, (_change(name, earlier.get(key), later.get(key)) for key, name in names.items())))


def versions(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, str]:
    """Return the packages of both environments whose version changed, as requirements joined by commas.

    Machine fields and variables, whose names are in capitals, are no packages; one that only one environment has, or
    that has no version, cannot be asked for on both sides.
    """
    earlier, later = (
        {_key(name): value.strip() for name, value in one.items() if name not in MACHINE and not name.isupper()}
        for one in (before, after)
    )
    both = [name for name in earlier if _is_version(earlier[name]) and _is_version(later.get(name, ""))]
    names = [name for name in both if _change(name, earlier[name], later[name])]
    base, head = (",".join(f"{name}=={_bare(one[name])}" for name in names) for one in (earlier, later))
    return base, head


def _key(name: str) -> str:
    """Return a name as installers compare it: NumPy is numpy, and asv's ``pip+numpy`` the same from pip."""
    return name if name in MACHINE else canonicalize_name(name.strip().removeprefix(PIP))


def _change(name: str, before: str | None, after: str | None) -> str:
    """Say how one thing changed; nothing if it did not."""
    if name in MACHINE:
        return "" if not before or not after or _alike(name, before, after) else f"{name} {before} -> {after}"
    if before == after or (before and after and _same_version(name, before, after)):
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
    if name == "arch":
        first, second = (text.strip().casefold() for text in (before, after))
        return ARCHITECTURES.get(first, first) == ARCHITECTURES.get(second, second)
    if name == "cpu":
        return _model(before) == _model(after)
    return " ".join(before.split()).casefold() == " ".join(after.split()).casefold()


def _model(text: str) -> list[str]:
    """Words of a processor's name without trade marks, what it is, and its clock, which some systems leave out."""
    return re.sub(r"\((?:r|tm|c)\)|[®™©]|\b(?:cpu|processor)\b|@\s*[\d.]+\s*[gm]hz", " ", text.casefold()).split()


def _same_version(name: str, before: str, after: str) -> bool:
    """Whether two versions are one as installers compare them; of Python, an older asv wrote the series only."""
    if name == "python" and before.count(".") != after.count("."):
        return f"{before}.".startswith(f"{after}.") or f"{after}.".startswith(f"{before}.")
    return _version(before) == _version(after)


def _version(text: str) -> str:
    """Write a version as installers compare it: without ``==`` and the zeros at its end."""
    return canonicalize_version(Version(_bare(text))) if _is_version(text) else text


def _bare(text: str) -> str:
    return re.sub(r"^={2,3}\s*", "", text)


def _is_version(text: str) -> bool:
    try:
        Version(_bare(text))
    except InvalidVersion:
        return False
    return True


def _kilobytes(text: str) -> float | None:
    """Read memory such as ``16303316``, ``16GB`` or ``15.5 GiB``; None for anything else."""
    found = re.fullmatch(
        r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.strip().casefold())
    )
    if not found:
        return None
    number = float(found[1])
    return number / 1e3 if not found[2] and number >= MIN_BYTES else number * KILOBYTES[found[2]]


def _series(text: str) -> str:
    """Name of a system with the first two numbers of its version: later ones are its updates."""
    found = re.match(r"\D*\d+(?:\.\d+)?", text.strip().casefold())
    return found[0] if found else text.strip().casefold()
