"""Keeps finished trials on disk, so that a search that was stopped goes on where it was."""

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
from gdbench.pick.runners.fingerprint import fingerprint, processor
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, OnDone, Runner, Trial

KEPT_DAYS = 30
MIN_SECONDS = 0.1
"""CPU seconds of a trial that is kept, at least: those that took less are run again in no more time than it takes to
read them."""


def default_folder() -> Path:
    """Folder of the journal, in the one that the environment variable GDBENCH_CACHE moves."""
    return cache_folder() / "picks"


class Journal:
    """Finished trials of one problem: a file each, named by all that its contents depend on.

    The folder may be shared by any number of problems and processes.
    """

    warning: str
    """Why nothing is kept, once a file could not be written; empty otherwise."""

    def __init__(self, folder: Path, problem_key: str) -> None:
        self._folder, self.problem_key = folder, problem_key
        self.warning = ""
        self._remove_old()

    def load(self, trial: Trial) -> Curves | None:
        """What came of a trial, or None if it is not there or damaged."""
        try:
            contents = io.BytesIO(self._path(trial).read_bytes())  # of a damaged file, NumPy leaves it open
            with np.load(contents, allow_pickle=False) as file:
                curves = Curves(**{field.name: _plain(file[field.name]) for field in fields(Curves)})
        except Exception:  # damaged files fail in a dozen ways, from BadZipFile to MemoryError
            return None
        return curves

    def store(self, trial: Trial, curves: Curves) -> None:
        """Keep what came of a trial; where that is impossible, ``warning`` says so and nothing is kept any more."""
        if self.warning or curves.seconds < MIN_SECONDS:
            return
        contents = io.BytesIO()
        np.savez(contents, **{field.name: getattr(curves, field.name) for field in fields(Curves)})
        try:
            with replacing(self._path(trial)) as temporary:
                temporary.write_bytes(contents.getvalue())
        except OSError as error:
            self.warning = (
                f"finished trials cannot be kept in {self._folder} ({error.strerror}), so a search that is stopped "
                "begins anew: set GDBENCH_CACHE to a folder that you can write to"
            )

    def _path(self, trial: Trial) -> Path:
        parts = [f"{field.name} {_exact(getattr(trial, field.name))}" for field in fields(Trial)]
        text = "\n".join([fingerprint(), processor(), self.problem_key, *parts])
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
    """Spell a value of a trial such that different values differ."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_exact, value))})"
    return value.hex() if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Journaled:
    """A runner that looks into a journal first, and keeps there what another runner computes."""

    runner: Runner
    journal: Journal

    @property
    def workers(self) -> int:
        """Trials that run at the same time."""
        return self.runner.workers

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run the trials of a round that the journal has not; ``on_done`` hears of the others at once."""
        if problem.key != self.journal.problem_key:
            raise ValueError("the journal belongs to another problem")
        found = {place: c for place, trial in enumerate(trials) if (c := self.journal.load(trial)) is not None}
        missing = [place for place in range(len(trials)) if place not in found]

        def keep(position: int, curves: Curves) -> None:
            self.journal.store(trials[missing[position]], curves)
            tell(missing[position], curves)

        def tell(place: int, curves: Curves) -> None:
            if on_done is not None:
                on_done(place, curves)

        for place, curves in found.items():
            tell(place, curves)
        fresh = self.runner.run(problem, [trials[place] for place in missing], on_done=keep)
        found.update(zip(missing, fresh, strict=True))
        return [found[place] for place in range(len(trials))]
