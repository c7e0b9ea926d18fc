"""What asv measures over commits: today's cases, tasks and data on the kernels of each commit.

Only ``benchmarks/`` goes on the path, so that ``gdbench`` is today's. The repository root never does: every
old commit would be measured with today's kernels.
"""

import json
import os
import sys
from pathlib import Path

from asv_runner.benchmarks.time import TimeBenchmark

ROOT = Path(__file__).parents[2]

# asv sets these itself except in an existing environment; NumPy reads them when it is imported, below.
for variable, values in json.loads((ROOT / "asv.conf.json").read_text())["matrix"]["env_nobuild"].items():
    os.environ[variable] = values[0]

sys.path.insert(0, str(ROOT / "benchmarks"))

import kernels  # noqa: E402

if "ASV_COMMIT" in os.environ and not Path(kernels.__file__).is_relative_to(os.environ["ASV_ENV_DIR"]):
    raise ImportError(
        f"asv asked for commit {os.environ['ASV_COMMIT'][:8]}, but kernels comes from {kernels.__path__[0]}: "
        "take the repository off PYTHONPATH and remove .asv/env"
    )

# Since 0.3.0, asv_runner repeats a benchmark's setup before each single call and calibrates nothing: one call of a
# few microseconds would be a sample. Kernels are pure (a rung of the ladder), so many calls may share one setup.
TimeBenchmark._setup_isolates_timed_calls = False
