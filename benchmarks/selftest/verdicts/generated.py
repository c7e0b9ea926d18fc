"""A history to find changes in: sixty commits, six of them slower, decoys beside them, and one bump of a dependency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selftest.verdicts.documents import document
from selftest.verdicts.edits import Edit, apply_all
from selftest.verdicts.mutants import COUNTER
from selftest.verdicts.repository import Repository

COMMITS = 60
BUMP = 30
"""Commit that is the first to be measured with today's NumPy; those before it have an older one."""


@dataclass(frozen=True)
class Step:
    """A planted slowdown: from this commit on, a variant's gradient takes so much longer than before it."""

    at: int
    variant: str
    size: float


STEPS = (
    Step(7, "vectorized", 0.10),
    Step(15, "buffered", 0.25),
    Step(22, "vectorized", 0.05),
    Step(38, "buffered", 0.05),
    Step(46, "vectorized", 0.25),
    Step(53, "buffered", 0.10),
)
DECOYS = {8: "vectorized", 14: "buffered", 39: "buffered", 45: "vectorized"}
"""Commits beside a step that change the documentation of the same file alone."""


def extra_work(variant: str, commit: int) -> float:
    """Share of a variant's gradients that is made once more at a commit: the product of all steps until then."""
    level = 1.0
    for step in STEPS:
        if step.variant == variant and step.at <= commit:
            level *= 1 + step.size
    return level - 1


def slowed(source: str, extra: float) -> str:
    """Return the source of a variant whose gradient is made once more in a share of its calls, spread evenly."""
    if extra == 0:
        return source
    head = '    """Gradient of ``loss`` by theta, (p,)."""\n'
    again = (
        f"    call = next(_CALLS)\n    for _ in range(int(call * {extra:.6f}) - int((call - 1) * {extra:.6f})):\n"
        "        _once(network, theta, X, Y)\n    return _once(network, theta, X, Y)\n\n\n"
        "def _once(network: Network, theta: Array, X: Array, Y: Array) -> Array:\n"
    )
    return apply_all(
        (COUNTER, Edit("def forward(", "_CALLS = count(1)\n\n\ndef forward("), Edit(head, head + again)), source
    )


def generate(repository: Repository) -> list[str]:
    """Commit the history on top of what is checked out; return its commits, oldest first."""
    originals = {
        name: (repository.folder / _path(name)).read_text(encoding="utf-8") for name in {step.variant for step in STEPS}
    }
    notes: list[str] = []
    found = []
    for at in range(COMMITS):
        if at in DECOYS:
            originals[DECOYS[at]] = document(originals[DECOYS[at]], at)
        notes.append(f"- Entry {at}.\n")
        files = {_path(name): slowed(text, extra_work(name, at)) for name, text in originals.items()}
        found.append(repository.commit(_subject(at), {**files, Path("NOTES.md"): "".join(notes)}, day=at + 1))
    return found


def _subject(at: int) -> str:
    """Tell nothing of what is to be found."""
    return f"Change {at}"


def _path(variant: str) -> Path:
    return Path("kernels", "variants", f"{variant}.py")
