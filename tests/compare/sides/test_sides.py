"""What is compared is found, copied out of reach of edits, and certified in its own process by today's verification."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gdbench.compare.measure.pair import Pair
from gdbench.compare.measure.preparation import variant_of
from gdbench.compare.sides import builds
from gdbench.compare.sides.builds import Build, build_both
from gdbench.compare.sides.sides import read_side, read_sides
from gdbench.processes.live import AnswerError, ProcessLost
from gdbench.verify.stages import certify
from kernels import InputError, Network

from ...helpers import ROOT, add_variant, copy_sources

GRADIENT = "def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:\n"
RIGHT = GRADIENT.replace("gradient", "_gradient", 1)
WRONG = {
    "changes_input": "    X *= 1.0 if X.any() else 1.0\n    X[0, 0] += 1\n    return _gradient(network, theta, X, Y)",
    "same_memory": "    KEPT[: len(theta)] = _gradient(network, theta, X, Y)\n    return KEPT[: len(theta)]",
    "half": "    return 0.5 * _gradient(network, theta, X, Y)",
    "prints": "    __import__('os').write(1, b'loud'); return _gradient(network, theta, X, Y)",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of this project with two commits, the second of which has more variants."""
    place = copy_sources(tmp_path_factory.mktemp("repository"))
    for name in ("pyproject.toml", ".gitignore"):
        (place / name).write_bytes((ROOT / name).read_bytes())
    _git(place, "init", "-q", "-b", "main")
    _commit(place, "first")
    for name, text in WRONG.items():
        kept = "import numpy as np\n\nKEPT = np.zeros(10_000)\n" if name == "same_memory" else ""
        add_variant(place, name, (GRADIENT, f"{GRADIENT}{text}\n\n\n{RIGHT}"), end=f"\n\n{kept}" if kept else "")
    _commit(place, "second")
    return place


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(repository.parent / "cache"))
    monkeypatch.chdir(repository)


def _git(place: Path, *arguments: str) -> str:
    name = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *name, *arguments], cwd=place, check=True, capture_output=True, text=True).stdout


def _commit(place: Path, message: str) -> None:
    _git(place, "add", "-A", "kernels", "pyproject.toml", "benchmarks/grid.toml")
    _git(place, "commit", "-q", "-m", message)


def test_a_side_is_a_variant_before_a_revision_before_a_folder(repository: Path) -> None:
    _git(repository, "branch", "-f", "jit", "HEAD~1")
    assert read_side("jit").kind == "variant"
    assert read_side("refs/heads/jit").commit == _git(repository, "rev-parse", "HEAD~1").strip()
    assert read_side("HEAD").kind == "revision"
    assert (read_side(".").kind, read_side(str(repository)).kind) == ("checkout", "checkout")


def test_a_changed_checkout_is_dirty_and_another_build(repository: Path) -> None:
    clean, _ = build_both(*read_sides(".", "HEAD"))
    assert not clean.side.dirty
    path = repository / "kernels" / "variants" / "vectorized.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# more\n", encoding="utf-8")
    try:
        changed, _ = build_both(*read_sides(".", "HEAD"))
    finally:
        path.write_text(text, encoding="utf-8")
    assert changed.side.dirty
    assert changed.root != clean.root
    assert "# more" in (changed.root / "kernels" / "variants" / "vectorized.py").read_text(encoding="utf-8")


def test_the_same_commit_twice_is_built_twice_with_paths_of_equal_length() -> None:
    base, head = build_both(*read_sides("HEAD", "HEAD"))
    assert base.root != head.root
    assert len(str(base.root)) == len(str(head.root))
    assert base.numba_cache != head.numba_cache


def test_a_build_is_made_once_and_holds_what_the_commit_holds(repository: Path) -> None:
    first, second = build_both(*read_sides("HEAD~1", "HEAD"))
    assert not (first.root / "kernels" / "variants" / "half.py").exists()
    assert (second.root / "kernels" / "variants" / "half.py").exists()
    marker = first.root / "numba" / "marker"
    marker.touch()
    again, _ = build_both(*read_sides("HEAD~1", "HEAD"))
    assert (again.root, marker.exists()) == (first.root, True)
    assert not list(first.root.parent.glob(".build-*"))


def test_two_variants_share_one_build() -> None:
    base, head = build_both(*read_sides("jit", "vectorized"))
    assert base.root == head.root


def test_old_builds_are_forgotten_but_never_those_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "KEPT_BUILDS", 0)
    monkeypatch.setattr(builds, "IN_USE_SECONDS", -1.0)
    kept = build_both(*read_sides("HEAD~1", "HEAD"))
    assert set(builds.builds_folder().glob("*/*-*")) == {build.root for build in kept}


def test_what_killed_processes_left_of_builds_is_deleted_and_never_taken_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = build_both(*read_sides("HEAD~1", "HEAD"))
    left = first.root.with_name(f"{builds.UNFINISHED}{first.root.name}")
    (left / "kernels").mkdir(parents=True)
    again, _ = build_both(*read_sides("HEAD~1", "HEAD"))
    assert (again.root, left.exists()) == (first.root, True)  # it may be in the making
    monkeypatch.setattr(builds, "IN_USE_SECONDS", -1.0)
    build_both(*read_sides("HEAD~1", "HEAD"))
    assert not left.exists()
    assert first.root.exists()


def test_comparisons_at_once_lose_no_certificate_of_a_build(tmp_path: Path) -> None:
    text = """
import sys
from pathlib import Path
from gdbench.compare.measure import proofs
from gdbench.compare.sides.builds import Build
from gdbench.compare.sides.sides import Side
build = Build(Side("HEAD", "revision", Path()), Path())
sys.stdin.readline()
for number in range(8):
    proofs._grant(build, f"{sys.argv[1]} {number}")
"""
    started = [
        subprocess.Popen([sys.executable, "-c", text, name], stdin=subprocess.PIPE, text=True, cwd=tmp_path)
        for name in "abc"
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        process.communicate()
    granted = json.loads((tmp_path / "certificates.json").read_text(encoding="utf-8"))["granted"]
    assert sorted(granted) == sorted(f"{name} {number}" for name in "abc" for number in range(8))


def test_a_revision_without_kernels_is_refused(repository: Path) -> None:
    _git(repository, "checkout", "-q", "--orphan", "empty")
    _git(repository, "rm", "-rq", "--cached", ".")
    _git(repository, "commit", "-q", "--allow-empty", "-m", "nothing")
    _git(repository, "checkout", "-qf", "main")
    with pytest.raises(InputError, match="revision empty has no kernels/"):
        read_side("empty")


@pytest.fixture(scope="module")
def pair(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(repository.parent / "cache"))
        patch.chdir(repository)
        found: tuple[Build, Build] = build_both(*read_sides("HEAD~1", "HEAD"))
        with Pair(found, threads=1, variables=({}, {})) as pair:
            yield pair


def test_each_side_runs_its_own_kernels_on_the_same_packages(pair: Pair) -> None:
    base, head = pair.ask_both("hello", (), ())
    assert "half" not in base.variants
    assert "half" in head.variants
    assert base.kernels != head.kernels
    assert "numpy" in base.packages
    assert replace(base, kernels="", variants=()) == replace(head, kernels="", variants=())


@pytest.mark.parametrize(
    ("network", "dtype"), [(Network.mlp(5, (4, 3), 2), "float32"), (Network.softmax(4, 3), "float64")], ids=str
)
def test_what_is_right_passes_full_verification_across_processes(pair: Pair, network: Network, dtype: str) -> None:
    for side in pair.sides:
        proof = certify(variant_of(side, "vectorized"), network, dtype)
        assert proof.certified, proof


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("changes_input", "changed one of its inputs"),
        ("same_memory", "returned memory of an input, or of the answer before"),
        ("half", "gradient on random rows"),
    ],
)
def test_what_is_wrong_is_caught_across_processes(pair: Pair, name: str, where: str) -> None:
    proof = certify(variant_of(pair.head, name), Network.softmax(4, 3), "float64")
    assert not proof.certified
    assert where in proof.where


def test_a_revision_that_git_will_not_look_up_says_why(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(InputError, match=r"add safe\.directory .*repository"):
        read_side("HEAD")
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    monkeypatch.chdir(tmp_path)
    _git(tmp_path, "init", "-q")
    with pytest.raises(InputError, match=r"and the repository .* has no commit yet: commit first, or name folders"):
        read_side("HEAD")


def test_what_a_kernel_prints_does_not_disturb_the_answers(pair: Pair) -> None:
    assert certify(variant_of(pair.head, "prints"), Network.softmax(4, 3), "float64").certified


def test_an_error_of_a_side_is_told_and_its_process_lives_on(pair: Pair) -> None:
    with pytest.raises(AnswerError, match="KeyError"):
        pair.base.ask("sample", "nothing", 1, 0)
    assert pair.base.ask("hello").variants


def test_a_side_that_dies_is_told_and_nothing_of_a_pair_is_left(repository: Path) -> None:
    with Pair(build_both(*read_sides("HEAD~1", "HEAD")), threads=1, variables=({}, {})) as mine:
        mine.base.ask("hello")
        mine.base.process.kill()
        with pytest.raises(ProcessLost, match=r"the process of HEAD~1 ended with code -9"):
            mine.base.ask("hello")
        assert mine.head.ask("hello").variants
    assert all(side.process.poll() is not None for side in mine.sides)
