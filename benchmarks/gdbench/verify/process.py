"""The process that certifies variants on one network, and tells each certificate as it is granted or refused."""

from __future__ import annotations

import sys

from gdbench.experiments.tasks import load_problem
from gdbench.processes.answers import Tell, serve
from gdbench.verify.certificates import RANDOM_ROWS, Job, row_of
from gdbench.verify.gate import first_call_seconds
from gdbench.verify.stages import certify


class Worker:
    """Answers for the process that it lives in."""

    def certify(self, job: Job, *, tell: Tell) -> None:
        """Tell a ``CertificateRow`` for each variant of a job."""
        network, data = job.network, None
        if job.dataset != RANDOM_ROWS:
            problem = load_problem(network, job.dataset, job.dtype, job.spec.learning_rate)
            data = problem.X, problem.Y
        for variant in job.variants:
            seconds = first_call_seconds(variant, network, job.dtype)
            proof = certify(variant, network, job.dtype, data=data)
            tell(row_of(job, proof, seconds))


if __name__ == "__main__":
    serve(int(sys.argv[1]), Worker())
