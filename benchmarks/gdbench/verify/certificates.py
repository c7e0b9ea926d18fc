"""Certificates of many variants at once, each made in a process of its own kind, so that none can stop the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.variants import supports
from gdbench.processes.children import Children
from gdbench.processes.launch import allowed_cores
from gdbench.processes.live import AnswerError, LiveProcess, ProcessLost
from gdbench.verify.stages import Certificate, refusal, strain
from kernels import Network
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES

ANSWER_SECONDS = 300
"""A process that takes longer for one certificate has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
WAKE_SECONDS = 1.0
"""A signal that the system has given to another thread is heard when this one wakes."""
RANDOM_ROWS = "random rows"

SHAPES = ((4, 3), (5, 4, 3), (5, 4, 3, 2), (6, 5, 4, 3, 2))
"""Networks of 0 to 3 hidden layers on which every variant is certified, whatever the grid holds."""


@dataclass(frozen=True)
class Job:
    """Certify some variants on one network, on rows of a data set or on random rows, in one dtype."""

    spec: NetworkSpec
    dataset: str
    dtype: str
    variants: tuple[str, ...]
    threads: int = 1
    sizes: tuple[int, ...] = ()
    """Sizes of the network's layers, where no data set says how many inputs and outputs it has."""

    @property
    def network(self) -> Network:
        """What is computed."""
        if self.dataset != RANDOM_ROWS:
            return self.spec.build(self.dataset)
        return Network(self.sizes, self.spec.activation, self.spec.output, self.spec.loss)


@dataclass(frozen=True)
class CertificateRow:
    """A certificate as it is stored: what a ``Certificate`` says, with the names of the grid."""

    variant: str
    network: str
    dataset: str
    sizes: str
    """Network that was built, with the sizes of its layers."""
    dtype: str
    max_error: float | None
    """None where the variant failed in another way, which ``where`` says."""
    tolerance: float | None
    """None where the bounds of rounding went beyond the largest number."""
    certified: bool
    where: str
    first_call_seconds: float

    @property
    def refusal(self) -> str:
        """Where the variant failed, and by how much."""
        return refusal(self.where, self.max_error, self.tolerance)

    @property
    def strain(self) -> float:
        """Worst error in units of its tolerance; infinite where one of them is None."""
        return strain(self.max_error, self.tolerance)


def jobs_of(cases: Iterable[Case], networks: Mapping[str, NetworkSpec]) -> list[Job]:
    """Return the jobs that cover every case, on as many threads as any of them uses."""
    cases = list(cases)
    threads = max(case.threads for case in cases)
    wanted: dict[tuple[str, str, str], dict[str, None]] = {}
    for case in cases:
        wanted.setdefault((case.network, case.dataset, case.dtype), {})[case.variant] = None
    return [
        Job(networks[name], data, dtype, tuple(variants), threads) for (name, data, dtype), variants in wanted.items()
    ]


def contract_jobs(variants: tuple[str, ...], dtypes: tuple[str, ...] = DTYPES) -> list[Job]:
    """Return jobs for small networks of 0 to 3 hidden layers that use every activation and every loss."""
    jobs = []
    for network in contract_networks():
        able = able_on(network, variants)
        jobs += [Job(_spec(network), RANDOM_ROWS, dtype, able, sizes=network.sizes) for dtype in dtypes if able]
    return jobs


def able_on(network: Network, variants: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the variants that can make an epoch on a network at all."""
    return tuple(name for name in variants if supports(name, network, "epoch", 1))


def contract_networks() -> list[Network]:
    """Return every pair of output and loss on every depth; hidden activations take turns."""
    return [
        Network(shape, HIDDEN[(depth + turn) % len(HIDDEN)], output, loss)
        for depth, shape in enumerate(SHAPES)
        for turn, (output, loss) in enumerate(OUTPUT_LOSSES)
    ]


def certify_all(jobs: list[Job], report: Callable[[CertificateRow], None] | None = None) -> list[CertificateRow]:
    """Certify in processes, as many at a time as there are cores; rows come in the order of the jobs.

    Parameters
    ----------
    jobs : list of Job
        What is to be certified; each is a process, and one more for each variant that ends it.
    report : callable, optional
        Hears each row as it is granted or refused, in the thread that called this.
    """
    children, heard = Children(), SimpleQueue[CertificateRow | Future[list[CertificateRow]]]()
    pool = ThreadPoolExecutor(max_workers=max(1, len(allowed_cores())))
    try:
        futures = [pool.submit(_certify, job, children, heard.put) for job in jobs]
        for future in futures:
            future.add_done_callback(heard.put)
        _listen(heard, len(jobs), report or (lambda row: None))
        return [row for future in futures for row in future.result()]
    finally:  # after Ctrl-C the threads would wait for processes that nobody wants any more
        try:
            children.end()
        finally:
            pool.shutdown(cancel_futures=True)


def all_certified(rows: Sequence[CertificateRow]) -> bool:
    """Whether there are certificates and none is refused."""
    return bool(rows) and all(row.certified for row in rows)


def _listen(
    heard: SimpleQueue[CertificateRow | Future[list[CertificateRow]]],
    jobs: int,
    report: Callable[[CertificateRow], None],
) -> None:
    """Pass rows on until so many jobs have ended; raise what one of them raised."""
    while jobs:
        try:
            found = heard.get(timeout=WAKE_SECONDS)
        except Empty:
            continue
        if isinstance(found, CertificateRow):
            report(found)
        else:
            found.result()
            jobs -= 1


def _certify(job: Job, children: Children, hear: Callable[[CertificateRow], None]) -> list[CertificateRow]:
    """Ask processes for the certificates; if one dies, that is the fault of the variant that it was at."""
    rows: list[CertificateRow] = []

    def keep(row: CertificateRow) -> None:
        rows.append(row)
        hear(row)

    while left := job.variants[len(rows) :]:
        with children.start(lambda: _process(job)) as process:
            try:
                process.ask("certify", replace(job, variants=left), hear=keep)
            except (ProcessLost, AnswerError) as error:
                how = error.how if isinstance(error, ProcessLost) else f"raised {error}"
                for variant in job.variants[len(rows) :][:1]:
                    keep(row_of(job, _refused(job, variant, f"its process {how}"), first_call_seconds=0.0))
    return rows


def _refused(job: Job, variant: str, where: str) -> Certificate:
    return Certificate(variant, str(job.network), job.dtype, math.inf, 0.0, certified=False, where=where)


def _process(job: Job) -> LiveProcess:
    return LiveProcess(
        "gdbench.verify.process",
        name=f"certificates on {job.spec.name}",
        threads=job.threads,
        cores=allowed_cores(),
        usual_seconds=ANSWER_SECONDS,
    )


def row_of(job: Job, proof: Certificate, first_call_seconds: float) -> CertificateRow:
    """Return the row of a certificate that a job has brought."""
    return CertificateRow(
        variant=proof.variant,
        network=job.spec.name,
        dataset=job.dataset,
        sizes=proof.network,
        dtype=proof.dtype,
        max_error=proof.max_error if math.isfinite(proof.max_error) else None,
        tolerance=proof.tolerance if math.isfinite(proof.tolerance) else None,
        certified=proof.certified,
        where=proof.where,
        first_call_seconds=first_call_seconds,
    )


def _spec(network: Network) -> NetworkSpec:
    return NetworkSpec(
        name=str(network),
        preset="mlp",
        learning_rate=0.1,
        hidden=network.sizes[1:-1],
        activation=network.hidden,
        output=network.output,
        loss=network.loss,
    )
