"""What ``--env`` asks for: requirements as pip writes them, and ``python==3.12``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from kernels import InputError

PYTHON = "python"
"""Name by which a wish asks for a version of Python, as if that were a package."""
BETWEEN = re.compile(r"[,\s]+(?![^\[\]]*\])")
"""What stands between requirements, but not between the extras of one."""
GOES_ON = re.compile(r"[<>=!~@]")
"""What begins the rest of a requirement, or ends its first part."""
EXAMPLE = "write for instance --env numba==0.65.1"


@dataclass(frozen=True)
class Wish:
    """Requirements of one ``--env``.

    Attributes
    ----------
    text : str
        As it was asked for.
    requirements : tuple of str
        Those of packages, as an installer takes them.
    python : str
        Version of Python, such as ``3.12``; nothing if none was asked for.
    names : tuple of str
        What is asked for, Python included, in its order.
    """

    text: str
    requirements: tuple[str, ...]
    python: str
    names: tuple[str, ...]


def read_wish(text: str) -> Wish:
    """Read one ``--env``.

    Raises
    ------
    InputError
        If it is not made of requirements, or names something twice.
    """
    found = [_requirement(text, part) for part in _split(text)]
    if not found:
        raise InputError(f"--env names no package: {EXAMPLE}")
    names = tuple(canonicalize_name(one.name) for one in found)
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"--env {text} names {name} twice: join its limits, as in {name}>=1,<2")
    pythons = [one for one, name in zip(found, names, strict=True) if name == PYTHON]
    packages = tuple(str(one) for one, name in zip(found, names, strict=True) if name != PYTHON)
    return Wish(text, packages, _python(pythons[0].specifier) if pythons else "", names)


def _split(text: str) -> list[str]:
    """Divide at commas and blanks, but not within a requirement: ``numba >=0.65, <0.66`` is one."""
    parts: list[str] = []
    for piece in filter(None, BETWEEN.split(text.strip())):
        if parts and GOES_ON.match(piece) and not GOES_ON.match(parts[-1][-1]):
            again = GOES_ON.search(parts[-1]) is not None  # a second limit of the same package
            parts[-1] += f",{piece}" if again else f" {piece}"
        elif parts and GOES_ON.match(parts[-1][-1]):
            parts[-1] += f" {piece}"
        else:
            parts.append(piece)
    return parts


def _requirement(text: str, part: str) -> Requirement:
    try:
        return Requirement(part)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0].rstrip(".:")
        raise InputError(f"--env {text}: {part!r} is no requirement of pip ({reason}): {EXAMPLE}") from error


def _python(limits: SpecifierSet) -> str:
    """Return the version of Python that is asked for, the only thing that there may be."""
    found = re.fullmatch(r"==(\d+\.\d+(?:\.\d+)?)(?:\.\*)?", str(limits))
    if found is None:
        raise InputError(f"python{limits} names no version of Python: write python==3.12")
    return found[1]
