"""Planted faults of files, folders and surroundings: one sentence says what is wrong, and nothing is written."""

import gzip
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gdbench.run.summary import SUMMARY_COLUMNS

from ..helpers import as_ordinary_user, contents, gdbench, invoke
from ..history.asv_results import RESULTS, times, write_result
from ..pick.data.user_files import NUMBERS, PRICE, X

PICK = "--network linear --tier quick --variant vectorized --budget 3s"
FIT = "train --dataset wine --network softmax --variant vectorized --epochs 2 --output fit"
TEXT = NUMBERS.to_csv(index=False)
LONG = pd.concat([NUMBERS] * 100, ignore_index=True).to_csv(index=False)
KEPT_RUN = Path()
"""A run with its raw files: that of the fixture below."""


@pytest.fixture(autouse=True)
def _kept_run(smoke_run: tuple[Path, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "KEPT_RUN", smoke_run[0])


@dataclass(frozen=True)
class Fault:
    """What is wrong, how it is met, and what is said of it."""

    prepare: Callable[[Path], object]
    line: str
    said: str
    """Pattern of the last line on standard error, without ``gdbench: ``."""
    code: int = 2
    variables: dict[str, str] = field(default_factory=dict)
    ordinary: bool = False
    """Whether it is one for users whom permissions stop."""


def _bytes(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _text(name: str, content: str) -> Callable[[Path], object]:
    return _bytes(name, content.encode())


def _flipped(folder: Path) -> None:
    np.savez(folder / "a.npz", X=X, y=PRICE)
    content = bytearray((folder / "a.npz").read_bytes())
    content[400] ^= 255
    (folder / "a.npz").write_bytes(content)


def _objects(folder: Path) -> None:
    np.save(folder / "a.npy", np.array([[1, "a"], [2, None]], object), allow_pickle=True)


def _parquet_cut(folder: Path) -> None:
    NUMBERS.to_parquet(folder / "a.parquet")
    (folder / "a.parquet").write_bytes((folder / "a.parquet").read_bytes()[:-20])


def _zeros_far_in(folder: Path) -> None:
    content = bytearray(LONG.encode())
    content[200_000:200_010] = bytes(10)
    (folder / "a.csv").write_bytes(content)


def _of_another(folder: Path) -> None:
    (folder / "a.csv").write_text(TEXT, encoding="utf-8")
    (folder / "a.csv").chmod(0)


def _run(*changes: tuple[str, Callable[[Path], object]]) -> Callable[[Path], None]:
    """Make a run of one block, and change files of it."""

    def prepare(folder: Path) -> None:
        for name in ("plan.json", "environment.json", "certificates.json", "raw/block-000.json", "summary.csv"):
            (folder / "run" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(KEPT_RUN / name, folder / "run" / name)
        for name, change in changes:
            change(folder / "run" / name)

    return prepare


def _later_version(path: Path) -> None:
    plan = json.loads(path.read_text(encoding="utf-8"))
    plan["batches"] = plan.pop("blocks")
    path.write_text(json.dumps({**plan, "format": 7}), encoding="utf-8")


def _halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _undescribed(folder: Path) -> None:
    write_result(folder / RESULTS, "a" * 40, times(0, step_at=9, slow={}))
    (folder / RESULTS / "here" / "machine.json").unlink()


def _record(**changes: object) -> Callable[[Path], object]:
    return _text("pick.json", json.dumps({"format": 1, "steps": None, "times": None, "settings": {}, **changes}))


def _nothing(folder: Path) -> None:
    """Leave the folder empty."""


FAULTS = {
    "npz with a flipped byte": Fault(_flipped, f"pick a.npz {PICK}", "a.npz is damaged or not a .npz file: save the"),
    "npy of Python objects": Fault(
        _objects, f"pick a.npy {PICK}", "the array of a.npy holds Python objects, .*: save numbers"
    ),
    "parquet without its end": Fault(_parquet_cut, f"pick a.parquet --target price {PICK}", "a.parquet is damaged or"),
    "csv with zero bytes far in": Fault(_zeros_far_in, f"pick a.csv --target price {PICK}", "a.csv .*: "),
    "csv that is compressed": Fault(
        _bytes("a.csv", gzip.compress(TEXT.encode())), f"pick a.csv --target price {PICK}", "a.csv is not text in UTF-8"
    ),
    "gz that is not": Fault(_text("a.csv.gz", TEXT), f"pick a.csv.gz --target price {PICK}", "a.csv.gz does not end"),
    "csv in UTF-16 with its mark": Fault(
        _bytes("a.csv", TEXT.encode("utf-16")), f"pick a.csv --target price {PICK}", "a.csv is not text in UTF-8: save"
    ),
    "two columns of one name": Fault(
        _text("a.csv", TEXT.replace("age", "size", 1)), f"pick a.csv --target price {PICK}", "more than one column call"
    ),
    "target that two columns have": Fault(
        _text("a.csv", TEXT.replace("age", "price", 1)),
        f"pick a.csv --target price {PICK}",
        "column called price: ",
    ),
    "infinite target": Fault(
        _text("a.csv", NUMBERS.assign(price=[np.inf, *PRICE[1:]]).to_csv(index=False)),
        f"pick a.csv --target price {PICK}",
        r"1 of 60 rows of a.csv have infinite values \(in price\): ",
    ),
    "quoted text without its end": Fault(
        _text("a.csv", TEXT + '"1,2,3\n'),
        f"pick a.csv --target price {PICK}",
        "a.csv breaks off inside of a quoted",
    ),
    "folder that is called csv": Fault(
        lambda folder: (folder / "a.csv").mkdir(), f"pick a.csv --target price {PICK}", "a.csv is a folder: name a file"
    ),
    "link to nothing": Fault(
        lambda folder: (folder / "a.csv").symlink_to("gone.csv"),
        f"pick a.csv --target price {PICK}",
        "a.csv is a link to gone.csv, which is not there: name the file itself",
    ),
    "pipe in place of a file": Fault(
        lambda folder: os.mkfifo(folder / "a.csv"),
        f"pick a.csv --target price {PICK}",
        "a.csv is a device or pipe, which cannot be read twice: save",
    ),
    "file of another user": Fault(
        _of_another, f"pick a.csv --target price {PICK}", "a.csv is not yours to read: change", ordinary=True
    ),
    "folder of another user": Fault(
        lambda folder: (folder / "theirs").mkdir(mode=0o755),
        FIT.replace("--output fit", "--output theirs/fit"),
        "cannot write into theirs/fit, since .*theirs is not yours to write: name another one",
        ordinary=True,
    ),
    "plan of a later version": Fault(
        _run(("plan.json", _later_version)),
        "report run",
        "run/plan.json holds something else than it should .*: use the version of gdbench that wrote it, or name a",
    ),
    "plan that is cut": Fault(_run(("plan.json", _halved)), "run --resume --output run", "run/plan.json holds"),
    "block that is cut": Fault(
        _run(("raw/block-000.json", _halved)), "report run", "block-000.json holds something .*: delete it and resume"
    ),
    "run without its certificates": Fault(
        _run(("certificates.json", Path.unlink)),
        "report run",
        "the run in run was stopped before its first block: ",
    ),
    "environment of a run that is a list": Fault(
        _run(("environment.json", lambda path: path.write_text("[]"))), "report run", "environment.json holds something"
    ),
    "record of a pick of a later version": Fault(
        _record(format=99),
        "pick --replan pick.json",
        "written by a newer version of gdbench, whose records differ: pick again",
    ),
    "record of a pick that is a picture": Fault(
        _bytes("pick.png", b"\x89PNG\r\n\x1a\n"),
        "pick --replan pick.png",
        "pick.png holds something else than it should .*: name a pick.json that gdbench",
    ),
    "results of asv without machine.json": Fault(
        _undescribed,
        "regressions",
        "here has results but no machine.json, .*: copy it from where they were",
    ),
    "results of asv that are a file": Fault(
        _text("results", "{}"), "regressions --results results", "there are no results of asv in results: make some by"
    ),
    "name that is too long": Fault(_nothing, f"list --json {'n' * 300}", "File name too long.*: use a shorter name"),
    "threads in words, for Numba": Fault(
        _nothing, "list", "Numba does not understand NUMBA_NUM_THREADS=many", variables={"NUMBA_NUM_THREADS": "many"}
    ),
    "patience in words": Fault(
        _nothing,
        "check --network logistic --dataset breast_cancer --variant vectorized",
        "GDBENCH_PATIENCE_SECONDS must be a positive number of seconds, got 'soon': correct or unset it",
        variables={"GDBENCH_PATIENCE_SECONDS": "soon"},
    ),
}
"""Each ends in exit code 2."""


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where the user stands; pytest's own folders are closed to all but their owner."""
    if not getattr(request.node.callspec.params["fault"], "ordinary", False):
        yield tmp_path
        return
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_sentence_and_nothing_is_written(fault: Fault, folder: Path) -> None:
    if fault.ordinary and getattr(os, "geteuid", int)() != 0:
        pytest.skip("what is of another user can only be made by the superuser")
    fault.prepare(folder)
    before = contents(folder)
    done = _answer(fault, folder)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.strip().startswith("gdbench: ")
    assert done.stderr.strip().count("\n") == 0
    assert re.search(fault.said, done.stderr), done.stderr
    assert contents(folder) == before


def _answer(fault: Fault, folder: Path) -> Any:
    if fault.ordinary:
        return as_ordinary_user(*fault.line.split(), cwd=folder)
    if fault.variables:
        return gdbench(*fault.line.split(), cwd=folder, **fault.variables)
    return invoke(*fault.line.split(), cwd=folder)


HARMLESS = {
    "threads in words": (FIT, {"OMP_NUM_THREADS": "abc"}),
    "a width in words": (FIT, {"COLUMNS": "abc", "LINES": "-1"}),
    "a way to draw that is not there": (FIT, {"MPLBACKEND": "nonsense"}),
    "a folder for temporary files that is not there": (FIT, {"TMPDIR": "/nowhere/at/all"}),
    "a cache that is a file": (FIT, {"GDBENCH_CACHE": "file"}),
    "a language that is not there": (FIT, {"LANG": "xx_YY", "LC_ALL": "xx_YY", "TERM": "nonsense"}),
    "a git that looks elsewhere": (FIT, {"GIT_DIR": "/nowhere/at/all"}),
}
"""Variables that make no sense, and are nobody's business here."""


@pytest.mark.parametrize(("line", "variables"), HARMLESS.values(), ids=HARMLESS)
def test_nonsense_around_a_command_does_not_keep_it_from_its_work(
    line: str, variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = gdbench(*line.split(), cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in (tmp_path / "fit").iterdir()} == {"loss.png", "history.csv"}


def test_derived_tables_that_are_damaged_are_made_anew(tmp_path: Path) -> None:
    """The raw files are the truth."""
    _run(("samples.csv", lambda path: path.write_text("network,data")), ("summary.csv", _without_a_column))(tmp_path)
    done = invoke("report", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    samples, summary = (pd.read_csv(tmp_path / "run" / name) for name in ("samples.csv", "summary.csv"))
    assert {"dataset", "block", "seconds"} <= {*samples.columns}
    assert list(summary.columns) == SUMMARY_COLUMNS
    assert len(samples) > 0


def _without_a_column(path: Path) -> None:
    pd.read_csv(path).drop(columns="seconds").to_csv(path, index=False)
