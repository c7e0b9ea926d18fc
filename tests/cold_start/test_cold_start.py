"""Cold starts are measured in fresh processes, from facts and not from names, kept whole, and told as payback."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from markupsafe import escape

from gdbench.cold_start import measure
from gdbench.experiments.grid import profiles
from gdbench.report import cold_start
from gdbench.report.build import rebuild
from gdbench.run.folder import read_run
from gdbench.run.plan import read_plan
from gdbench.run.raw import read_failures
from kernels import InputError

from ..helpers import (
    ROOT,
    add_variant,
    copy_sources,
    finish,
    gdbench,
    have_ended,
    invoke,
    shorten_smoke,
    start,
    wait_for,
)

ARGUMENTS = ["run", "--profile", "smoke", "--network", "logistic", "--variant", "vectorized,by_depth"]
PATIENCE = {"GDBENCH_PATIENCE_SECONDS": "3600"}
"""How long a busy machine takes is not the subject."""
MEASURE = """
import sys
from gdbench.cold_start import measure
from gdbench.report import cold_start
from gdbench.experiments import grid
from gdbench.run.plan import make_plan
cases = grid.expand(grid.profile("smoke"), grid.Filters(variant=tuple(sys.argv[2:]), task=("epoch",)))
plan = make_plan(cases, profile="smoke", command="", rounds=1, case_seconds=0.002, seed=0)
from pathlib import Path
measure.WARM_PROCESSES = 1
measure.promise(Path(sys.argv[1]))
measure.measure_left(Path(sys.argv[1]), plan.cases, plan.networks, failed=(), report=lambda job: None)
print((Path(sys.argv[1]) / "raw" / "cold_start.json").read_text())
"""
COMPILES = """

from {source} import njit


@njit(cache={cache})
def _count(sizes):
    return len(sizes)
"""
HOLDS = """

import os, pathlib, time

if "HOLD" in os.environ and "gdbench-" in os.environ.get("NUMBA_CACHE_DIR", ""):
    pathlib.Path(os.environ["HOLD"]).write_text(str(os.getpid()))
    time.sleep(3600)
"""
"""A process of a cold start, which alone has such a cache, says who it is and stays until it is ended."""
CALL = (
    "return _forward(network, theta, X)[1][-1]",
    "_count(network.sizes)\n    return _forward(network, theta, X)[1][-1]",
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources with variants that compile for each depth anew, which takes a moment, that never cache, and that fail."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    ours = COMPILES.format(source="kernels.variants._numba", cache=True)
    add_variant(folder, "by_depth", CALL, end=ours + HOLDS)
    add_variant(folder, "uncached", CALL, end=ours.replace("cache=True", "cache=False"))
    add_variant(folder, "failing", ("return float(", "raise SystemExit(3)\n    return float("))
    shorten_smoke(folder, blocks=1)
    return folder


@dataclass(frozen=True)
class Stopped:
    """A run that heard Ctrl-C while it measured a cold start."""

    folder: Path
    answer: Any
    measured: psutil.Process
    """The process of the cold start."""
    temporary: Path


@pytest.fixture(scope="module")
def stopped(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A run that heard Ctrl-C when one of its two cold starts was on disk and the other had begun."""
    cwd, place = tmp_path_factory.mktemp("stopped"), tmp_path_factory.mktemp("temporary")
    held = cwd / "held"
    options = ("--batch-size", "1,n", "--cold-start", "--output", "run")
    variables = {"TMPDIR": str(place), "HOLD": str(held), **PATIENCE}
    process = start(*ARGUMENTS, *options, cwd=cwd, sources=sources, **variables)
    wait_for(lambda: held.exists() and held.read_text(encoding="utf-8"), process)
    measured = psutil.Process(int(held.read_text(encoding="utf-8")))
    process.send_signal(signal.SIGINT)
    return Stopped(cwd / "run", finish(process), measured, place)


@pytest.fixture(scope="module")
def run(stopped: Stopped, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the stopped run, resumed and brought to its end."""
    cwd = tmp_path_factory.mktemp("cold")
    shutil.copytree(stopped.folder, cwd / "run")
    answer = gdbench("run", "--resume", "--output", "run", cwd=cwd, sources=sources, **PATIENCE)
    assert answer.returncode == 0, answer.stderr
    return cwd / "run"


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


def raw(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((folder / "raw" / "cold_start.json").read_text(encoding="utf-8"))
    return entries


def test_a_row_per_variant_with_what_each_step_costs(run: Path) -> None:
    table = pd.read_csv(run / "cold_start.csv").set_index("variant")
    assert list(table.columns) == [name for name in cold_start.COLUMNS if name != "variant"]
    assert list(table.index) == ["vectorized", "by_depth"]
    assert table["compiled"].tolist() == [False, True]
    assert table.loc["vectorized", ["compile_seconds", "load_seconds", "cache_works"]].isna().all()
    assert table.loc["by_depth", "cache_works"] in (True, "True")
    assert table.loc["by_depth", ["compile_seconds", "load_seconds"]].notna().all()
    measured = [
        name for name in cold_start.COLUMNS if "seconds" in name and "compile" not in name and "load" not in name
    ]
    assert (table[measured] > 0).all(axis=None)


def _process(numpy: float, imports: float, first: list[float], **signatures: int) -> dict[str, Any]:
    times = {"numpy_seconds": numpy, "import_seconds": imports, "first_seconds": first, "steady_seconds": [1.0, 0.5]}
    return {"python_seconds": 0.05, "numba_imported": True, **times, "compiled": 0, "loaded": 0, **signatures}


ENTRY = {
    **{"variant": "jit", "dtype": "float32", "network": "mlp", "dataset": "wine", "threads": 1, "reason": ""},
    **{"rows": 512, "calls": [["forward", 8], ["loss", 8]], "compiled_again": []},
    "cold": _process(9.0, 9.0, [10.0, 5.0], compiled=4),
    "warm": [
        _process(0.1, 0.5, [2.0, 1.0], loaded=4),
        _process(0.6, 0.8, [7.0, 1.0], loaded=4),
        _process(0.2, 0.6, [3.0, 1.0], loaded=4),
    ],
    **{"files_written": 8, "files_written_later": 0},
}


def _row_of(entry: dict[str, Any], folder: Path) -> dict[Any, Any]:
    (folder / "raw").mkdir()
    (folder / "raw" / "cold_start.json").write_text(json.dumps([entry]), encoding="utf-8")
    (row,) = cold_start.read(folder).to_dict("records")
    return row


def test_a_row_follows_from_its_processes_by_hand(tmp_path: Path) -> None:
    row = _row_of(ENTRY, tmp_path)
    assert (row["compiled"], row["cache_works"], row["reason"], row["processes"]) == (True, True, "", 4)
    found = {name.removesuffix("_seconds"): value for name, value in row.items() if "seconds" in name}
    assert found == {
        **{"numpy": 0.2, "import": 0.6, "import_seconds_low": 0.5, "import_seconds_high": 0.8},
        **{"compile": 13.5, "load": 2.5, "load_seconds_low": 1.5, "load_seconds_high": 6.5},
        **{"first_call": 4.0, "first_call_seconds_low": 3.0, "first_call_seconds_high": 8.0, "steady_call": 1.5},
    }


@pytest.mark.parametrize(
    "change",
    [
        {"files_written_later": 1},
        {"warm": [*ENTRY["warm"][:2], _process(0.2, 0.6, [3.0, 1.0], loaded=3, compiled=1)]},
        {"warm": [*ENTRY["warm"][:2], _process(0.2, 0.6, [3.0, 1.0])]},
    ],
    ids=["wrote again", "compiled again", "loaded nothing"],
)
def test_a_cache_from_which_a_later_process_did_not_load_everything_does_not_work(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    row = _row_of({**ENTRY, **change}, tmp_path)
    assert (row["compiled"], row["cache_works"]) == (True, False)
    assert "compiled again" in row["reason"]


def test_a_process_imports_no_more_than_its_variant_does(run: Path) -> None:
    found = {entry["variant"]: [one["numba_imported"] for one in entry["warm"]] for entry in raw(run)}
    assert found == {"vectorized": [False] * 3, "by_depth": [True] * 3}


def test_the_raw_file_holds_every_process_and_every_call(run: Path) -> None:
    for entry in raw(run):
        assert {task for task, _ in entry["calls"]} == {"forward", "loss", "gradient", "epoch"}
        assert {size for task, size in entry["calls"] if task == "epoch"} == {1, entry["rows"]}
        for process in (entry["cold"], *entry["warm"]):
            assert len(process["first_seconds"]) == len(process["steady_seconds"]) == len(entry["calls"])
        assert len(entry["warm"]) >= 3


def test_the_table_is_rebuilt_from_the_raw_file(copy: Path) -> None:
    before = (copy / "cold_start.csv").read_bytes()
    (copy / "cold_start.csv").unlink()
    rebuild(copy)
    assert (copy / "cold_start.csv").read_bytes() == before


def test_report_and_pure_functions_tell_the_same(run: Path) -> None:
    shown = (run / "report.md").read_text(encoding="utf-8")
    found = read_run(run)
    assert len(cold_start.sentences(found)) == 1
    for text in (*cold_start.sentences(found), *(table.title for table in cold_start.tables(found))):
        assert text in shown


def test_a_run_without_cold_starts_says_nothing_of_them(copy: Path) -> None:
    (copy / "raw" / "cold_start.json").unlink()
    (copy / "cold_start.csv").unlink()
    cold_start.write_table(copy)
    assert not (copy / "cold_start.csv").exists()
    assert (cold_start.tables(read_run(copy)), cold_start.sentences(read_run(copy))) == ([], [])


def _left(folder: Path) -> list[measure.ColdStart]:
    return measure.left(folder, read_plan(folder).cases, read_failures(folder))


def test_ctrl_c_keeps_whole_entries_and_leaves_nothing_else(stopped: Stopped) -> None:
    assert stopped.answer.returncode == 130, stopped.answer.stderr
    assert have_ended([stopped.measured])
    assert [entry["variant"] for entry in raw(stopped.folder)] == ["vectorized"]
    assert [job.variant for job in _left(stopped.folder)] == ["by_depth"]
    assert not [path for path in (stopped.folder / "raw").iterdir() if path.name.startswith(".")]
    assert not [path for path in stopped.temporary.iterdir() if path.name.startswith("gdbench-")]


def test_resuming_measures_what_is_missing_and_keeps_what_is_there(stopped: Stopped, run: Path) -> None:
    assert [entry["variant"] for entry in raw(run)] == ["vectorized", "by_depth"]
    assert raw(run)[:1] == raw(stopped.folder)
    assert _left(run) == []


def test_a_damaged_file_is_one_sentence(copy: Path) -> None:
    (copy / "raw" / "cold_start.json").write_text("[{", encoding="utf-8")
    with pytest.raises(InputError, match=r"cold_start\.json holds something else than it should .*: delete it$"):
        _left(copy)


def test_a_run_with_a_damaged_file_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "raw" / "cold_start.json").write_text("[{", encoding="utf-8")
    begun = read_plan(copy).fingerprint  # this process has other code than the copy with which the run began
    monkeypatch.setattr("gdbench.run.runner.fingerprint", lambda: begun)
    answer = invoke("run", "--resume", "--output", str(copy), cwd=copy.parent)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "cold_start.json holds something else than it should" in answer.stderr
    assert answer.stderr.endswith(": delete it\n")
    assert answer.stderr.count("\n") == 1


def _plan(*options: str, cwd: Path) -> dict[str, Any]:
    answer = invoke("run", "--variant", "vectorized,jit", "--dry-run", "--json", "-", *options, cwd=cwd)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    assert ("cold starts: about" in answer.stderr) == (found["cold_starts"] > 0)
    return found


def test_the_profile_decides_and_the_option_overrides_it(tmp_path: Path) -> None:
    assert {name for name, profile in profiles().items() if profile.cold_start} == {"regular", "limits", "full"}
    regular, without = (
        _plan("--profile", "regular", cwd=tmp_path),
        _plan("--profile", "regular", "--no-cold-start", cwd=tmp_path),
    )
    assert (regular["cold_starts"], without["cold_starts"]) == (4, 0)
    assert regular["estimated_seconds"] - without["estimated_seconds"] == pytest.approx(regular["cold_start_seconds"])
    assert _plan("--profile", "smoke", "--cold-start", cwd=tmp_path)["cold_starts"] == 2


def test_resuming_takes_no_option_about_it(copy: Path) -> None:
    answer = invoke("run", "--resume", "--no-cold-start", "--output", str(copy), cwd=copy.parent)
    assert answer.returncode == 2
    assert "leave out --cold-start" in answer.stderr


def _measure(variant: str, sources: Path, folder: Path) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Entries and rows of a variant that was added to the sources."""
    places = [str(sources), str(sources / "benchmarks")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", MEASURE, str(folder / "run"), variant],
        env=os.environ | PATIENCE | {"PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), cold_start.read(folder / "run")


def test_a_process_that_fails_is_an_entry_with_its_reason(sources: Path, tmp_path: Path) -> None:
    (entry,), rows = _measure("failing", sources, tmp_path)
    assert "ended with code 3" in entry["reason"]
    assert entry["warm"] == []
    assert rows["compiled"].tolist() == [False]


@pytest.fixture(scope="module")
def uncached(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Rows of the variant that never caches."""
    return _measure("uncached", sources, tmp_path_factory.mktemp("uncached"))[1]


@pytest.mark.slow
def test_compiling_is_found_from_what_numba_did(uncached: pd.DataFrame) -> None:
    assert uncached["compiled"].all()


@pytest.mark.slow
def test_a_variant_that_compiles_anew_for_another_network_is_started_on_it_too(uncached: pd.DataFrame) -> None:
    assert uncached["network"].tolist() == ["logistic", "deep"]


@pytest.mark.slow
def test_a_cache_that_does_not_work_is_told(uncached: pd.DataFrame) -> None:
    first = uncached.iloc[0]
    assert not first["cache_works"]
    assert "compiled again" in first["reason"]


def test_every_column_of_the_table_is_explained() -> None:
    page = (ROOT / "docs" / "method" / "cold-start.md").read_text(encoding="utf-8")
    columns = [name for name in cold_start.COLUMNS if name.endswith("_seconds")]
    assert columns
    assert not [name for name in columns if f"`{name}`" not in page]


def test_both_reports_have_a_section_where_it_was_measured(run: Path) -> None:
    found = read_run(run)
    report, html = ((run / name).read_text(encoding="utf-8") for name in ("report.md", "report.html"))
    assert "## Cold start\n" in report
    assert '<section id="cold-start">' in html
    assert cold_start.sentences(found)
    for text in cold_start.sentences(found):
        assert f"- {text}\n" in report
        assert str(escape(text)) in html
    for table in cold_start.tables(found):
        assert f"### {table.title}\n" in report
        assert str(escape(table.title)) in html


def test_reports_have_no_such_section_where_it_was_not_measured(copy: Path) -> None:
    (copy / "raw" / "cold_start.json").unlink()
    (copy / "cold_start.csv").unlink()
    rebuild(copy)
    assert not (copy / "cold_start.csv").exists()
    assert "Cold start" not in (copy / "report.md").read_text(encoding="utf-8")
    assert 'id="cold-start"' not in (copy / "report.html").read_text(encoding="utf-8")
