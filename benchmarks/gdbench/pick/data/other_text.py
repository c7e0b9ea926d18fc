"""Files called .csv that are text of another kind, told by their first lines, and what to do with them."""

from __future__ import annotations

import re
from typing import IO

from kernels import InputError

SAMPLE_BYTES = 1 << 16
KINDS = (
    (
        re.compile(r"<(?:!doctype|html|head|body|table|\?xml)\b", re.IGNORECASE),
        "is a page of HTML or XML, which servers send instead of a file that is not there: download the table itself",
    ),
    (re.compile("version https://git-lfs"), "is a pointer of Git LFS to the data: fetch them by git lfs pull"),
    (
        re.compile(r"[-+]?[\d.]+(?: \d+:\S+)+$"),
        "is in the format of LIBSVM: read it by load_svmlight_file of scikit-learn, and save X.toarray() and y as .npz",
    ),
    (re.compile("@relation", re.IGNORECASE), "is an ARFF file: read it by scipy.io.arff, and save the table as .csv"),
    (re.compile(r"[\[{]\s*[\[{\"]"), "is JSON: save it as .csv, as by read_json and to_csv in pandas"),
)
"""How the first line of a kind begins, and what is said of it."""


def first_lines(file: IO[bytes]) -> list[str]:
    """Return the lines of the first part of a file that has any, without spaces around them, and no empty ones."""
    file.seek(0)
    while (part := file.read(SAMPLE_BYTES)) and not part.strip():
        pass
    lines = part.decode("utf-8-sig", "replace").splitlines()
    return [line for line in map(str.strip, lines) if line]


def check_kind(lines: list[str], name: str, separator: str) -> None:
    """Raise InputError if lines are no table of text.

    Parameters
    ----------
    lines : list of str
        The first ones of a file.
    name : str
        Its name, for messages.
    separator : str
        What stands between two fields.
    """
    if not lines:
        return
    for pattern, words in KINDS:
        if pattern.match(lines[0]):
            raise InputError(f"{name} {words}")
    if re.fullmatch(r"(?i)sep=.", lines[0]):
        raise InputError(f"the first line of {name}, {lines[0]}, is for a spreadsheet: delete it")
    whole = re.compile(rf'"[^"]*{re.escape(separator)}[^"]*"')
    if len(lines) > 1 and all(whole.fullmatch(line) for line in lines[:2]):
        raise InputError(f"each line of {name} stands in quotation marks as a whole: delete these")
