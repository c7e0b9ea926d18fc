"""Reads a user's own data, .npz, .npy, .csv and .parquet, encoded and scaled for a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from gdbench.experiments.datasets import STANDARDISED, Dataset, sha256_of
from gdbench.experiments.scaling import standardised
from gdbench.pick.data.array_files import read_npy, read_npz
from gdbench.pick.data.columns import MAX_CATEGORIES, check_complete, encode_inputs, is_text, plain, some
from gdbench.pick.data.outputs import MAX_CLASSES, encode_outputs
from gdbench.pick.data.parquet_files import read_parquet
from gdbench.pick.data.sampling import Sampling
from gdbench.pick.data.table import Table
from gdbench.pick.data.text_files import read_text
from kernels import InputError
from kernels.errors import choices, unknown

KINDS = ("regression", "classification")
AS_STORED = "as in the file"
SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""Separators of fields in files of text, which may have no header."""
Reader = Callable[[IO[bytes], str, Sequence[str], Sampling], Table]
READERS: dict[str, Reader] = {
    ".npz": read_npz,
    ".npy": read_npy,
    **{ending: partial(read_text, separator=separator) for ending, separator in SEPARATORS.items()},
    ".parquet": read_parquet,
}


def read_file(
    path: str | Path,
    *,
    target: Sequence[str] | None = None,
    standardise: bool = True,
    kind: str | None = None,
    header: bool = True,
    sampling: Sampling | None = None,
) -> Dataset:
    """Read X (n, d) and Y (n, k), float64, from a file; its ending says how.

    Parameters
    ----------
    path : str or Path
        A table with a header (.csv and .tsv in UTF-8, .parquet), an array whose columns are inputs and targets (.npy),
        or arrays of inputs (n, d) and targets (n,) or (n, k) (.npz).
    target : sequence of str, optional
        Names of the columns to be learnt (.csv, .tsv, .parquet), their numbers (.npy, else the last; without a
        header), or names of arrays (.npz; else ``y``, ``Y``, ``target``, ``labels`` or ``y_train``).
    standardise : bool
        Bring inputs and regression targets to mean 0 and variance 1 by column; constant inputs become zeros.
    kind : {"regression", "classification"}, optional
        By default text and True and False are classes, numbers a regression.
    header : bool
        Whether the first line of text has names; without, columns count from 0, and -1 is the last.
    sampling : Sampling, optional
        How many rows of a large file are kept, and which; all where memory allows.

    Raises
    ------
    InputError
        If the file cannot be read, a value is missing, or there is nothing to learn from it.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind of target", kind, KINDS)
    path, sampling = Path(path), sampling or Sampling()
    table = _read(path, (target,) if isinstance(target, str) else tuple(target or ()), sampling, header=header)
    frame, wanted, n, notes = table.frame, list(table.targets), table.n_rows, table.notes
    file = printable(path.name)
    _check_size(frame, wanted, file)
    frame = plain(frame, file, targets=wanted, are_labels=kind == "classification")
    check_complete(frame, file)
    frame = _narrowed(frame, n, _encoded_width(frame, wanted, kind), sampling)
    kept, inputs, targets = len(frame), frame.drop(columns=wanted), frame[wanted].copy()  # no view, which keeps all
    del table, frame  # of many rows there is never more than a copy
    X, text = encode_inputs(inputs, file)
    del inputs
    outputs = encode_outputs(targets, kind, file)
    encoded = [f"one-hot encoded: {some(text)}"] if text else []
    drawn = [sampling.words(kept, n)] if kept < n else []
    sha256 = sha256_of(X, outputs.values)
    Y = standardised(outputs.values) if standardise and outputs.kind == "regression" else outputs.values
    return Dataset(
        name=file,
        X=standardised(X) if standardise else X,
        Y=np.ascontiguousarray(Y),
        kind=outputs.kind,
        scaling=STANDARDISED if standardise else AS_STORED,
        origin=", ".join([file, f"target {outputs.words}", *encoded, *notes, *drawn]),
        sha256=sha256,
        n_in_file=n if kept < n else None,
    )


def printable(name: str) -> str:
    """Return the name of a file as text; bytes in it that are no UTF-8 become question marks in diamonds."""
    return os.fsencode(name).decode(errors="replace")


def _check_size(frame: pd.DataFrame, wanted: Sequence[str], file: str) -> None:
    if len(frame) < 2:
        raise InputError(f"{file} has fewer than 2 rows ({len(frame)}), too few to learn from: add rows")
    if frame.shape[1] == len(wanted):
        raise InputError(f"{file} has no columns but the target: add columns to learn from")


def _encoded_width(frame: pd.DataFrame, targets: Sequence[str], kind: str | None) -> int:
    """Return how many columns inputs and outputs take, classes and text one-hot encoded, unless they are refused."""
    widths = {name: len(column.cat.categories) if is_text(column) else 1 for name, column in frame.items()}
    if len(targets) == 1 and kind == "classification":
        widths[targets[0]] = frame[targets[0]].nunique()
    return sum(
        (min(width, MAX_CLASSES) if width > 2 else 1) if name in targets else min(width, MAX_CATEGORIES)
        for name, width in widths.items()
    )


def _narrowed(frame: pd.DataFrame, n: int, width: int, sampling: Sampling) -> pd.DataFrame:
    """Keep fewer rows where many columns come of text: those that would have been drawn of the file's n, had one known.

    Parameters
    ----------
    frame : DataFrame
        All rows of the file, or a sample of them.
    n : int
        Rows of the file.
    width : int
        Columns once they are encoded.
    sampling : Sampling
        How rows are drawn.
    """
    kept, count = len(frame), sampling.fitting(width)
    fits = count >= kept or not (kept < n or sampling.is_too_large(kept, width))
    if fits or sampling.rows is not None:
        return frame
    rows = np.searchsorted(sampling.draw(n, kept), sampling.draw(n, count))
    fewer = frame.iloc[rows].copy()
    for name, column in fewer.items():
        if is_text(column):
            fewer[name] = column.cat.remove_unused_categories()
    return fewer


def _read(path: Path, targets: Sequence[str], sampling: Sampling, *, header: bool) -> Table:
    """Choose the reader by the ending; whatever it cannot read becomes one sentence."""
    reader = _reader(path)
    if not header:
        if (ending := path.suffix.lower()) not in SEPARATORS:
            raise InputError(f"--no-header belongs to {choices(SEPARATORS)}, not to {path.name}: leave it out")
        reader = partial(read_text, separator=SEPARATORS[ending], header=False)
    try:
        with path.open("rb") as file:
            return reader(file, printable(path.name), targets, sampling)
    except InputError:
        raise
    except PermissionError:
        raise InputError(f"{path} is not yours to read: change its permissions") from None
    except MemoryError:
        raise InputError(f"{path.name} is damaged or larger than the memory: save it again, with fewer rows") from None
    except Exception as error:  # damaged files make their readers raise a dozen kinds, KeyError and zlib.error included
        ending = path.suffix.lower()
        raise InputError(f"{path.name} is damaged or not a {ending} file: save the data again as {ending}") from error


def _reader(path: Path) -> Reader:
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path} is a link to {os.readlink(path)}, which is not there: name the file itself")
    if not path.exists():
        raise InputError(f"there is no file {path}: check its name and folder")
    ending = path.suffix.lower()
    if ending not in READERS:
        raise InputError(
            f"{path.name} does not end in one of {choices(READERS)}: save the data in one of these formats"
        )
    if not path.is_file():
        raise InputError(f"{path} is a device or pipe, which cannot be read twice: save what it gives as a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty: save the data again")
    return READERS[ending]
