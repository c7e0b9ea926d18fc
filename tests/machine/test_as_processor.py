"""Commands as on an older processor, in the real process: what Numba compiles, and what is recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gdbench.experiments import variants

from ..helpers import ROOT

SCRIPT = str(ROOT / "benchmarks" / "as_processor.py")
LOOK = """
import json, os
import numba, numpy
from gdbench.machine.settings import settings

@numba.njit("float32(float32[::1])", fastmath=True)
def total(values):
    found = numba.float32(0)
    for value in values:
        found += value
    return found

code = "".join(total.inspect_asm().values())
print(json.dumps({"wide": "ymm" in code, "settings": settings(), "environment": dict(os.environ)}))
"""
SET_BY_THE_SCRIPT = (
    "NUMBA_CPU_",
    "OPENBLAS_CORETYPE",
    "ATEN_CPU",
    "ONEDNN_MAX",
    "MKL_ENABLE",
    "MKL_CBWR",
    "XLA_FLAGS",
    "NPY_DISABLE",
)


def _run(*arguments: str) -> Any:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def _look(level: str) -> Any:
    done = _run(level, sys.executable, "-c", LOOK)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _has_avx2() -> bool:
    from numba.core import codegen  # noqa: PLC0415 - it takes a second

    return "+avx2" in codegen.get_host_cpu_features()


@pytest.mark.skipif(not _has_avx2(), reason="only on a processor with AVX2 does holding code below it show")
@pytest.mark.parametrize(("level", "wide"), [("sse4", False), ("avx2", True)])
def test_compiled_code_uses_the_vectors_of_the_level_and_no_wider_ones(level: str, wide: bool) -> None:
    assert _look(level)["wide"] is wide


PRODUCT = """
import jax, jax.numpy as jnp
a = jnp.ones((512, 512), jnp.float32)
print(jax.jit(lambda a, b: a @ b).lower(a, a).compile().as_text())
"""


def test_matrix_products_of_xla_are_left_to_no_library_that_takes_what_the_processor_has() -> None:
    pytest.importorskip("jax")
    done = _run("avx2", sys.executable, "-c", PRODUCT)
    assert done.returncode == 0, done.stderr
    assert "ROOT %dot" in done.stdout
    assert "ynn" not in done.stdout


EPOCH = """
import numpy as np
from gdbench.peers import torch_compile
from kernels import Network

network, rng = Network.linear(7), np.random.default_rng(0)
X, Y, theta = rng.normal(size=(16, 7)), rng.normal(size=(16, 1)), rng.normal(size=8)
left = theta - 0.1 * np.vstack([X.T, np.ones((1, 16))]) @ (X @ theta[:7, None] + theta[7] - Y)[:, 0] / 16
print(abs(torch_compile.epoch(network, theta, X, Y, np.arange(16), 16, 0.1) - left).max())
"""


@pytest.mark.slow
def test_graphs_that_pytorch_keeps_on_disk_are_not_taken_for_those_of_another_level(tmp_path: Path) -> None:
    """On a processor with AVX-512, whose vectors are wider than those of the level; with AVX2 both are of one width."""
    if reason := variants.unavailable().get("torch_compile"):
        pytest.skip(reason)
    places = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "PYTHONPATH": places}
    alone = [sys.executable, "-c", EPOCH]
    for command in (alone, [sys.executable, SCRIPT, "sse4", *alone]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        assert float(done.stdout) < 1e-12


def test_every_variable_that_it_sets_is_recorded_and_makes_results_unlike_others() -> None:
    found = _look("sse4")
    held = {name for name in found["environment"] if name.startswith(SET_BY_THE_SCRIPT)}
    assert len(held) >= 9
    assert held <= set(found["settings"])


@pytest.mark.parametrize("arguments", [(), ("avx2",), ("avx1024", "true")])
def test_what_it_does_not_know_is_refused_with_its_usage(arguments: tuple[str, ...]) -> None:
    done = _run(*arguments)
    assert done.returncode != 0
    assert done.stderr == "usage: python benchmarks/as_processor.py avx2|sse4 COMMAND ...\n"
