"""What runs blocks, seen from the search: rounds in, curves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gdbench.pick.steps.blocks import Block, Curves
from gdbench.pick.steps.problem import DescentProblem

OnDone = Callable[[int, Curves], None]
"""Hears the place of a block in its round and what came of it, as soon as it is finished."""


class Runner(Protocol):
    """Runs rounds of blocks."""

    def run(self, problem: DescentProblem, blocks: Sequence[Block], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run blocks and return what came of them in their order, in whatever order they finished.

        ``on_done`` hears of each block when it has finished, in this process; also of those that had finished when
        Ctrl-C or an error ended the round.
        """
