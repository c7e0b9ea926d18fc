"""What is known of an environment: its interpreter, the versions in it, and by what two of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gdbench.compare.environments.wishes import PYTHON

INSTALLERS = ("pip", "setuptools", "wheel", "uv")
"""Packages that no code of ours imports."""


@dataclass(frozen=True)
class Installed:
    """Version of Python, and of each package by its name as installers compare it."""

    python: str
    versions: dict[str, str]

    def version(self, name: str) -> str | None:
        """Version of a package or of Python; None for what is not installed."""
        return self.python if name == PYTHON else self.versions.get(name)


@dataclass(frozen=True)
class UsedEnvironment:
    """An environment in which a side is measured.

    Attributes
    ----------
    name : str
        What it is called, such as ``numba 0.65.1``.
    executable : str
        Its interpreter.
    installed : Installed
        What is in it.
    root : Path, optional
        Folder that it was made in; None for the environment of this process.
    """

    name: str
    executable: str
    installed: Installed
    root: Path | None = None


@dataclass(frozen=True)
class VersionDifference:
    """A package, or Python, that is not the same on both sides; None where it is not installed."""

    name: str
    base: str | None
    head: str | None


def name_of(installed: Installed, names: Sequence[str]) -> str:
    """Name an environment by the versions of some packages: ``numba 0.65.1, numpy 2.2.6``."""
    return ", ".join(f"{_shown(name)} {installed.version(name) or 'not installed'}" for name in names)


def differences(base: Installed, head: Installed) -> tuple[VersionDifference, ...]:
    """Return what differs between two environments, sorted by name; tools that install are left out."""
    names = sorted({*base.versions, *head.versions} - {*INSTALLERS})
    rows = (VersionDifference(name, base.version(name), head.version(name)) for name in (PYTHON, *names))
    return tuple(row for row in rows if row.base != row.head)


def in_words(found: Sequence[VersionDifference]) -> str:
    """Write differences in a line: ``llvmlite 0.47.0 against 0.48.0, numba 0.65.1 against 0.66.0``."""
    return ", ".join(f"{_shown(row.name)} {row.base or 'none'} against {row.head or 'none'}" for row in found)


def _shown(name: str) -> str:
    return "Python" if name == PYTHON else name
