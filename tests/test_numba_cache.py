"""Numba's on-disk cache works for every variant that compiles, and no change in a source leaves old code in use.

Everything happens in fresh processes on copies of ``kernels``. Numba's own stamp is the file of a function alone, so
that code compiled from a helper in another file outlives a change there; one test shows just that.
"""

import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

import kernels

from .helpers import ROOT

RUN = """
import json, sys, numpy as np, kernels
from importlib import import_module
from numba.core.dispatcher import Dispatcher
from kernels.contract import PARAMETERS
name, tasks = sys.argv[1], sys.argv[2:]
module, network = import_module(f"kernels.variants.{name}"), kernels.Network((3, 4, 2), "tanh")
rng, values = np.random.default_rng(0), {}
for dtype in ("float32", "float64"):
    theta, X, Y = network.init(rng, dtype), *(rng.random((6, k)).astype(dtype) for k in (3, 2))
    X[X < 0.8] = 0  # so that sparse is not tiled
    given = dict(theta=theta, X=X, Y=Y, order=np.arange(6), batch_size=4, learning_rate=0.5, network=network)
    for task in tasks:
        answer = getattr(module, task)(*(given[word] for word in PARAMETERS[task]))
        values[f"{task} {dtype}"] = np.asarray(answer, float).ravel().tolist()
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
SPECIMEN = '''"""Specimen whose compiled function calls one in another file, which no other variant knows."""

from {source} import njit

from kernels.variants._specimen_helper import twice
from kernels.variants.vectorized import forward, gradient


@njit(cache=True)
def _run(value):
    return twice(value)


def loss(network, theta, X, Y):
    return _run(1.0)
'''
OURS, NUMBA = "kernels.variants._numba", "numba"


def _compiled() -> list[str]:
    modules = {name: import_module(f"kernels.variants.{name}") for name in kernels.variants()}
    return [name for name, module in modules.items() if any(isinstance(v, Dispatcher) for v in vars(module).values())]


COMPILED = _compiled()


def copy_kernels(folder: Path) -> Path:
    copytree(ROOT / "kernels", folder / "kernels", ignore=ignore_patterns("__pycache__"))
    return folder


def run(folder: Path, variant: str, *tasks: str) -> Any:
    """Run a variant of the copy in a fresh process, with the cache that lies beside the copy."""
    variables = {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", RUN, variant, *tasks]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is no longer in {path.name} once: correct the test"
    path.write_text(text.replace(old, new), encoding="utf-8")


def files(folder: Path) -> set[Path]:
    return {path for path in (folder / "cache").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Copy of the kernels, and the first run of a variant in it, which fills the cache."""
    folder = copy_kernels(tmp_path_factory.mktemp("filled"))
    first = cache(lambda name: run(folder, name, *TASKS))
    return folder, first


def test_there_are_compiled_variants() -> None:
    assert COMPILED


@pytest.mark.parametrize("name", COMPILED)
def test_a_second_process_finds_everything_in_the_cache(name: str, filled: Any) -> None:
    folder, first = filled
    before = first(name)
    there = files(folder)
    after = run(folder, name, *TASKS)
    assert before["misses"] > 0  # and hits, where another variant has compiled what both use
    assert (after["hits"] > 0, after["misses"]) == (True, 0)
    assert files(folder) == there
    assert after["values"] == before["values"]


@pytest.mark.parametrize("name", COMPILED)
def test_every_cached_function_bears_our_stamp(name: str, filled: Any) -> None:
    stamps = filled[1](name)["stamps"]
    assert stamps
    strange = sorted(function for function, stamp in stamps.items() if len(stamp) != 64)
    assert not strange, f"write 'from {OURS} import njit' in the file of {strange}, so that no stale code is loaded"


def test_a_changed_operation_in_a_helper_of_the_same_file_changes_the_result(tmp_path: Path) -> None:
    folder = copy_kernels(tmp_path)
    before = run(folder, "jit", "loss")
    replace(folder / "kernels" / "variants" / "jit.py", "flat[i] = np.tanh(z)", "flat[i] = np.tanh(z) + one")
    after = run(folder, "jit", "loss")
    assert after["misses"] > 0
    assert after["values"] != before["values"]


def _specimen(folder: Path, source: str) -> Path:
    """Add the specimen to a copy of the kernels, with ``njit`` from one source; return its helper."""
    place = copy_kernels(folder) / "kernels" / "variants"
    (place / "_specimen_helper.py").write_text(HELPER.format(source=source), encoding="utf-8")
    (place / "specimen.py").write_text(SPECIMEN.format(source=source), encoding="utf-8")
    return place / "_specimen_helper.py"


@pytest.mark.parametrize(
    ("source", "expected"), [(NUMBA, 2.0), (OURS, 3.0)], ids=["numba_alone_is_stale", "our_njit_is_not"]
)
def test_a_changed_helper_in_another_file(source: str, expected: float, tmp_path: Path) -> None:
    helper = _specimen(tmp_path, source)
    assert run(tmp_path, "specimen", "loss")["values"]["loss float64"] == [2.0]
    replace(helper, "FACTOR = 2", "FACTOR = 3")
    assert run(tmp_path, "specimen", "loss")["values"]["loss float64"] == [expected]


def test_a_changed_helper_costs_the_cache_of_none_that_does_not_import_it(tmp_path: Path) -> None:
    helper = _specimen(tmp_path, OURS)
    before = run(tmp_path, "specimen", "loss")
    unrelated = tmp_path / "kernels" / "variants" / "vectorized.py"
    replace(helper, "FACTOR = 2", "FACTOR = 3")
    changed = run(tmp_path, "specimen", "loss")
    (tmp_path / "kernels" / "variants" / "_new.py").write_text('"""Imported by none."""\n', encoding="utf-8")
    again = run(tmp_path, "specimen", "loss")
    assert (before["misses"], changed["misses"], again["misses"]) == (2, 2, 0)
    unrelated.write_text(unrelated.read_text(encoding="utf-8") + "\n# imported by the specimen\n", encoding="utf-8")
    assert run(tmp_path, "specimen", "loss")["misses"] > 0
