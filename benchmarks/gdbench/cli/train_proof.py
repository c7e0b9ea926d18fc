"""Which variant ``gdbench train`` fits with, the first certified one of those that suit, and the proof of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from gdbench.basics.exit_codes import KERNEL_WRONG
from gdbench.cli.console import fail, stderr
from gdbench.train.training import Training, choice, warm_up
from gdbench.verify.stages import DATA_ROWS, Certificate, certify
from kernels import Choice
from kernels.auto import AUTO
from kernels.errors import choices


@dataclass(frozen=True)
class Proof:
    """Certificate of a variant, and what its first call took."""

    certificate: Certificate
    compile_seconds: float
    blas_threads: int | None

    @property
    def strain(self) -> float:
        """Worst error in units of its tolerance."""
        return self.certificate.max_error / self.certificate.tolerance if self.certificate.tolerance else 0.0


@dataclass(frozen=True)
class Taken:
    """One regime and what it is fitted with: ``training`` has the name of the variant that computes."""

    training: Training
    batch_size: int
    choice: Choice
    refused: tuple[str, ...]
    """Preferred to the one taken, but not certified."""
    proof: Proof


def take(training: Training, batch_sizes: Sequence[int]) -> list[Taken]:
    """Certify in order of preference for each batch size, or exit: nothing is timed that is wrong."""
    known: dict[str, Proof] = {}
    return [_take(training, size, known) for size in batch_sizes]


def _take(training: Training, batch_size: int, known: dict[str, Proof]) -> Taken:
    preferred = choice(training, batch_size)
    for position, name in enumerate(preferred.names):
        candidate = replace(training, variant=name)
        if name not in known:
            known[name] = _prove(candidate)
        if known[name].certificate.certified:
            return Taken(candidate, batch_size, preferred, preferred.names[:position], known[name])
    where = known[preferred.names[0]].certificate.where
    if training.variant == AUTO:
        fail(
            f"none of {choices(preferred.names)} agrees with the reference on {training.network} "
            f"({preferred.names[0]}: {where}), so nothing is timed: see gdbench check",
            KERNEL_WRONG,
        )
    fail(
        f"variant {training.variant!r} disagrees with the reference on {training.network} ({where}), "
        "so it is not timed: choose another --variant, or see gdbench check",
        KERNEL_WRONG,
    )


def _prove(training: Training) -> Proof:
    data = training.dataset
    rows = data.X[:DATA_ROWS], data.Y[:DATA_ROWS]
    compile_seconds = warm_up(training)
    # The limit comes after the warm-up, which loads the libraries to be limited; the status is for terminals only.
    with threadpool_limits(1, user_api="blas"), stderr.status("Certifying"):
        certificate = certify(training.variant, training.network, data.X.dtype, data=rows)
        return Proof(certificate, compile_seconds, _blas_threads())


def _blas_threads() -> int | None:
    """Threads that BLAS uses now; None where threadpoolctl does not know the library."""
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=None)


def sentences(asked: str, taken: Iterable[Taken]) -> list[str]:
    """Return which variant auto takes for each batch size and why; nothing where the user named one."""
    if asked != AUTO:
        return []
    return [
        f"auto takes {entry.training.variant} at B = {entry.batch_size:,}: {entry.choice.reason}"
        + (f"; not certified here: {choices(entry.refused)}" if entry.refused else "")
        for entry in taken
    ]


def say(taken: Sequence[Taken]) -> None:
    """Print the certificates, and what stands outside the seconds."""
    for name, proof in _by_name(taken).items():
        who = f"{name} " if len(_by_name(taken)) > 1 else ""
        certificate = proof.certificate
        lines = (
            f"{who}certified: worst error {certificate.max_error:.1e}, tolerance {certificate.tolerance:.1e}",
            f"first call, mostly compilation: {proof.compile_seconds:.2f} s",
        )
        stderr.print(*lines, sep="\n", style="dim", highlight=False)
    threads = taken[0].proof.blas_threads or "unknown"
    stderr.print(f"BLAS threads: {threads}, kept at 1 so that seconds can be compared", style="dim", highlight=False)


def answer(asked: str, taken: Sequence[Taken]) -> dict[str, Any]:
    """Return the proof in the form of JSON: of several variants that nearest its tolerance, and all their first calls.

    ``auto`` has an entry for each batch size, and is empty where the user named a variant.
    """
    proofs = _by_name(taken).values()
    worst = max(proofs, key=lambda proof: proof.strain)
    return {
        "certified": True,
        "max_error": worst.certificate.max_error,
        "tolerance": worst.certificate.tolerance,
        "compile_seconds": sum(proof.compile_seconds for proof in proofs),
        "blas_threads": worst.blas_threads,
        "auto": [_choice(entry) for entry in taken] if asked == AUTO else [],
    }


def _choice(entry: Taken) -> dict[str, Any]:
    return {
        "batch_size": entry.batch_size,
        "variant": entry.training.variant,
        "reason": entry.choice.reason,
        "preferences": list(entry.choice.names),
        "not_certified": list(entry.refused),
    }


def _by_name(taken: Iterable[Taken]) -> dict[str, Proof]:
    return {entry.training.variant: entry.proof for entry in taken}
