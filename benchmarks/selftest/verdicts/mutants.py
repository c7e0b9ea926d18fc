"""Slowdowns to plant: edits of one variant's source that cost time and change no result beyond rounding.

None sleeps. ``shares`` repeat a known share of the gradients; ``NATURAL`` are what people write by mistake. How much
slower each really makes a case is measured apart (``truth``): a share of the calls is not that share of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selftest.verdicts.edits import Edit, apply_all

ALL_TASKS = ("forward", "loss", "gradient", "epoch")
GRADIENTS = ("gradient", "epoch")
EVERY = {2: 50, 5: 20, 10: 10, 25: 4}
"""Nominal slowdown in per cent, and the calls of which one is made twice."""


@dataclass(frozen=True)
class Mutant:
    """A planted slowdown of one variant; other tasks than ``slows`` run the very same code as before."""

    name: str
    variant: str
    slows: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def path(self) -> Path:
        """File that it changes, inside a tree."""
        return Path("kernels", "variants", f"{self.variant}.py")

    def source(self, tree: Path) -> str:
        """Return the changed source of the variant in a tree."""
        return apply_all(self.edits, (tree / self.path).read_text(encoding="utf-8"))


COUNTER = Edit("import numpy as np\n", "from itertools import count\n\nimport numpy as np\n")
AFTER_IMPORTS = "_CALLS = count(1)\n\n\ndef forward("
COUNTING = (COUNTER, Edit("def forward(", AFTER_IMPORTS))


def shares(per_cent: int) -> tuple[Mutant, ...]:
    """Return the mutants that make every so-manieth gradient twice, one for each variant that has one."""
    every = EVERY[per_cent]
    edits = {"vectorized": (), "buffered": (_buffered(every),), "jit": (_jit(every),)}
    return tuple(
        Mutant(f"every_{every}th_gradient_twice", variant, GRADIENTS, (*COUNTING, _gradient_twice(every), *found))
        for variant, found in edits.items()
    )


def _gradient_twice(every: int) -> Edit:
    """Let the function ``gradient`` of a variant count its calls and make some of them twice."""
    head = '    """Gradient of ``loss`` by theta, (p,)."""\n'
    twice = (
        f"    if next(_CALLS) % {every} == 0:\n        _once(network, theta, X, Y)\n"
        "    return _once(network, theta, X, Y)\n\n\n"
        "def _once(network: Network, theta: Array, X: Array, Y: Array) -> Array:\n"
    )
    return Edit(head, head + twice)


def _buffered(every: int) -> Edit:
    """In one call of the epoch, the same count goes over its updates."""
    update = "_gradient(network, layers, X_batch, Y_batch, buffers, slots)\n"
    return Edit(update, update + f"        if next(_CALLS) % {every} == 0:\n            {update}")


def _jit(every: int) -> Edit:
    """In one call of the epoch, where Python does not count: one update in ``every`` is made twice."""
    update = "        _gradient(sizes, codes, theta, (X_rows, Y_rows), buffers)\n"
    return Edit(update, update + f"        if (start // batch_size) % {every} == {every - 1}:\n    {update}")


def _natural(name: str, variant: str, slows: tuple[str, ...], *pairs: tuple[str, str]) -> Mutant:
    return Mutant(name, variant, slows, tuple(Edit(old, new) for old, new in pairs))


PRODUCT = "np.dot(activations[layer].T, delta).ravel()"
SUMS = "        Z = activations[-1] @ W + b\n"
BIAS = "        for i in range(len(A)):\n            for j in range(len(b)):\n                A[i, j] += b[j]\n"
TURNED_BIAS = "        for j in range(len(b)):\n            for i in range(len(A)):\n                A[i, j] += b[j]\n"
UPDATE = "        for i in range(len(theta)):\n            theta[i] -= learning_rate * buffers.gradient[i]\n"
STABLE = "    e = np.exp(-abs(z))\n    return (one if z >= zero else e) / (one + e)\n"
IN_FLOAT64 = (
    "    e = np.exp(-abs(np.float64(z)))\n    return (np.float64(1) if z >= zero else e) / (np.float64(1) + e)\n"
)

NATURAL = (
    _natural("copies_x", "vectorized", ALL_TASKS, ("activations = [X]", "activations = [X.copy()]")),
    _natural(
        "computes_in_float64",
        "vectorized",
        ALL_TASKS,
        (SUMS, "        Z = (activations[-1].astype(np.float64) @ W.astype(np.float64) + b).astype(theta.dtype)\n"),
    ),
    _natural(
        "einsum_for_product",
        "vectorized",
        GRADIENTS,
        (PRODUCT, 'np.einsum("ij,ik->jk", activations[layer], delta).ravel()'),
    ),
    _natural("fortran_order", "vectorized", GRADIENTS, (PRODUCT, f"np.asfortranarray({PRODUCT[:-8]}).ravel()")),
    _natural("sums_rows_in_python", "vectorized", GRADIENTS, ("delta.sum(axis=0)", "sum(delta)")),
    _natural("temporary_for_bias", "buffered", ALL_TASKS, ("        A += b\n", "        A[...] = A + b\n")),
    _natural(
        "update_in_python_loop",
        "buffered",
        ("epoch",),
        (
            "        theta -= step\n",
            "        for i in range(0, len(theta), 1000):\n            theta[i : i + 1000] -= step[i : i + 1000]\n",
        ),
    ),
    _natural(
        "gathers_through_a_copy",
        "buffered",
        ("epoch",),
        ('np.take(X, rows, axis=0, out=X_batch, mode="clip")', "X_batch[:] = X[rows].copy()"),
    ),
    _natural(
        "memory_for_every_update",
        "buffered",
        ("epoch",),
        ("X_batch, Y_batch, buffers, slots", "X_batch, Y_batch, [buffer.copy() for buffer in buffers], slots"),
    ),
    _natural(
        "copies_theta_in_update", "buffered", ("epoch",), ("        theta -= step\n", "        theta -= step.copy()\n")
    ),
    _natural(
        "bounds_checked",
        "jit",
        GRADIENTS,
        ("@njit(cache=True)\ndef _run_epoch", "@njit(cache=True, boundscheck=True)\ndef _run_epoch"),
    ),
    _natural("bias_down_the_columns", "jit", ALL_TASKS, (BIAS, TURNED_BIAS)),
    _natural(
        "contiguous_copy_for_blas",
        "jit",
        GRADIENTS,
        ("np.dot(previous.T, delta, dW)", "np.dot(np.ascontiguousarray(previous.T), delta, dW)"),
    ),
    _natural("sigmoid_in_float64", "jit", ALL_TASKS, (STABLE, IN_FLOAT64)),
    _natural(
        "update_through_a_temporary",
        "jit",
        ("epoch",),
        (UPDATE, "        step = learning_rate * buffers.gradient\n        theta[:] = theta - step\n"),
    ),
)
"""What people write by mistake; correct, and slower at some batch size and dtype."""


def mutants() -> tuple[Mutant, ...]:
    """Return all of them."""
    return (*(mutant for per_cent in EVERY for mutant in shares(per_cent)), *NATURAL)
