"""The memory that this process may still take: of the machine, or of the container that it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class ControlGroup:
    """Where Linux tells what a container may take; each version has its own names."""

    limit: Path
    used: Path
    shares: Path
    files: tuple[str, ...]
    """Of the shares: copies of files, which make room when it is asked for."""

    def left(self) -> float | None:
        """Bytes that are left; None outside of a container, or where it has no limit."""
        try:
            limit, used = (float(path.read_text(encoding="ascii")) for path in (self.limit, self.used))
            lines = (line.split() for line in self.shares.read_text(encoding="ascii").splitlines())
            return limit - used + sum(float(value) for name, value in lines if name in self.files)
        except (OSError, ValueError):  # not there, or the word max
            return None


def control_groups(root: Path = Path("/sys/fs/cgroup")) -> tuple[ControlGroup, ControlGroup]:
    """Return both versions below the folder in which the system shows them."""
    old = root / "memory"
    return (
        ControlGroup(
            root / "memory.max", root / "memory.current", root / "memory.stat", ("active_file", "inactive_file")
        ),
        ControlGroup(
            old / "memory.limit_in_bytes",
            old / "memory.usage_in_bytes",
            old / "memory.stat",
            ("total_active_file", "total_inactive_file"),
        ),
    )


def available_bytes() -> float:
    """Return the bytes that can be taken without swapping, as far as the system tells."""
    left = [bytes_left for group in control_groups() if (bytes_left := group.left()) is not None]
    return max(0.0, min([float(psutil.virtual_memory().available), *left]))
