"""The house is in order: who imports whom, who prints, where randomness comes from, and that documents are complete."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gdbench.cli import COMMANDS
from gdbench.experiments.tasks import TASKS

ROOT = Path(__file__).parents[2]
KERNELS, INSTRUMENT = ROOT / "kernels", ROOT / "benchmarks" / "gdbench"
PEERS = {"jax", "sklearn", "torch"}
"""Libraries with which variants are compared: only the peers call torch and jax, and no variant calls any."""
ALLOWED_RANDOM = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "get_state"}
"""Names of ``numpy.random`` that are allowed; ``get_state`` serves to prove that the global state was left alone."""
ENTRY = "if __name__ == "


def _sources(*folders: Path) -> list[Path]:
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert found
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.AST) -> set[str]:
    """Top-level names of the packages that are imported anywhere in a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").split(".")[0])
    return found


def _without_entry_point(tree: ast.Module) -> ast.Module:
    """Drop what runs only when the module is a process of its own."""
    kept = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node).startswith(ENTRY))]
    return ast.Module(kept, tree.type_ignores)


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            yield ast.unparse(node.exc).split("(")[0]


@pytest.mark.parametrize("path", _sources(KERNELS), ids=lambda path: path.stem)
def test_kernels_import_numbers_only(path: Path) -> None:
    allowed = {"kernels", "numba", "numpy", "scipy", *sys.stdlib_module_names}
    helper = path.parent.parent.name == "variants" and path.parent.name.startswith("_")
    compiler = {"llvmlite"} if helper else set()  # Numba's own, for intrinsics; no variant needs it by itself
    assert _imports(_tree(path)) <= allowed | compiler
    assert not _imports(_tree(path)) & PEERS


@pytest.mark.parametrize("path", _sources(INSTRUMENT), ids=lambda path: path.stem)
def test_only_a_peer_calls_torch_or_jax_and_only_the_one_of_its_name(path: Path) -> None:
    word = path.stem.lstrip("_").partition("_")[0] if path.parent.name == "peers" else ""
    assert _imports(_tree(path)) & (PEERS - {"sklearn"}) <= {word}


@pytest.mark.parametrize("path", _sources(KERNELS), ids=lambda path: path.stem)
def test_kernels_have_no_clock_and_touch_no_files(path: Path) -> None:
    tree = _tree(path)
    reads_threads = path.stem == "parallel"  # how many threads the environment asks for, and nothing else
    system = set() if reads_threads else {"os"}
    assert not _imports(tree) & {
        "time",
        "timeit",
        "datetime",
        *system,
        "io",
        "pathlib",
        "tempfile",
        "logging",
        "random",
    }
    assert not reads_threads or "from os import environ" in path.read_text(encoding="utf-8")
    if "variants" not in path.parts:  # memory in huge pages, a buffer for each thread: only a variant's matter
        assert not _imports(tree) & {"mmap", "threading"}
    assert not {"open", "print", "input", "np.load", "np.save"} & set(_calls(tree))


@pytest.mark.parametrize("path", _sources(INSTRUMENT), ids=lambda path: path.stem)
def test_the_instrument_imports_no_adapters_and_no_tests(path: Path) -> None:
    assert not _imports(_tree(path)) & {"suite", "speed", "tests", "benchmarks", "conftest", "."}


@pytest.mark.parametrize("path", _sources(INSTRUMENT), ids=lambda path: path.stem)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if path.parent.name == "cli" or path == INSTRUMENT / "__main__.py":
        return
    calls = set(_calls(_without_entry_point(_tree(path))))
    assert not {"print", "exit", "quit", "sys.exit", "SystemExit", "rich.print", "click.echo"} & calls
    assert "click" not in _imports(_tree(path))


def test_one_module_of_the_instrument_calls_git() -> None:
    callers = [path for path in _sources(INSTRUMENT) if '["git"' in path.read_text(encoding="utf-8")]
    assert callers == [INSTRUMENT / "basics" / "git.py"]


@pytest.mark.parametrize("path", _sources(KERNELS, ROOT / "benchmarks", ROOT / "tests"), ids=lambda path: path.stem)
def test_no_global_random_state(path: Path) -> None:
    tree = _tree(path)
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"\b(?:np|numpy)\.random\.(\w+)", ast.unparse(tree)) if "random" in text else []
    assert set(used) <= ALLOWED_RANDOM
    assert "random" not in _imports(tree)


def test_every_module_says_what_it_is() -> None:
    unnamed = [
        path.relative_to(ROOT)
        for path in _sources(KERNELS, ROOT / "benchmarks", ROOT / "tests")
        if not ast.get_docstring(_tree(path))
    ]
    assert not unnamed


def test_no_docstring_begins_with_of() -> None:
    """It begins with what the thing is or does, so that it is understood without its neighbours."""
    begun = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _sources(KERNELS, ROOT / "benchmarks", ROOT / "tests")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and str(node.value.value).startswith("Of ")
    ]
    assert not begun


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_paragraph_in_the_documents(task: str) -> None:
    text = (ROOT / "docs" / "method" / "timing.md").read_text(encoding="utf-8")
    named = re.search(rf"^(#+ .*\b{task}\b.*\n+|[-*]? *\*\*{task}\*\*:? *)(?P<words>.+)", text, re.MULTILINE)
    assert named, f"docs/method/timing.md has no paragraph on the task {task}: say what one call is"
    assert len(named["words"].split()) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"\bgdbench {command}\b", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_ci_finds_the_one_command_of_the_readme_that_runs_the_tests() -> None:
    found = re.search(r"^test_command=\$\((grep .+)\)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)
    assert found
    every = found[1].replace(" -m 1 ", " ")  # it stops at the first line: a second one would go unnoticed
    done = subprocess.run(["bash", "-c", every], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert f"    {line}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md", ".pre-commit-config.yaml"])
def test_every_tool_of_the_environment_that_a_document_calls_comes_with_the_test_extra(document: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    there = {"pip", *project["scripts"], *(re.split(r"[^\w.-]", text)[0] for text in required)}
    called = set(re.findall(r"\.venv/bin/([\w-]+)", (ROOT / document).read_text(encoding="utf-8")))
    assert called
    assert called <= there


def test_the_version_is_the_newest_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    newest = re.search(r"^## (\S+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert newest
    assert newest[1] == version
