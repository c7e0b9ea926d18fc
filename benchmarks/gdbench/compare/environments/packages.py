"""What gdbench needs to run, and which versions of it are installed here."""

from __future__ import annotations

import platform
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import gdbench
from gdbench.compare.environments.record import Installed


@cache
def project() -> tuple[str, tuple[str, ...]]:
    """Return which Python gdbench asks for, and its run-time requirements: of the checkout, else of the wheel."""
    path = Path(gdbench.__path__[0]).parents[1] / "pyproject.toml"
    if path.exists():
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
        if table.get("name") == "gdbench":
            return table.get("requires-python", ""), tuple(table.get("dependencies", ()))
    found = (Requirement(text) for text in requires("gdbench") or ())
    return str(metadata("gdbench")["Requires-Python"] or ""), tuple(str(one) for one in found if not _is_extra(one))


def _is_extra(requirement: Requirement) -> bool:
    return requirement.marker is not None and "extra" in str(requirement.marker)


@cache
def installed_here() -> Installed:
    """Return the versions, in the environment of this process, of all that gdbench needs, directly or not."""
    versions: dict[str, str] = {}
    left = [Requirement(text) for text in project()[1]]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        if name in versions or not (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            continue
        versions[name] = found.version
        left += [Requirement(text) for text in found.requires or ()]
    return Installed(platform.python_version(), dict(sorted(versions.items())))
