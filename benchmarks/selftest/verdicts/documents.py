"""Part ``documentation``: commits that touch documentation and comments only, each against its parent."""

from __future__ import annotations

import ast
from pathlib import Path

from selftest import ROOT
from selftest.context import Context, compare
from selftest.verdicts.repository import Repository, clone

PART = "documentation"
OPTIONS = (
    "--network",
    "logistic,softmax",
    "--variant",
    "vectorized,buffered,jit",
    "--task",
    "gradient",
    "--batch-size",
    "1,32",
)
DOCUMENTS = (".md",)
VARIANTS = ("vectorized", "buffered", "jit")


def measure(context: Context, commits: int, options: tuple[str, ...] = OPTIONS) -> None:
    """Compare a number of commits with their parents: half of the history's own, as far as there are, the rest made."""
    repository = clone(ROOT, context.scratch / "documentation")
    real = real_commits(repository)[: commits // 2]
    for number, commit in enumerate([*real, *made_commits(repository, commits - len(real))]):
        subject = repository.git("log", "-1", "--format=%s", commit)
        key = f"{context.tier} {'history' if commit in real else 'made'} {number}"
        if context.journal.has(PART, key):
            continue
        context.say(f"documentation: {number + 1} of {commits}, {subject}")
        sides = (f"{commit}~1", commit)
        name = f"{context.tier}-documentation-{number}"
        found = compare(context, *sides, repository=repository.folder, name=name, options=options)
        context.journal.write(PART, key, subject=subject, **found)


def real_commits(repository: Repository) -> list[str]:
    """Commits of the clone's history that touch documents or reports alone, newest first."""
    found = []
    for commit in repository.git("rev-list", "--no-merges", "origin/HEAD").splitlines():
        paths = repository.git("show", "--format=", "--name-only", commit).splitlines()
        if paths and all(path.endswith(DOCUMENTS) or path.startswith("reports/") for path in paths):
            found.append(commit)
    return found


def made_commits(repository: Repository, count: int) -> list[str]:
    """Commit changes of comments and docstrings in the kernels, one after another."""
    repository.reset("origin/HEAD")
    found = []
    for number in range(count):
        path = Path("kernels", "variants", f"{VARIANTS[number % len(VARIANTS)]}.py")
        text = (repository.folder / path).read_text(encoding="utf-8")
        changed = document(text, number)
        if code_of(changed) != code_of(text):
            raise AssertionError(f"the change of {path} is not documentation alone")
        found.append(repository.commit(f"Documentation {number}", {path: changed}, day=number))
    return found


def document(source: str, number: int) -> str:
    """Add a sentence to a module's docstring and a comment above each of its functions."""
    first, quotes, rest = source.removeprefix('"""').partition('"""')
    commented = rest.replace("\ndef ", f"\n# Note {number}: the shapes are those of kernels/README.md.\ndef ")
    return f'"""{first}\nNote {number} says the same in other words.\n{quotes}{commented}'


def code_of(source: str) -> str:
    """Return what a source does: its syntax tree without positions, comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
