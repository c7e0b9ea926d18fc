"""Records in files: frozen dataclasses on one side, JSON on the other, every field checked as it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from gdbench.basics.storage import write_text
from kernels import InputError

Record = TypeVar("Record")


def plain(record: object) -> Any:
    """Return a record as the dicts, lists, texts and numbers of JSON; NaN and infinity become None."""
    built = msgspec.to_builtins(record, enc_hook=_of_python, str_keys=True)
    return json.loads(json.dumps(built), parse_constant=lambda _: None)  # also names of files that are no UTF-8


def _of_python(value: object) -> object:
    """Return a number or an array of NumPy as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def parse(value: object, kind: type[Record]) -> Record:
    """Make a record, or a list or dict of records, of what JSON gave.

    Parameters
    ----------
    value : object
        Dicts, lists, texts and numbers. Fields that the record does not have are ignored.
    kind : type
        A dataclass, or a type made of some, such as ``list[Certificate]``.

    Raises
    ------
    ValueError
        If a field is missing or of another type; the message says which.
    """
    return msgspec.convert(value, kind)


def write(path: Path, record: object) -> None:
    """Write a record to a file, whole or not at all."""
    write_text(path, json.dumps(plain(record), indent=1, ensure_ascii=False) + "\n")


def read(path: Path, kind: type[Record], *, remedy: str) -> Record:
    """Read a record from a file.

    Raises
    ------
    InputError
        If the file is missing, is no JSON or holds something else; its sentence ends with the remedy.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: {remedy}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise InputError(f"{path} holds something else than it should ({error}): {remedy}") from error
