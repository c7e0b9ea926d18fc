"""How much memory there is for this process: on the machine, in its container, and within its user's limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

CONTROL_GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows what a container may use."""
FILES = (
    (".", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Folder, limit, use, and the part of it that is given back when need be, in versions 2 and 1."""


def available_bytes() -> int:
    """Return how many bytes this process may still take."""
    left = [int(psutil.virtual_memory().available), *_left_in_groups(CONTROL_GROUPS), *_left_to_user()]
    return max(0, min(left))


def _left_in_groups(folder: Path) -> Iterator[int]:
    for place, limit, use, cached in FILES:
        try:
            allowed, used = ((folder / place / name).read_text(encoding="ascii") for name in (limit, use))
            lines = (folder / place / "memory.stat").read_text(encoding="ascii").splitlines()
            stat = dict(line.split() for line in lines)
            yield int(allowed) - int(used) + int(stat.get(cached, 0))
        except (OSError, ValueError):  # there is none of this version, or its limit is the word max
            continue


def _left_to_user() -> Iterator[int]:
    """Yield what ``ulimit -v`` leaves, where the system has such limits."""
    process = psutil.Process()
    if hasattr(process, "rlimit"):
        allowed = process.rlimit(psutil.RLIMIT_AS)[0]
        if allowed != psutil.RLIM_INFINITY:
            yield int(allowed) - int(process.memory_info().vms)
