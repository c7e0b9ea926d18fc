"""Imports go downwards: no cycle between modules or folders, those inside functions included; folders stay small."""

import ast
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from ..helpers import ROOT

ROOTS = {
    "kernels": ROOT / "kernels",
    "gdbench": ROOT / "benchmarks" / "gdbench",
    "selftest": ROOT / "benchmarks" / "selftest",
    "tests": ROOT / "tests",
}
MAX_MODULES = 20
FRONTS = {"__init__", "__main__", "results"}
"""Modules at the top of gdbench: its front, its command, and the one table of everything that was measured."""
DOWNWARDS = (
    ("api",),
    ("cli",),
    ("pick", "history", "report", "train"),
    ("compare", "run"),
    ("views", "cold_start"),
    ("verify",),
    ("machine",),
    ("processes", "experiments"),
    ("peers", "basics"),
)
"""Packages of gdbench: each imports of those below it alone; its top is above all of them but cli and api."""


def _modules() -> dict[str, Path]:
    found = {}
    for name, folder in ROOTS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = (name, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def _imported(module: str) -> set[str]:
    """Modules of ours that a module imports anywhere, also inside functions and for types alone."""
    path, found = MODULES[module], set[str]()
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            inner = [f"{source}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else source for name in inner}
    return found & set(MODULES)


GRAPH = {name: _imported(name) - {name} for name in MODULES}


def _folder(module: str) -> str:
    """Folder of a module: that of a package is its own."""
    return module if MODULES[module].stem == "__init__" else module.rpartition(".")[0]


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_modules_import_each_other_in_no_circle() -> None:
    assert sum(map(len, GRAPH.values())) > len(GRAPH)  # it sees imports at all
    assert not _cycle(GRAPH)


def test_folders_import_each_other_in_no_circle() -> None:
    folders: dict[str, set[str]] = {}
    command = "selftest.run"  # lies beside the folders that it brings together
    for module, imported in GRAPH.items():
        if module != command:
            folders.setdefault(_folder(module), set()).update(map(_folder, imported))
    fronts = {"gdbench"}  # asked for the version by everyone, and imports nothing
    assert not GRAPH["gdbench"]
    assert not _cycle({folder: others - {folder} - fronts for folder, others in folders.items()})


@pytest.mark.parametrize("package", [name for level in DOWNWARDS for name in level])
def test_a_package_imports_of_those_below_it_alone(package: str) -> None:
    level = next(i for i, names in enumerate(DOWNWARDS) if package in names)
    allowed = {package, *(name for names in DOWNWARDS[level + 1 :] for name in names)}
    for module, imported in GRAPH.items():
        if module.split(".")[:2] == ["gdbench", package]:
            packages = {name.split(".")[1] for name in imported if name.startswith("gdbench.")}
            assert packages <= allowed | ({"results"} if package == "cli" else set()), module


def test_every_package_of_the_instrument_has_its_level() -> None:
    packages = {path.name for path in ROOTS["gdbench"].iterdir() if (path / "__init__.py").exists()}
    assert packages == {name for level in DOWNWARDS for name in level}


def test_only_fronts_lie_at_the_top_of_the_instrument() -> None:
    assert {path.stem for path in ROOTS["gdbench"].glob("*.py")} == FRONTS


def test_no_folder_has_more_modules_than_a_stranger_can_read_through() -> None:
    sizes: dict[str, int] = {}
    for name, folder in ROOTS.items():
        for path in folder.rglob("*.py"):
            place = path.parent.relative_to(folder).as_posix()
            key = place if name == "gdbench" else f"{name}/{place}".removesuffix("/.")
            sizes[key] = sizes.get(key, 0) + (path.stem != "__init__")
    assert {name: size for name, size in sizes.items() if size > MAX_MODULES} == {}
