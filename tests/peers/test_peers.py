"""Peers keep the contract that the variants keep, are found unimported, and are never skipped in silence."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kernels
from gdbench.experiments import variants
from gdbench.experiments.cases import Case
from gdbench.experiments.datasets import load
from gdbench.experiments.grid import Filters, expand, networks, profile
from gdbench.run.measure import measure
from gdbench.train.training import Training, check
from gdbench.verify.stages import certify
from kernels import InputError, Network
from kernels.network import DTYPES

PEERS = (
    *("jax_scan", "jax_step", "scipy_sparse", "scipy_sparse_kept", "sklearn_partial_fit"),
    *("torch_autograd", "torch_compile", "torch_manual", "torch_script"),
)
LINEAR, LOGISTIC, CLASSES = (
    Network.linear(4),
    Network.logistic(4, 3),
    Network.mlp(5, 4, 3, hidden="tanh", output="softmax", loss="cross_entropy"),
)
SQUARED = Network.mlp(3, 2, 2, output="sigmoid", loss="squared_error")
COMPILING = ("jax_scan", "jax_step", "torch_compile")
HIDE = """
import sys
from importlib.machinery import PathFinder
class Visible(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {hidden!r} else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Visible if finder is PathFinder else finder for finder in sys.meta_path]
"""
COMPILED_HERE = {
    ("jax_scan", CLASSES, "float64"),
    ("jax_step", CLASSES, "float32"),  # in float64 on ``linear`` alone: where nothing is compiled inside the clock
    ("torch_compile", LINEAR, "float32"),
}
"""What is compiled in every run of the tests: many seconds each."""
CERTIFIED = [  # peers go last, since what they are compared with is kept for one network and dtype
    pytest.param(name, network, dtype, marks=[] if usual else pytest.mark.slow)
    for network in (LINEAR, LOGISTIC, SQUARED, CLASSES)
    for dtype in DTYPES
    for name in PEERS
    if (usual := name not in COMPILING or (name, network, dtype) in COMPILED_HERE) or network is CLASSES
]


def _python(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    places = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", text]
    return subprocess.run(
        command, env={**os.environ, **places, **environment}, capture_output=True, text=True, check=False
    )


def _list(hidden: tuple[str, ...] = (), end: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    start = HIDE.format(hidden=set(hidden)) if hidden else ""
    return _python(
        f"{start}\nfrom gdbench.cli.list import command\ncommand(['--json', '-'], standalone_mode=False)\n{end}",
        **environment,
    )


def test_every_peer_is_installed_here() -> None:
    missing = {name: reason for name, reason in variants.unavailable().items() if variants.is_peer(name)}
    assert not missing, f"the tests need every peer: {variants.REMEDY}"
    assert tuple(name for name in variants.names() if variants.is_peer(name)) == PEERS


def test_the_page_of_peers_says_what_each_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "method" / "peers.md").read_text(encoding="utf-8")
    for name in PEERS:
        assert f"| `{name}` | {variants.summary(name).replace('``', '`')} |" in page


@pytest.mark.parametrize(("name", "network", "dtype"), CERTIFIED, ids=str)
def test_every_peer_is_certified_on_every_network_that_it_supports(name: str, network: Network, dtype: str) -> None:
    supported = variants.supports(name, network, "epoch", 1)
    assert supported == ((name, network) != ("sklearn_partial_fit", SQUARED))
    proof = certify(name, network, dtype)
    assert proof.certified == supported, proof


@pytest.mark.parametrize("name", ["torch_manual", "torch_script", "scipy_sparse", "sklearn_partial_fit"])
def test_a_wrong_peer_is_refused(name: str) -> None:
    peer = variants.get(name)

    def epoch(network, theta, X, Y, order, batch_size, learning_rate):
        return peer.epoch(network, theta, X, Y, order, batch_size, 1.001 * learning_rate)

    proof = certify(replace(peer, epoch=epoch), CLASSES, "float64")
    assert not proof.certified
    assert proof.where.startswith("one update on ")


def test_one_that_can_do_nothing_is_refused_instead_of_passing_with_nothing_compared() -> None:
    idle = replace(variants.get("torch_manual"), supports=lambda network, task, batch_size: False)
    proof = certify(idle, CLASSES, "float64")
    assert not proof.certified


@pytest.mark.parametrize("name", ["sklearn_partial_fit", "torch_compile"])
def test_a_function_that_a_peer_lacks_says_so(name: str) -> None:
    peer = variants.get(name)
    assert "gradient" in peer.lacks
    assert variants.lacks(name) == peer.lacks
    with pytest.raises(InputError, match=f"^variant '{name}' has no gradient: choose another variant for it$"):
        peer.gradient(LINEAR, np.zeros(5), np.zeros((1, 4)), np.zeros((1, 1)))
    with pytest.raises(InputError, match=f"^variant '{name}' has no (forward|loss), which a fit needs: "):
        check(Training(Network.linear(10), load("diabetes", "float64"), name, 0.1, 1), 8)


def test_what_is_read_from_the_sources_is_what_the_modules_say() -> None:
    for name in PEERS:
        peer = variants.get(name)
        assert variants.summary(name) == peer.summary
        assert variants.lacks(name) == peer.lacks
        assert peer.owns_epoch


def test_names_are_ours_first_and_an_unknown_one_is_refused_with_all_of_them() -> None:
    assert variants.names() == (*kernels.variants(), *PEERS)
    assert not any(variants.is_peer(name) for name in kernels.variants())
    assert variants.get("jit") is kernels.get("jit")
    with pytest.raises(InputError, match=r"^there is no variant 'fastest': choose one of reference, .*torch_script$"):
        variants.get("fastest")


def test_listing_imports_none_of_the_libraries() -> None:
    done = _list(end="import sys; sys.stderr.write(repr({'torch', 'jax', 'sklearn'} & set(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "set()"
    assert [row["name"] for row in json.loads(done.stdout)["peers"]] == list(PEERS)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_a_library_that_is_missing_makes_its_peers_unavailable_with_the_remedy(library: str) -> None:
    first = min(name for name in PEERS if name.startswith(library))
    done = _list((library,), end=f"from gdbench.experiments import variants\nvariants.get({first!r})")
    answer = json.loads(done.stdout)
    reasons = {row["name"]: row["reason"] for row in answer["unavailable"]}
    gone = {name for name in PEERS if name.startswith(library)}
    assert gone
    assert reasons == dict.fromkeys(gone, f"it needs {library}, which is not installed: pip install 'gdbench[peers]'")
    assert {row["name"] for row in answer["peers"]} == {*PEERS} - gone
    assert f"variant '{first}' is unavailable: {reasons[first]}" in done.stderr


def test_without_a_compiler_torch_compile_is_unavailable() -> None:
    (row,) = json.loads(_list(CXX="no-such-compiler").stdout)["unavailable"]
    assert row["name"] == "torch_compile"
    assert row["reason"].startswith("it needs a C++ compiler, and there is no no-such-compiler: ")


def test_torch_keeps_the_threads_of_its_worker() -> None:
    text = """
import os, runpy, torch
from gdbench.peers import _torch
print(torch.get_num_threads())
os.environ["OMP_NUM_THREADS"] = "3"
runpy.run_path(_torch.__file__)
print(torch.get_num_threads())
"""
    assert _python(text, OMP_NUM_THREADS="1").stdout.split() == ["1", "3"]


def test_cases_have_the_peers_unless_the_profile_leaves_them_out() -> None:
    small = replace(profile("smoke"), experiments=(("softmax", "digits"),), tasks=("loss", "epoch"))
    without = {case.variant for case in expand(small)}
    assert without == {*kernels.variants()}
    with_peers = {
        (case.variant, case.task) for case in expand(replace(small, peers=True)) if variants.is_peer(case.variant)
    }
    lacking = {(name, "loss") for name in ("scipy_sparse", "scipy_sparse_kept", "sklearn_partial_fit", "torch_compile")}
    assert with_peers == {(name, task) for name in PEERS for task in ("loss", "epoch")} - lacking
    asked = expand(small, Filters(variant=("torch_manual",)))
    assert {case.variant for case in asked} == {"torch_manual"}
    with pytest.raises(InputError, match=r"^sklearn_partial_fit can do none of these tasks on these networks: "):
        expand(small, Filters(variant=("sklearn_partial_fit",), task=("gradient",)))


def test_rows_that_were_converted_are_kept_as_long_as_their_array() -> None:
    kept = variants.get("scipy_sparse_kept")
    from gdbench.peers import scipy_sparse_kept  # noqa: PLC0415 - who measures it imports it

    def epoch(X):
        return kept.epoch(LINEAR, np.ones(5), X, np.ones((3, 1)), np.arange(3), 2, 0.1)

    X, before = np.ones((3, 4)), len(scipy_sparse_kept._kept)
    first = epoch(X)
    np.testing.assert_array_equal(epoch(X), first)
    assert len(scipy_sparse_kept._kept) == before + 1
    del X
    assert len(scipy_sparse_kept._kept) == before
    for value in (2.0, 3.0):  # memory that is used again is another array
        expected = variants.get("scipy_sparse").epoch(
            LINEAR, np.ones(5), np.full((3, 4), value), np.ones((3, 1)), np.arange(3), 2, 0.1
        )
        np.testing.assert_array_equal(epoch(np.full((3, 4), value)), expected)


class _Clock:
    """What pytest-benchmark hands to a case: here it counts what JAX compiles while a sample is taken."""

    def __init__(self) -> None:
        self.extra_info: dict[str, float] = {}
        self.compiled: list[int] = []

    def pedantic(self, call, *, rounds: int, iterations: int) -> None:
        from gdbench.peers import jax_scan, jax_step  # noqa: PLC0415 - JAX is imported by those who measure it

        functions = jax_scan._epoch, jax_step._step
        before = [function._cache_size() for function in functions]
        assert max(before) > 0
        for _ in range(rounds):
            call()
        self.compiled.append(sum(function._cache_size() for function in functions) - sum(before))


@pytest.mark.parametrize("name", ["jax_scan", "jax_step"])
def test_nothing_is_compiled_inside_the_clock(name: str) -> None:
    clock = _Clock()
    for batch_size in (1, 100, 442):
        case = Case("linear", "diabetes", 442, "epoch", name, batch_size, "float64")
        measure(clock, case, networks()["linear"], 0.002)
    assert clock.compiled == [0, 0, 0]


@pytest.mark.parametrize("name", PEERS)
def test_a_batch_size_beyond_the_rows_is_refused(name: str) -> None:
    arguments = LINEAR, np.zeros(5), np.zeros((3, 4)), np.zeros((3, 1)), np.arange(3)
    for batch_size in (0, 4):
        with pytest.raises(InputError, match=r"^the batch size must be a whole number from 1 to 3"):
            variants.get(name).epoch(*arguments, batch_size, 0.1)
