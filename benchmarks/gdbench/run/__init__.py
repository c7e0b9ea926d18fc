"""A run: planned, measured in blocks, kept in a folder, summarised case by case.

``from gdbench.run import run`` is the whole of it; ``gdbench.run.plan.plan_profile`` makes the plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdbench.run.runner import run

__all__ = ["run"]


def __getattr__(name: str) -> Any:
    """Import ``run`` when it is asked for: the process of each block imports this package, and would import pandas."""
    if name != "run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gdbench.run.runner import run  # noqa: PLC0415

    return run
