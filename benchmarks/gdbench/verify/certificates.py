"""Certificates of many variants at once, each made in a process of its own kind, so that none can stop the rest."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.tasks import load_problem
from gdbench.experiments.variants import supports
from gdbench.processes.children import Children
from gdbench.processes.launch import allowed_cores, patience
from gdbench.verify.gate import first_call_seconds
from gdbench.verify.stages import certify
from kernels import Network
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES

ANSWER_SECONDS = 300
"""A process that takes longer than this to certify has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
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
    """Of the network's layers, where no data set says how many inputs and outputs it has."""


def jobs_of(cases: Iterable[Case], networks: dict[str, NetworkSpec]) -> list[Job]:
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


def certify_all(jobs: list[Job], report: Callable[[dict[str, Any]], None] | None = None) -> list[dict[str, Any]]:
    """Certify in processes, as many at a time as there are cores; rows come in the order of the jobs.

    Each row has the fields of a ``Certificate``, with ``network`` and ``dataset`` as the grid names them
    and ``sizes`` for what was built; ``report`` is called with each job's rows as they arrive.
    """
    children, rows = Children(), []
    pool = ThreadPoolExecutor(max_workers=max(1, len(allowed_cores())))
    try:
        for found in pool.map(lambda job: list(_answers(job, children)), jobs):
            for row in found:
                rows.append(row)
                if report is not None:
                    report(row)
    finally:  # after Ctrl-C the threads would wait for processes that nobody wants any more
        try:
            children.end()
        finally:
            pool.shutdown(cancel_futures=True)
    return rows


def all_certified(rows: list[dict[str, Any]]) -> bool:
    """Whether there are certificates and none is refused."""
    return bool(rows) and all(row["certified"] for row in rows)


def refusal(row: dict[str, Any]) -> str:
    """Say where a variant failed its certificate, and by how much if that is a number."""
    if not math.isfinite(row["max_error"]):
        return str(row["where"])
    return f"{row['where']}, error {row['max_error']:.1e}, tolerance {row['tolerance']:.1e}"


def for_json(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace infinite errors, which JSON has no word for, by null."""
    return [{**row, "max_error": row["max_error"] if math.isfinite(row["max_error"]) else None} for row in rows]


def _answers(job: Job, children: Children) -> Iterator[dict[str, Any]]:
    """Ask a process for the certificates; if it dies, that is the fault of the variant that it was at."""
    left = job.variants
    while left:
        lines, death = _ask(replace(job, variants=left), children)
        for line in lines:
            row = json.loads(line)
            yield {**row, "max_error": math.inf if row["max_error"] is None else row["max_error"]}
        left = left[len(lines) :]
        if left and death is not None:
            yield _row(
                job, left[0], max_error=math.inf, tolerance=0.0, certified=False, where=death, first_call_seconds=0.0
            )
            left = left[1:]


def _ask(job: Job, children: Children) -> tuple[list[str], str | None]:
    limit = patience(ANSWER_SECONDS) * len(job.variants)
    process = children.start(
        "gdbench.verify.certificates",
        json.dumps(asdict(job)),
        threads=job.threads,
        cores=allowed_cores(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = process.communicate(timeout=limit)
        last = errors.strip().splitlines()[-1] if errors.strip() else "no message"
        death = f"its process ended with code {process.returncode} ({last})" if process.returncode else None
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        death = f"its process gave no answer within {limit:g} s"
    finally:
        process.kill()
    lines = [line for line in output.splitlines() if line.startswith('{"variant": ')]
    return lines, death if death or len(lines) == len(job.variants) else "its process ended without an answer"


def _row(job: Job, variant: str, **proof: Any) -> dict[str, Any]:
    network = _network(job)
    identity = {"network": job.spec.name, "dataset": job.dataset, "sizes": str(network), "dtype": job.dtype}
    return {"variant": variant, **identity, **proof}


def _network(job: Job) -> Network:
    if job.dataset != RANDOM_ROWS:
        return job.spec.build(job.dataset)
    return Network(job.sizes, job.spec.activation, job.spec.output, job.spec.loss)


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


def _work(text: str) -> None:
    """Run in the process: print one certificate a line."""
    table = json.loads(text)
    spec = NetworkSpec(**{**table["spec"], "hidden": tuple(table["spec"]["hidden"])})
    job = Job(spec, table["dataset"], table["dtype"], tuple(table["variants"]), sizes=tuple(table["sizes"]))
    network, data = _network(job), None
    if job.dataset != RANDOM_ROWS:
        problem = load_problem(network, job.dataset, job.dtype, spec.learning_rate)
        data = problem.X, problem.Y
    for variant in job.variants:
        seconds = first_call_seconds(variant, network, job.dtype)
        proof = asdict(certify(variant, network, job.dtype, data=data))
        kept = {key: proof[key] for key in ("max_error", "tolerance", "certified", "where")}
        row = _row(job, variant, **kept, first_call_seconds=seconds)
        sys.stdout.write(json.dumps(for_json([row])[0]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _work(sys.argv[1])
