"""A finished run: its folder holds what was planned, the tables follow from the raw files, and no more is told."""

import itertools
import json
import re
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gdbench.basics import units
from kernels.network import DTYPES

from ..conftest import SMOKE_VARIANTS
from ..helpers import ROOT, contents, gdbench, read_raw

DERIVED = {
    *("samples.csv", "limits.json", "summary.csv", "report.html", "report.md", "time_per_row.png", "roofline.png"),
}
STORED = {"plan.json", "environment.json", "certificates.json"}
PROMISED = [
    *("network", "dataset", "n_rows", "task", "variant", "descent", "batch_size", "dtype", "threads"),
    *("seconds", "seconds_low", "seconds_high", "blocks", "rows_per_second", "speedup_vs_reference"),
    *("flops", "bytes", "limit_seconds", "fraction_of_limit", "speedup_vs_best_peer"),
    *("max_error", "tolerance", "certified", "status"),
]
N_ROWS = 569
"""Rows of breast_cancer."""
ROUNDING = 1e-5
"""Tables hold six digits."""


@dataclass(frozen=True)
class Finished:
    """A run of the real command, and what came out of it."""

    folder: Path
    answer: Any
    plan: dict[str, Any]
    raw: list[dict[str, Any]]
    samples: pd.DataFrame
    summary: pd.DataFrame

    @property
    def keys(self) -> list[str]:
        return list(self.plan["cases"][0])


@pytest.fixture(scope="module")
def run(smoke_run: tuple[Path, Any]) -> Finished:
    folder, answer = smoke_run
    assert answer.returncode == 0, answer.stderr
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    tables = (pd.read_csv(folder / name) for name in ("samples.csv", "summary.csv"))
    return Finished(folder, answer, plan, read_raw(folder), *tables)


@pytest.fixture(scope="module")
def rebuilt(run: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A copy of the run without what is derived, after ``gdbench report``."""
    cwd = tmp_path_factory.mktemp("rebuilt")
    shutil.copytree(run.folder, cwd / "run")
    for name in DERIVED:
        (cwd / "run" / name).unlink()
    return cwd / "run", gdbench("report", "run", cwd=cwd, COLUMNS="400")


def cases_of(table: pd.DataFrame, keys: list[str]) -> list[tuple[Any, ...]]:
    return list(table[keys].itertuples(index=False, name=None))


def test_the_folder_holds_every_file_and_nothing_is_written_beside_it(run: Finished) -> None:
    raw = {f"raw/block-{block['index']:03d}.json" for block in run.plan["blocks"]}
    assert set(contents(run.folder)) == {"raw", *raw, *STORED, *DERIVED}
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]


def test_the_plan_is_the_grid_under_the_filters(run: Finished) -> None:
    found = {tuple(case[axis] for axis in ("task", "variant", "batch_size", "dtype")) for case in run.plan["cases"]}
    grid = set(itertools.product(("gradient", "epoch"), SMOKE_VARIANTS, (1, N_ROWS), DTYPES))
    assert found == grid
    assert len(run.plan["cases"]) == len(grid)
    assert len(run.plan["blocks"]) == 6


def test_raw_files_are_those_of_pytest_benchmark_with_every_case_in_the_planned_order(run: Finished) -> None:
    assert len(run.raw) == len(run.plan["blocks"])
    for block, content in zip(run.plan["blocks"], run.raw, strict=True):
        assert content["version"]
        assert content["gdbench"]["block"] == block["index"]
        planned = [run.plan["cases"][position] for position in block["cases"]]
        assert [entry["params"] for entry in content["benchmarks"]] == planned
        assert all(len(entry["stats"]["data"]) == entry["stats"]["rounds"] > 0 for entry in content["benchmarks"])


def test_the_order_of_cases_differs_between_blocks(run: Finished) -> None:
    orders = {tuple(block["cases"]) for block in run.plan["blocks"]}
    assert len(orders) == len(run.plan["blocks"])  # 32 cases have 2e35 orders
    assert all(sorted(order) == list(range(len(run.plan["cases"]))) for order in orders)


def test_blocks_were_pinned_and_had_one_thread(run: Finished) -> None:
    environment = json.loads((run.folder / "environment.json").read_text(encoding="utf-8"))
    assert (environment["blas_threads"], environment["numba_threads"]) == (1, 1)
    for content in run.raw:
        assert (content["gdbench"]["blas_threads"], content["gdbench"]["numba_threads"]) == (1, 1)
        assert len(content["gdbench"]["cores"]) == (1 if environment["pinned"] else 0)


def test_samples_have_a_row_for_each_case_and_block(run: Finished) -> None:
    planned = {(*case.values(), block["index"]) for case in run.plan["cases"] for block in run.plan["blocks"]}
    found = cases_of(run.samples, [*run.keys, "block"])
    assert len(found) == len(planned)
    assert set(found) == planned


def test_samples_are_the_medians_of_the_raw_rounds(run: Finished) -> None:
    expected = {
        (*entry["params"].values(), content["gdbench"]["block"]): np.median(entry["stats"]["data"])
        for content in run.raw
        for entry in content["benchmarks"]
    }
    keys = cases_of(run.samples, [*run.keys, "block"])
    assert dict(zip(keys, run.samples["seconds"], strict=True)) == pytest.approx(expected, rel=ROUNDING)


def test_the_summary_has_the_promised_columns_and_a_row_for_each_case_of_the_plan(run: Finished) -> None:
    assert set(PROMISED) <= set(run.summary.columns)
    assert cases_of(run.summary, run.keys) == [tuple(case.values()) for case in run.plan["cases"]]
    assert set(run.summary["status"]) == {"measured"}
    assert set(run.summary["descent"]) == {"stochastic", "batch"}


def test_times_are_medians_over_blocks_between_the_ends_of_their_intervals(run: Finished) -> None:
    medians = run.samples.groupby(run.keys)["seconds"].median().to_dict()
    found = dict(zip(cases_of(run.summary, run.keys), run.summary["seconds"], strict=True))
    assert found == pytest.approx(medians, rel=ROUNDING)
    assert (run.summary["seconds_low"] <= run.summary["seconds"]).all()
    assert (run.summary["seconds"] <= run.summary["seconds_high"]).all()
    assert (run.summary["seconds_low"] > 0).all()
    assert (run.summary["interval_coverage"] >= 0.95).all()
    assert (run.summary["blocks"] == 6).all()


def test_rates_follow_from_the_rows_of_a_call(run: Finished) -> None:
    rows = np.where(run.summary["task"] == "epoch", N_ROWS, run.summary["batch_size"])
    assert run.summary["rows_per_second"].to_numpy() == pytest.approx(rows / run.summary["seconds"], rel=ROUNDING)
    assert run.summary["seconds_per_row"].to_numpy() == pytest.approx(run.summary["seconds"] / rows, rel=ROUNDING)


def test_speed_is_relative_to_the_reference_in_the_same_case(run: Finished) -> None:
    seconds = run.summary.set_index(["task", "batch_size", "dtype", "variant"])["seconds"]
    for row in run.summary.itertuples():
        expected = seconds[row.task, row.batch_size, row.dtype, "reference"] / row.seconds
        assert row.speedup_vs_reference == pytest.approx(expected, rel=2 * ROUNDING)
        assert row.speedup_low <= row.speedup_vs_reference <= row.speedup_high
    of_reference = run.summary[run.summary["variant"] == "reference"]
    assert (of_reference[["speedup_vs_reference", "speedup_low", "speedup_high"]] == 1).all(axis=None)


def test_whatever_was_measured_is_certified(run: Finished) -> None:
    assert run.summary["certified"].all()
    assert (run.summary["max_error"] <= run.summary["tolerance"]).all()
    assert (run.summary.query("dtype == 'float64'")["tolerance"] < 1e-6).all()


def test_report_rebuilds_the_same_files_from_the_raw_ones(run: Finished, rebuilt: tuple[Path, Any]) -> None:
    folder, answer = rebuilt
    assert answer.returncode == 0, answer.stderr
    before, after = contents(run.folder), contents(folder)
    assert set(before) == set(after)
    drawn = {"time_per_row.png", "roofline.png", "report.html"}  # a picture may hold the time of its making
    for name in set(before) - drawn:
        assert before[name] == after[name], name


def test_the_report_has_a_table_with_the_best_cell_marked(run: Finished) -> None:
    lines = (run.folder / "report.md").read_text(encoding="utf-8").splitlines()
    first = next(position for position, line in enumerate(lines) if line.endswith("speed of the reference = 1x"))
    head, _, *rest = lines[first + 2 :]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in itertools.takewhile(bool, rest)]
    assert {tuple(row[:2]) for row in rows} == set(itertools.product(SMOKE_VARIANTS, DTYPES))
    assert "B=1 <br>stochastic" in head
    assert f"B={N_ROWS} <br>batch" in head
    epochs = run.summary[run.summary["task"] == "epoch"]
    best = epochs.loc[epochs["seconds"].idxmin()]
    marked = [(row[0], row[1], cell) for row in rows for cell in row if "*" in cell]
    assert [where[:2] for where in marked] == [(best["variant"], best["dtype"])]
    assert marked[0][2].count("x") == 1


def test_the_terminal_shows_the_fastest_of_each_dtype_with_its_interval_and_the_caution(
    run: Finished, rebuilt: tuple[Path, Any]
) -> None:
    epochs = run.summary[run.summary["task"] == "epoch"]
    shown = rebuilt[1].stdout
    assert "Fastest per epoch: medians over 6 processes, with intervals that cover 96.9 %" in shown
    for dtype, part in epochs.groupby("dtype"):
        best = part.loc[part["seconds"].idxmin()]
        (line,) = (line for line in shown.splitlines() if line.startswith(f"logistic on breast_cancer {dtype} "))
        assert re.search(
            rf" {best['variant']} B={best['batch_size']}  +{units.seconds(best['seconds_per_row'])} \(.* to .*\)", line
        )
    assert "Fastest per epoch is not fastest to a target" in shown
    report = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "Fastest per epoch: medians over 6 processes" in report
    assert "Incomplete" not in report


def test_json_is_alone_on_standard_output_and_equals_the_summary(run: Finished) -> None:
    answer = json.loads(run.answer.stdout)
    assert answer["complete"] is True
    assert answer["folder"] == "run"
    found = pd.DataFrame(answer["cases"])
    assert cases_of(found, run.keys) == cases_of(run.summary, run.keys)
    assert found["seconds"].to_numpy() == pytest.approx(run.summary["seconds"].to_numpy(), rel=ROUNDING)
    assert "Fastest per epoch" in run.answer.stderr


def test_no_file_tells_where_or_on_which_host_it_was_made(run: Finished) -> None:
    places = {str(Path.home()), str(run.folder.parent), str(ROOT), sys.prefix, socket.gethostname()}
    page_of_another_machine = (ROOT / "reports" / "limits" / "report.html").read_bytes()
    words = [place.encode() for place in places if len(place) > 3]
    private = [word for word in words if word not in page_of_another_machine]  # a host may be called "linux"
    told = [(name, word) for name, text in contents(run.folder).items() for word in private if word in text]
    assert private
    assert told == []
