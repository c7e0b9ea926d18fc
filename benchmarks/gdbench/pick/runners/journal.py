"""Keeps finished blocks on disk, so that a search that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gdbench.basics.storage import replacing
from gdbench.experiments.datasets import cache_folder
from gdbench.pick.runners.fingerprint import fingerprint
from gdbench.pick.steps.blocks import Block, Curves
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.runner import OnDone, Runner

KEPT_DAYS = 30


def default_folder() -> Path:
    """Folder of the journal, in the one that the environment variable GDBENCH_CACHE moves."""
    return cache_folder() / "picks"


class Journal:
    """Finished blocks of one problem: a file each, named by all that its contents depend on.

    The folder may be shared by any number of problems and processes.
    """

    warning: str
    """Why nothing is kept, once a file could not be written; empty otherwise."""

    def __init__(self, folder: Path, problem_key: str) -> None:
        self._folder, self.problem_key = folder, problem_key
        self.warning = ""
        self._remove_old()

    def load(self, block: Block) -> Curves | None:
        """What came of a block, or None if it is not there or damaged."""
        try:
            contents = io.BytesIO(self._path(block).read_bytes())  # of a damaged file, NumPy leaves it open
            with np.load(contents, allow_pickle=False) as file:
                curves = Curves(**{field.name: _plain(file[field.name]) for field in fields(Curves)})
        except Exception:  # damaged files fail in a dozen ways, from BadZipFile to MemoryError
            return None
        return curves

    def store(self, block: Block, curves: Curves) -> None:
        """Keep what came of a block; where that is impossible, ``warning`` says so and nothing is kept any more."""
        if self.warning:
            return
        contents = io.BytesIO()
        np.savez(contents, **{field.name: getattr(curves, field.name) for field in fields(Curves)})
        try:
            with replacing(self._path(block)) as temporary:
                temporary.write_bytes(contents.getvalue())
        except OSError as error:
            self.warning = (
                f"finished blocks cannot be kept in {self._folder} ({error.strerror}), so a search that is stopped "
                "begins anew: set GDBENCH_CACHE to a folder that you can write to"
            )

    def _path(self, block: Block) -> Path:
        parts = [f"{field.name} {_exact(getattr(block, field.name))}" for field in fields(Block)]
        text = "\n".join([fingerprint(), self.problem_key, *parts])
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.npz"

    def _remove_old(self) -> None:
        """Remove entries that nobody will ask for, and what a killed process left of one."""
        oldest = time.time() - KEPT_DAYS * 86_400
        try:
            for path in self._folder.glob("*.npz*"):
                if path.stat().st_mtime < oldest:
                    path.unlink()
        except OSError:  # another process was faster, or the folder is not ours: storing will tell
            return


def _plain(values: npt.NDArray[Any]) -> Any:
    """Turn an array without axes into the number that it was made of."""
    return values if values.ndim else values.item()


def _exact(value: object) -> str:
    """Spell a value of a block such that different values differ."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_exact, value))})"
    return value.hex() if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Journaled:
    """A runner that looks into a journal first, and keeps there what another runner computes."""

    runner: Runner
    journal: Journal

    def run(self, problem: DescentProblem, blocks: Sequence[Block], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run the blocks of a round that the journal has not; ``on_done`` hears of the others at once."""
        if problem.key != self.journal.problem_key:
            raise ValueError("the journal belongs to another problem")
        found = {place: c for place, block in enumerate(blocks) if (c := self.journal.load(block)) is not None}
        missing = [place for place in range(len(blocks)) if place not in found]

        def keep(position: int, curves: Curves) -> None:
            self.journal.store(blocks[missing[position]], curves)
            tell(missing[position], curves)

        def tell(place: int, curves: Curves) -> None:
            if on_done is not None:
                on_done(place, curves)

        for place, curves in found.items():
            tell(place, curves)
        fresh = self.runner.run(problem, [blocks[place] for place in missing], on_done=keep)
        found.update(zip(missing, fresh, strict=True))
        return [found[place] for place in range(len(blocks))]
