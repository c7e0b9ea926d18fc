"""Records in files: frozen dataclasses on one side, JSON on the other, every field checked as it is read."""

from __future__ import annotations

import json
import re
from dataclasses import is_dataclass
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
    return msgspec.convert(value, kind, str_keys=True)


def decode(text: str) -> Any:
    """Decode JSON of another program; halves of characters, which no output can hold, become question marks."""
    value = json.loads(text)
    if re.search(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]", text):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return value


def write(path: Path, record: object, *, indent: int | None = 1) -> None:
    """Write a record to a file, whole or not at all; ``indent`` is json's, and None makes one line of it.

    Raises
    ------
    ValueError
        If the record could not be read back, such as for NaN in a field whose type is ``float``.
    """
    built = plain(record)
    _check_readable(record, built)
    write_text(path, json.dumps(built, indent=indent, ensure_ascii=False) + "\n")


def _check_readable(record: object, built: Any) -> None:
    """Read the records in some containers back from what is to be written."""
    if is_dataclass(record):
        msgspec.convert(built, type(record), str_keys=True)
    elif isinstance(record, dict):
        for entry, written in zip(record.values(), built.values(), strict=True):
            _check_readable(entry, written)
    elif isinstance(record, list | tuple):
        for entry, written in zip(record, built, strict=True):
            _check_readable(entry, written)


def read(path: Path, kind: type[Record], *, remedy: str) -> Record:
    """Read a record from a file.

    Raises
    ------
    InputError
        If the file is missing, is no JSON or holds something else; its sentence ends with the remedy.
    """
    try:
        return _decoded(path.read_bytes(), kind)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: {remedy}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    except ValueError as error:
        raise InputError(f"{path} holds something else than it should ({error}): {remedy}") from error


def _decoded(text: bytes, kind: type[Record]) -> Record:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # also of the name of a file that is no text, which Python's own decoder reads
        return parse(json.loads(text, parse_constant=_refuse), kind)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")
