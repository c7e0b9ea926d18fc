"""A name means one thing: no two classes of the project share one, nor do two kinds of callback."""

import ast
from collections import defaultdict

from ..helpers import ROOT

SHARED = {
    "Worker": "what each process module serves",
    "Plan": "of a run, and of a compiled pass",
    "Table": "of a report, and of a user's file",
}
"""Classes that may share a name, with their meanings."""
FILES = [
    path for folder in (ROOT / "kernels", ROOT / "benchmarks" / "gdbench") for path in sorted(folder.rglob("*.py"))
]
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def test_no_two_classes_share_a_name() -> None:
    found = defaultdict(list)
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file)
    assert {name for name, files in found.items() if len(files) > 1} == set(SHARED)


def test_no_two_kinds_of_callback_share_a_name() -> None:
    found = defaultdict(set)
    for tree in TREES.values():
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                (target,) = node.targets if isinstance(node, ast.Assign) else (node.target,)
                value = ast.unparse(node.value)
                if isinstance(target, ast.Name) and value.startswith("Callable["):
                    found[target.id].add(value)
    assert found["ReportEvent"]  # it sees callbacks at all
    assert {name: values for name, values in found.items() if len(values) > 1} == {}
