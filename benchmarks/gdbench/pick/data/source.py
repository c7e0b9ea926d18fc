"""Where the rows of a pick come from, a named data set or a user's file, so that another pick finds them again."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from gdbench.experiments import datasets
from gdbench.experiments.datasets import Dataset
from gdbench.pick.data.files import read_file
from gdbench.pick.data.sampling import Sampling
from kernels import InputError

PRESET_KINDS = {"linear": "regression", "logistic": "classification", "softmax": "classification", "mlp": None}
"""What a file's target is taken for with a network, whatever its values are; text is no target of a regression. None
where the output and loss decide."""
TARGET_KINDS: dict[tuple[str, str], str | None] = {
    ("identity", "squared_error"): "regression",
    ("sigmoid", "cross_entropy"): "classification",
    ("sigmoid", "squared_error"): None,
    ("softmax", "cross_entropy"): "classification",
}
"""What it is taken for with an output and loss; None where they take either."""


@dataclass(frozen=True)
class RowSource:
    """A named data set, or a file with how to read it; of arrays in memory, which have no name, how they were read."""

    dataset: str | None = None
    file: str | None = None
    target: tuple[str, ...] = ()
    standardise: bool = True
    kind: str | None = None
    """``regression`` or ``classification``; by default what the target's values suggest."""
    header: bool = True
    """Whether the first line of a file of text has the names of its columns."""
    seed: int = 0
    """Fixes which rows are drawn of a file that is larger than memory allows."""
    rows: int | None = None
    """How many are kept of it, 0 for all; by default as many as memory allows."""

    def load(self) -> Dataset:
        """Return the rows in float64.

        Raises
        ------
        InputError
            If there is no such data, they cannot be read, or an option does not belong to them.
        """
        if (self.dataset is None) == (self.file is None):
            raise InputError("name either a data set with --dataset or a file, not both and not neither")
        if self.dataset is not None:
            return self._named(self.dataset)
        return read_file(
            str(self.file),
            target=self.target or None,
            standardise=self.standardise,
            kind=self.kind,
            header=self.header,
            sampling=Sampling(self.seed, self.rows),
        )

    def _named(self, name: str) -> Dataset:
        given = {
            "--target": self.target,
            "--no-standardise": not self.standardise,
            "--kind": self.kind,
            "--no-header": not self.header,
        }
        unfit = [option for option, value in given.items() if value]
        if unfit:
            raise InputError(f"{unfit[0]} belongs to a file, not to a named data set: leave it out or name a file")
        n, d, k = datasets.shape_of(name)
        if 8 * (n * (d + k) + d * k) > sys.maxsize:  # NumPy has another error for these
            raise MemoryError(f"{name} has {n:.0e} rows of {d + k:.0e} numbers")
        return datasets.load(name)


def usual_kind(preset: str, *, output: str | None, loss: str | None) -> str | None:
    """Return the kind of target that a network asks for; None where it takes either, so that the values decide."""
    possible = {kind for pair, kind in TARGET_KINDS.items() if output in (None, pair[0]) and loss in (None, pair[1])}
    return possible.pop() if len(possible) == 1 else PRESET_KINDS.get(preset)  # an unknown preset is refused later


@dataclass(frozen=True)
class DataDescription:
    """What the record of a pick keeps of its data."""

    name: str
    n_rows: int
    """That are trained on."""
    n_held_out: int
    n_inputs: int
    n_outputs: int
    kind: str
    scaling: str
    origin: str
    sha256: str
    source: RowSource
    """With the number of rows that were drawn, so that the same ones are found again."""
    n_in_file: int | None = None
    """Rows of the file, if some of them were drawn."""


def same_again(source: RowSource, dataset: Dataset) -> RowSource:
    """Return a source that gives the rows that were read of it, whatever memory there is."""
    return source if source.file is None else replace(source, rows=dataset.n_drawn)


def describe(source: RowSource, dataset: Dataset, *, n_rows: int) -> DataDescription:
    """Describe data for the record; ``n_rows`` of them are trained on."""
    return DataDescription(
        name=dataset.name,
        n_rows=n_rows,
        n_held_out=dataset.n_rows - n_rows,
        n_inputs=dataset.X.shape[1],
        n_outputs=dataset.Y.shape[1],
        kind=dataset.kind,
        scaling=dataset.scaling,
        origin=dataset.origin,
        sha256=dataset.sha256,
        source=same_again(source, dataset),
        n_in_file=dataset.n_in_file,
    )


def source_of(data: DataDescription, file: str | None) -> RowSource:
    """Return the source of a record's data; ``file`` is where a user's file lies now, if it has moved."""
    kept = data.source
    if kept.dataset is None and kept.file is None and file is None:
        raise InputError(
            "the record is of arrays in memory, which it does not keep: save them with "
            "numpy.savez('data.npz', X=X, y=y), and name that file"
        )
    if file is not None and kept.dataset is not None:
        raise InputError(f"the record is of the data set {kept.dataset}, not of a file: leave the file out")
    return kept if file is None else replace(kept, file=file)


def check_same(dataset: Dataset, data: DataDescription) -> None:
    """Raise InputError unless data are those of a record: steps to a target are theirs alone."""
    if dataset.sha256 != data.sha256:
        raise InputError(
            f"{dataset.name} has changed since the steps of this record were found, so they say nothing of it: "
            "pick anew, without --replan"
        )
