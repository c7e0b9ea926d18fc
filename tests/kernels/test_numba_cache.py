"""Numba's on-disk cache works for every variant that compiles, and no change in a source leaves old code in use.

Everything happens in fresh processes on copies of ``kernels``. Numba's own stamp is the file of a function alone, so
that code compiled from a helper in another file outlives a change there; one test shows just that.
"""

import ast
import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import kernels

from ..helpers import ROOT, copy_sources

RUN = """
import json, sys, numpy as np, kernels
from importlib import import_module
from numba.core.dispatcher import Dispatcher
from kernels.contract import PARAMETERS
name, dtype, *tasks = sys.argv[1:]
module, network = import_module(f"kernels.variants.{name}"), kernels.Network((3, 4, 2), "tanh")
rng, values = np.random.default_rng(0), {}
theta, X, Y = network.init(rng, dtype), *(rng.random((6, k)).astype(dtype) for k in (3, 2))
X[X < 0.8] = 0  # so that sparse is not tiled
given = dict(theta=theta, X=X, Y=Y, order=np.arange(6), batch_size=4, learning_rate=0.5, network=network)
for task in tasks:
    answer = getattr(module, task)(*(given[word] for word in PARAMETERS[task]))
    values[task] = np.asarray(answer, float).ravel().tolist()
loaded = [module for name, module in sys.modules.items() if name.startswith("kernels.")]
found = {id(value): value for module in loaded for value in vars(module).values() if isinstance(value, Dispatcher)}
print(json.dumps({
    "values": values,
    "hits": sum(sum(value.stats.cache_hits.values()) for value in found.values()),
    "misses": sum(sum(value.stats.cache_misses.values()) for value in found.values()),
    "stamps": {
        f"{value.py_func.__module__}.{value.py_func.__name__}": str(value._cache._impl.locator.get_source_stamp())
        for value in found.values() if hasattr(value._cache, "_impl")
    },
}))
"""
TASKS = ("forward", "loss", "gradient", "epoch")
HELPER = '''"""Part of a specimen."""

from {source} import njit

FACTOR = 2


@njit(cache=True)
def twice(value):
    return FACTOR * value
'''
SPECIMEN = '''"""Specimen whose compiled function calls one beside it and one in a file that no other variant knows."""

from {source} import njit

from kernels.variants._specimen_helper import twice
from kernels.variants.vectorized import forward, gradient


@njit(cache=True)
def _plus(value):
    return value + 0.5


@njit(cache=True)
def _run(value):
    return _plus(twice(value))


def loss(network, theta, X, Y):
    return _run(1.0)
'''
OURS, NUMBA = "kernels.variants._numba", "numba"
COMPILES = {"jit", "njit", "vectorize", "guvectorize", "cfunc", "*"}
"""What of Numba lets a file compile, and cache, without our stamp; the star stands for the whole package."""


def _compiled() -> list[str]:
    modules = {name: import_module(f"kernels.variants.{name}") for name in kernels.variants()}
    return [name for name, module in modules.items() if any(isinstance(v, Dispatcher) for v in vars(module).values())]


COMPILED = _compiled()
DTYPES = {name: ("float32", "float64")[number % 2] for number, name in enumerate(COMPILED)}
"""One for each, in turns, which halves what is compiled; CI, which tries every variant, has both."""
IN_TURNS = [pytest.param(name, marks=pytest.mark.slow if number else ()) for number, name in enumerate(COMPILED)]
"""Each takes seconds to compile: the first stands for all, and CI tries every one."""


def run(folder: Path, variant: str, *tasks: str, dtype: str = "float64", **settings: str) -> Any:
    """Run a variant of the copy in a fresh process, with the cache that lies in the copy."""
    variables = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **settings}
    variables |= {name: value for name, value in os.environ.items() if name not in (*variables, "NUMBA_CACHE_DIR")}
    command = [sys.executable, "-W", "error", "-c", RUN, variant, dtype, *tasks]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is no longer in {path.name} once: correct the test"
    path.write_text(text.replace(old, new), encoding="utf-8")


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*.nb?") if path.is_file()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Copy of the kernels, and the first run of a variant in it, which compiles what no other test has compiled yet."""
    folder = copy_sources(tmp_path_factory.mktemp("filled"))
    first = cache(lambda name: run(folder, name, *TASKS, dtype=DTYPES[name]))
    return folder, first


def test_there_are_compiled_variants() -> None:
    assert COMPILED


@pytest.mark.parametrize("name", IN_TURNS)
def test_a_second_process_finds_everything_in_the_cache(name: str, filled: Any) -> None:
    folder, first = filled
    before = first(name)
    there = files(folder)
    after = run(folder, name, *TASKS, dtype=DTYPES[name])
    assert before["hits"] + before["misses"] > 0
    assert there
    assert (after["hits"] > 0, after["misses"]) == (True, 0)
    assert files(folder) == there
    tolerance = 1e3 * np.finfo(DTYPES[name]).eps  # one process may round otherwise than another: BLAS, alignment
    for task, values in before["values"].items():
        np.testing.assert_allclose(after["values"][task], values, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", IN_TURNS)
def test_every_cached_function_bears_our_stamp(name: str, filled: Any) -> None:
    stamps = filled[1](name)["stamps"]
    assert stamps
    strange = sorted(function for function, stamp in stamps.items() if len(stamp) != 64)
    assert not strange, f"write 'from {OURS} import njit' in the file of {strange}, so that no stale code is loaded"


def _imports(path: Path) -> set[tuple[str, str]]:
    """Package and name of everything that a file imports; the name of a package itself is a star."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    whole = {(alias.name, "*") for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {
        (str(node.module), alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return {(module.partition(".")[0], name) for module, name in whole | parts}


def test_one_file_alone_takes_from_numba_itself_what_compiles() -> None:
    """So that every variant caches with our stamp, though not every one is compiled in each run of the tests."""
    compiling = {(NUMBA, name) for name in COMPILES}
    sources = (ROOT / "kernels").rglob("*.py")
    found = [path.relative_to(ROOT).as_posix() for path in sources if compiling & _imports(path)]
    assert found == ["kernels/variants/_numba/__init__.py"], (
        f"write 'from {OURS} import njit' there, so that no stale code is loaded"
    )


def _specimen(folder: Path, source: str) -> Path:
    """Add the specimen to a copy of the kernels, with ``njit`` from one source; return its helper."""
    copytree(ROOT / "kernels", folder / "kernels", ignore=ignore_patterns("__pycache__"))
    place = folder / "kernels" / "variants"
    (place / "_specimen_helper.py").write_text(HELPER.format(source=source), encoding="utf-8")
    (place / "specimen.py").write_text(SPECIMEN.format(source=source), encoding="utf-8")
    return place / "_specimen_helper.py"


def test_numba_alone_loads_stale_code_when_a_helper_in_another_file_has_changed(tmp_path: Path) -> None:
    helper = _specimen(tmp_path, NUMBA)
    assert run(tmp_path, "specimen", "loss")["values"]["loss"] == [2.5]
    replace(helper, "FACTOR = 2", "FACTOR = 3")
    assert run(tmp_path, "specimen", "loss")["values"]["loss"] == [2.5]


def test_with_our_njit_a_change_costs_the_cache_of_those_that_it_reaches_and_changes_the_result(tmp_path: Path) -> None:
    helper, found = _specimen(tmp_path, OURS), []

    def note() -> None:
        answer = run(tmp_path, "specimen", "loss")
        found.append((answer["values"]["loss"], answer["misses"]))

    note()
    replace(helper, "FACTOR = 2", "FACTOR = 3")
    note()
    (helper.parent / "_new.py").write_text('"""Imported by none."""\n', encoding="utf-8")
    note()
    replace(helper.with_name("specimen.py"), "value + 0.5", "value + 0.25")
    note()
    imported = helper.with_name("vectorized.py")
    imported.write_text(imported.read_text(encoding="utf-8") + "\n# imported by the specimen\n", encoding="utf-8")
    note()
    assert found == [([2.5], 3), ([3.5], 3), ([3.5], 0), ([3.25], 2), ([3.25], 2)]


def test_code_that_was_compiled_under_another_setting_is_not_loaded(tmp_path: Path) -> None:
    """Numba's key has the processor and not the level of optimisation: under its own stamp nothing is missing."""
    missing = {}
    for source, folder in ((NUMBA, tmp_path / "numba"), (OURS, tmp_path / "ours")):
        _specimen(folder, source)
        under = ({"NUMBA_OPT": "1"}, {}, {}, {"NUMBA_BOUNDSCHECK": "1"})
        missing[source] = [run(folder, "specimen", "loss", **settings)["misses"] for settings in under]
    assert missing == {NUMBA: [3, 0, 0, 0], OURS: [3, 3, 0, 3]}
