"""``docs/run-from-python.md`` is a session that runs as it stands; what is called says what is wrong."""

import inspect
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot

import gdbench
from gdbench.api import filters, runs
from gdbench.api.comparisons import ComparisonResult
from gdbench.api.runs import RunResult
from gdbench.experiments.grid import Filters
from kernels import InputError

from ..helpers import ROOT

PAGE = ROOT / "docs" / "run-from-python.md"
BLOCKS = re.findall(r"^```python\n(.+?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the session knows in the end, in its folder."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context({"backend": "agg"}):
        patch.chdir(tmp_path_factory.mktemp("session"))
        for number, block in enumerate(BLOCKS, 1):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), found)
        yield found
        pyplot.close("all")


def test_a_run_answers_with_tables_a_picture_and_html(names: dict[str, Any]) -> None:
    found = names["found"]
    assert isinstance(found, RunResult)
    assert found.complete
    assert found.exit_code == 0
    assert set(found.table["variant"]) == {"reference", "jit", "tiled"}
    epochs = found.table.groupby(["network", "dataset"])["seconds_per_row"].min()
    winners = found.winners.set_index(["network", "dataset"])["seconds_per_row"]
    pd.testing.assert_series_equal(winners.sort_index(), epochs.sort_index())
    assert found.certificates["certified"].all()
    assert names["axes"].get_ylabel() == "time per row, epoch"
    text = found._repr_html_()
    assert "Fastest per epoch" in text
    assert "<script" not in text
    assert f"B={found.winners['batch_size'].iloc[0]}" in repr(found)
    assert {"report.html", "report.md", "summary.csv"} <= {path.name for path in found.folder.iterdir()}
    assert Path("time_per_row.png").stat().st_size > 10_000


def test_a_comparison_answers_with_a_table_a_picture_and_html(names: dict[str, Any]) -> None:
    answer = names["answer"]
    assert isinstance(answer, ComparisonResult)
    assert answer.exit_code in (0, 1, 3)
    times = answer.table[answer.table["metric"] == "time"]
    assert len(times) == 1
    assert (times["low"] <= times["ratio"]).all()
    assert answer.suite["by"].iloc[0] == "suite"
    assert "Report: " in answer._repr_html_()
    assert (answer.folder / "comparison.html").exists()
    assert Path("ratios.png").stat().st_size > 5_000


def test_what_was_measured_before_is_read_by_folder_or_file(names: dict[str, Any]) -> None:
    assert isinstance(names["again"], RunResult)
    read = gdbench.read(names["answer"].folder / "comparison.json")
    assert isinstance(read, ComparisonResult)
    pd.testing.assert_frame_equal(read.table, names["answer"].table)
    assert set(names["measured"]["variant"]) >= {"reference", "jit", "tiled"}


def test_a_plan_of_ones_own_tells_what_it_does(names: dict[str, Any]) -> None:
    assert (names["mine"].summary["status"] == "measured").all()
    assert len(names["events"]) > len(names["mine"].summary)


@pytest.mark.parametrize("name", ["missing", "."])
def test_where_there_is_no_answer_a_sentence_says_what_would_be_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"there is no answer in .*plan\.json, comparison\.json, pick\.json"):
        gdbench.read(tmp_path / name)


def test_filters_take_one_value_or_several() -> None:
    nothing = dict.fromkeys(("network", "dataset", "task", "variant", "batch_size", "dtype", "threads"), ())
    assert filters.read(**nothing) == Filters()
    asked = nothing | {"variant": "jit", "batch_size": [1, "n", 1], "threads": 2}
    assert filters.read(**asked) == Filters(variant=("jit",), batch_size=(1, "n"), threads=(2,))
    for name, value in (("variant", 3), ("batch_size", "all"), ("threads", "n"), ("threads", True), ("dtype", [None])):
        with pytest.raises(InputError, match=f"{name} takes (names|whole numbers)"):
            filters.read(**nothing | {name: value})


def test_bad_options_of_a_run_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no profile 'fastest'"):
        gdbench.run("fastest")
    with pytest.raises(InputError, match="effect is a relative slowdown"):
        gdbench.compare("jit", "tiled", effect=-1)
    assert not [*tmp_path.iterdir()]


def test_what_was_measured_before_ctrl_c_is_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = runs.run

    def stopped(plan: Any, *, folder: Path, report: Any, **options: Any) -> None:
        def hear(event: Any) -> None:
            report(event)
            if type(event).__name__ == "BlockEnded":
                raise KeyboardInterrupt

        real(plan, folder=folder, report=hear, **options)

    monkeypatch.setattr(runs, "run", stopped)
    found = gdbench.run("smoke", variant="jit", dtype="float32", task="epoch", batch_size=64, output=tmp_path / "run")
    assert not found.complete
    assert (tmp_path / "run" / "report.html").exists()
    assert "measured" in set(found.table["status"])


@pytest.mark.parametrize("name", ["run", "compare", "pick"])
def test_what_is_called_shows_its_options(name: str) -> None:
    called = getattr(gdbench, name)
    options = inspect.signature(called).parameters
    described = inspect.getdoc(type(called).__call__) or ""
    assert options
    assert all(re.search(rf"\b{option}\b", described) for option in options)
