"""Settings that change compiled code are recorded; those under which nothing can be measured are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gdbench.cli import COMMANDS
from gdbench.machine.environment import observe
from gdbench.machine.settings import settings

from ..helpers import ROOT, gdbench, start

REFUSED = {
    "NUMBA_DISABLE_JIT=1": "nothing is compiled under NUMBA_DISABLE_JIT=1, so nothing can be measured: unset it",
    "NUMBA_NUM_THREADS=0": "Numba needs at least one thread, and has NUMBA_NUM_THREADS=0: unset it, or set it to 1",
    "NUMBA_NUM_THREADS=two": "Numba does not understand NUMBA_NUM_THREADS=two and would ignore it: correct or unset it",
    "NUMBA_OPT=fast": "Numba does not understand NUMBA_OPT=fast and would ignore it: correct or unset it",
    "NUMBA_DUMP_ASSEMBLY=1": "NUMBA_DUMP_ASSEMBLY=1 makes Numba print in the midst of what is timed: unset it",
    "NUMBA_CACHE_LOCATOR_CLASSES=Foo": (
        "Numba does not find the class Foo of NUMBA_CACHE_LOCATOR_CLASSES=Foo, and compiles nothing without: "
        "correct or unset it"
    ),
    "NUMBA_CACHE_LOCATOR_CLASSES=os.Foo": (
        "Numba does not find the class os.Foo of NUMBA_CACHE_LOCATOR_CLASSES=os.Foo, and compiles nothing without: "
        "correct or unset it"
    ),
    "NUMBA_CPU_NAME=foo": (
        "Numba's compiler does not know foo of NUMBA_CPU_NAME=foo and would ignore it: correct or unset it"
    ),
    "NUMBA_CPU_FEATURES=+foo": (
        "Numba's compiler does not know +foo of NUMBA_CPU_FEATURES=+foo and would ignore it: correct or unset it"
    ),
    "PYTHONOPTIMIZE=2": "python -OO, or PYTHONOPTIMIZE=2, strips docstrings, which gdbench reads: run it without",
}
FILES = {
    "disable_jit: 1": "nothing is compiled under disable_jit in .numba_config.yaml",
    "opt: 0": "Numba does not understand opt in .numba_config.yaml",  # it compares with texts
    "- opt": "Numba cannot be imported as it is set (AttributeError",
    "{": "correct or delete .numba_config.yaml",
}
LIBRARIES = "numba, sklearn.linear_model, mlxtend.data, matplotlib.pyplot, pandas, asv, ruptures, plotly"
WRITE = "import json, sys; from gdbench.machine.settings import settings; "


@pytest.mark.parametrize("setting", REFUSED)
def test_what_makes_measuring_senseless_is_refused_by_its_name(setting: str, tmp_path: Path) -> None:
    name, _, value = setting.partition("=")
    answer = gdbench("run", "--profile", "smoke", cwd=tmp_path, **{name: value})
    assert (answer.returncode, answer.stderr) == (2, f"gdbench: {REFUSED[setting]}\n")
    assert answer.stdout == ""
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("setting", ["NUMBA_OPT=", "NUMBA_CACHE_LOCATOR_CLASSES=", "NUMBA_NUM_THREADS="])
def test_an_empty_variable_is_as_good_as_none(setting: str, tmp_path: Path) -> None:
    name, _, value = setting.partition("=")
    answer = gdbench("list", cwd=tmp_path, **{name: value})
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_class_that_numba_has_may_say_where_it_keeps_code(tmp_path: Path) -> None:
    answer = gdbench("list", cwd=tmp_path, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator, InTreeCacheLocator")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_every_command_refuses_it_before_it_blames_a_file(tmp_path: Path) -> None:
    started = [start(command, cwd=tmp_path, NUMBA_DISABLE_JIT="1") for command in COMMANDS]
    answers = [(process.communicate()[1], process.returncode) for process in started]
    assert set(answers) == {(f"gdbench: {REFUSED['NUMBA_DISABLE_JIT=1']}\n", 2)}


PYTHON = {
    "run": "from gdbench.run.runner import run; run(None, folder=Path('new'))",
    "resume": "from gdbench.run.runner import resume; resume(Path('new'))",
    "compare": "from gdbench.compare.comparison import compare; compare('HEAD', 'HEAD', folder=Path('new'))",
    "asv": "from suite.experiments import setup_cache; setup_cache()",
}


@pytest.mark.parametrize("call", PYTHON.values(), ids=PYTHON)
def test_from_python_it_is_refused_too(call: str, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from kernels import InputError
try:
    {call.replace("; ", chr(10) + "    ")}
except InputError as error:
    print(error)
"""
    places = os.pathsep.join([str(ROOT / "benchmarks"), *filter(None, sys.path)])
    surroundings = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": places}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=True)
    assert done.stdout == f"{REFUSED['NUMBA_DISABLE_JIT=1']}\n"
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(("setting", "cached"), [("JAX_ENABLE_X64=1", True), ("NUMBA_OPT=2", False)])
def test_only_settings_of_numba_keep_the_loops_of_the_limits_out_of_its_cache(setting: str, cached: bool) -> None:
    name, _, value = setting.partition("=")
    script = "from gdbench.machine import limits; print(bool(limits._read.stats.cache_path))"
    places = os.pathsep.join(filter(None, sys.path))
    surroundings = os.environ | {name: value, "PYTHONPATH": places}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True)
    assert done.stdout == f"{cached}\n"


@pytest.mark.parametrize("line", FILES)
def test_numbas_own_file_counts_as_its_variables_do(line: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / ".numba_config.yaml").write_text(line, encoding="utf-8")
    answer = gdbench("list", cwd=tmp_path)
    assert answer.returncode == 2
    assert FILES[line] in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_what_changes_compiled_code_is_recorded_as_a_worker_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = observe().settings
    assert usual is not None
    assert not any(name.endswith("THREADS") for name in usual)  # a worker has those of its case
    given = {"NUMBA_OPT": "1", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2", "NUMBA_ENABLE_AVX": "0"}
    given |= {"NUMBA_BOUNDSCHECK": "1", "NUMBA_LOOP_VECTORIZE": "0", "NUMBA_SLP_VECTORIZE": "1", "NUMBA_DEBUGINFO": "1"}
    given |= {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "MKL_CBWR": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    given |= {"ATEN_CPU_CAPABILITY": "avx2", "NPY_DISABLE_CPU_FEATURES": "AVX512F", "NUMBA_OF_A_LATER_VERSION": "1"}
    given |= {"LD_AUDIT": "", "PYTHON_JIT": "1", "PYTHON_GIL": "1", "FLEXIBLAS": "netlib"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert observe().settings == usual | given


def test_defaults_and_what_changes_no_code_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = observe().settings
    monkeypatch.setenv("NUMBA_SLP_VECTORIZE", "0")
    monkeypatch.setenv("NUMBA_COLOR_SCHEME", "dark_bg")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # a worker has the threads of its case
    assert observe().settings == usual


def test_numbas_file_is_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yaml")
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".numba_config.yaml").write_text("boundscheck: 1\n", encoding="utf-8")
    assert (observe().settings or {})["NUMBA_BOUNDSCHECK"] == "1"


def test_no_import_changes_what_is_recorded() -> None:
    """scikit-learn sets variables for itself: a run would go on only where it was imported before."""
    script = f"{WRITE}before = settings(); import {LIBRARIES}; print(json.dumps([before, settings()]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    assert before == after == settings()


def test_list_names_what_is_set(tmp_path: Path) -> None:
    answer = gdbench("list", "--json", "-", cwd=tmp_path, NUMBA_OPT="0")
    (row,) = [row for row in json.loads(answer.stdout)["settings"] if row["name"] == "NUMBA_OPT"]
    assert row["value"] == "0, recorded with results, which are unlike those of other values"


def test_a_command_that_measures_says_what_is_set_and_numba_is_silent(tmp_path: Path) -> None:
    """Without optimisation Numba cannot keep what it compiles, and warns of each function."""
    line = "train --dataset diabetes --network linear --variant jit --epochs 1"
    done = gdbench(*line.split(), cwd=tmp_path, NUMBA_OPT="0", PYTHONWARNINGS="error")
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert told[0] == (
        "Compiled code differs from the usual, and is often slower, under NUMBA_OPT=0: unset what you can."
    )
    assert "NumbaWarning" not in done.stderr
    assert gdbench("train", "--help", cwd=tmp_path, NUMBA_OPT="0").stderr == ""
