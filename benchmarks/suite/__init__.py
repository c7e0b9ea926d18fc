"""What asv measures over commits: today's cases, tasks and data on the kernels of each commit.

Only ``benchmarks/`` goes on the path, so that ``gdbench`` is today's. The repository root never does: every
old commit would be measured with today's kernels.
"""

import os
import sys
from pathlib import Path

import scipy.linalg.cython_blas  # noqa: F401 - the BLAS that Numba calls: loaded here, so that the limit reaches it
from asv_runner.benchmarks.time import TimeBenchmark
from threadpoolctl import threadpool_limits

# In an existing environment asv does not set the variables of asv.conf.json, and has loaded NumPy before this.
os.environ["NUMBA_NUM_THREADS"] = "1"
threadpool_limits(limits=1)

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import kernels  # noqa: E402

if "ASV_COMMIT" in os.environ:
    measured, environment = Path(kernels.__file__).resolve(), Path(os.environ["ASV_ENV_DIR"]).resolve()
    if not measured.is_relative_to(environment):
        raise ImportError(
            f"asv asked for commit {os.environ['ASV_COMMIT'][:8]}, but kernels comes from {measured.parent}: "
            "unset PYTHONPATH and ASV_PYTHONPATH, delete .asv/env and run asv again"
        )

# Since 0.3.0, asv_runner repeats a benchmark's setup before each single call and calibrates nothing: one call of a
# few microseconds would be a sample. Kernels are pure (a stage of verification), so many calls may share one setup.
TimeBenchmark._setup_isolates_timed_calls = False
