"""What a fit is computed with: for each batch size the first certified one of the variants that suit, and its proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_info, threadpool_limits

from gdbench.train import record
from gdbench.train.training import Training, choice, warm_up
from gdbench.verify.gate import preferred
from gdbench.verify.stages import DATA_ROWS, Certificate, certify
from kernels import Choice
from kernels.auto import AUTO
from kernels.errors import choices


class Refused(Exception):
    """No variant that may compute agrees with the reference; the message is a sentence for the user."""


@dataclass(frozen=True)
class TrialFit:
    """Certificate of a variant, and what its first call took."""

    certificate: Certificate
    compile_seconds: float
    blas_threads: int | None


@dataclass(frozen=True)
class Taken:
    """One regime and what it is fitted with: ``training`` has the name of the variant that computes."""

    training: Training
    batch_size: int
    choice: Choice
    refused: tuple[str, ...]
    """Preferred to the one taken, but not certified."""
    proof: TrialFit


def take(training: Training, batch_sizes: Sequence[int]) -> list[Taken]:
    """Certify in order of preference for each batch size.

    Raises
    ------
    Refused
        If none is certified for one of them: nothing is timed that is wrong.
    """
    known: dict[str, TrialFit] = {}
    return [_take(training, size, known) for size in batch_sizes]


def _take(training: Training, batch_size: int, known: dict[str, TrialFit]) -> Taken:
    preferences, refused = choice(training, batch_size), list[str]()
    while (name := preferred(preferences, refused)) is not None:
        candidate = replace(training, variant=name)
        if name not in known:
            known[name] = _prove(candidate)
        if known[name].certificate.certified:
            return Taken(candidate, batch_size, preferences, tuple(refused), known[name])
        refused.append(name)
    where = known[preferences.names[0]].certificate.where
    if training.variant == AUTO:
        raise Refused(
            f"none of {choices(preferences.names)} agrees with the reference on {training.network} "
            f"({preferences.names[0]}: {where}), so nothing is timed: see gdbench check"
        )
    raise Refused(
        f"variant {training.variant!r} disagrees with the reference on {training.network} ({where}), "
        "so it is not timed: choose another --variant, or see gdbench check"
    )


def _prove(training: Training) -> TrialFit:
    data = training.dataset
    rows = data.X[:DATA_ROWS], data.Y[:DATA_ROWS]
    compile_seconds = warm_up(training)
    with threadpool_limits(1, user_api="blas"):  # after the warm-up, which loads the libraries to be limited
        certificate = certify(training.variant, training.network, data.X.dtype, data=rows)
        return TrialFit(certificate, compile_seconds, _blas_threads())


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


def remarks(taken: Sequence[Taken]) -> list[str]:
    """Return the certificates, and what stands outside the seconds."""
    lines = []
    for name, proof in _by_name(taken).items():
        who = f"{name} " if len(_by_name(taken)) > 1 else ""
        certificate = proof.certificate
        lines += [
            f"{who}certified: worst error {certificate.max_error:.1e}, tolerance {certificate.tolerance:.1e}",
            f"first call, mostly compilation: {proof.compile_seconds:.2f} s",
        ]
    threads = taken[0].proof.blas_threads or "unknown"
    return [*lines, f"BLAS threads: {threads}, kept at 1 so that seconds can be compared"]


def proof_of(asked: str, taken: Sequence[Taken]) -> record.Proof:
    """Return the proof as the answer has it, for the variant that was asked for."""
    proofs = _by_name(taken).values()
    worst = max(proofs, key=lambda proof: proof.certificate.strain)
    return record.Proof(
        max_error=worst.certificate.max_error,
        tolerance=worst.certificate.tolerance,
        compile_seconds=sum(proof.compile_seconds for proof in proofs),
        blas_threads=worst.blas_threads,
        auto=tuple(map(_auto_choice, taken)) if asked == AUTO else (),
    )


def _auto_choice(entry: Taken) -> record.AutoChoice:
    chosen = entry.choice
    return record.AutoChoice(entry.batch_size, entry.training.variant, chosen.reason, chosen.names, entry.refused)


def _by_name(taken: Iterable[Taken]) -> dict[str, TrialFit]:
    return {entry.training.variant: entry.proof for entry in taken}
