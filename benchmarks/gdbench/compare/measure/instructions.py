"""Instructions per call of a case, counted by valgrind: the same number however busy the machine is.

Cachegrind runs without its model of caches. Valgrind shows programs a processor without AVX-512; so that nothing else
is left to chance, BLAS and Numba are told which processor to compute for, the same on both sides. What is counted may
therefore be other code than what was timed (``NOTE``). Time decides verdicts; this only helps to read them.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which

from gdbench.basics import records
from gdbench.compare.measure.instructions_process import COUNTS, JOB, RESULT
from gdbench.compare.sides.builds import Build
from gdbench.compare.sides.family import Family, StoredProblem, problem_key, rows_of
from gdbench.compare.sides.sides import CountJob
from gdbench.experiments.cases import Case
from gdbench.processes.launch import PATIENCE_VARIABLE, cores_for, patience, start
from gdbench.processes.live import with_last_words

TOOL = ("valgrind", "-q", "--sigill-diagnostics=yes", "--tool=cachegrind", "--cache-sim=no")
COUNT_SECONDS = 300
"""A count that takes longer is given up, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
PROCESSOR = {"OPENBLAS_CORETYPE": "Sandybridge", "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
"""On x86; elsewhere valgrind's processor is the real one.

A Haswell is the best that valgrind can run. But each element of a fused multiply-add is a function call to it, so that
a large product takes minutes: BLAS is told of a processor without it. Our compiled kernels ask for it by name.
"""
NOTE = "counted under valgrind, which has no AVX-512: other code may run there than was timed"
UNKNOWN = "unhandled instruction"
"""What valgrind writes before it ends a program with an instruction that it does not know."""

Problems = dict[str, StoredProblem]


@dataclass(frozen=True)
class Count:
    """Instructions per call, or None and why they could not be counted."""

    per_call: float | None
    reason: str = ""


@cache
def why_not() -> str:
    """Return why nothing can be counted here, or nothing if it can."""
    if which(TOOL[0]) is None:
        return "valgrind is not installed (apt install valgrind)"
    command = [*TOOL, "--cachegrind-out-file=/dev/null", sys.executable, "-I", "-S", "-c", ""]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return with_last_words("valgrind does not work here", tried.stderr) if tried.returncode else ""


def count(build: Build, family: Family, problems: Problems, case: Case, side: int) -> Count:
    """Count the instructions of a call of a case on one side (0 the base, 1 the head), in a fresh process."""
    with _counting(build, family, problems, case, side) as wait:
        return wait()


def count_both(builds: tuple[Build, Build], family: Family, problems: Problems, case: Case) -> tuple[Count, Count]:
    """Count on both sides at once."""
    with (
        _counting(builds[0], family, problems, case, 0) as base,
        _counting(builds[1], family, problems, case, 1) as head,
    ):
        return base(), head()


@contextmanager
def _counting(build: Build, family: Family, problems: Problems, case: Case, side: int) -> Iterator[Callable[[], Count]]:
    """Start counting; what is yielded waits for the end of it. All processes are ended behind it."""
    refusal = why_not()
    if case.threads > 1:
        refusal = "they are counted with one thread only, since threads that wait may spin"
    if refusal:
        yield lambda: Count(None, refusal)
        return
    with tempfile.TemporaryDirectory(prefix="gdbench-") as place:
        key, variant = problem_key(case), family.variant(case, side)
        call = case.id, variant, key, case.task, case.batch_size, rows_of(case)
        records.write(Path(place, JOB), CountJob((key, *problems[key].told), call))
        process = _start(build, place, side)
        try:
            yield lambda: _wait(process, Path(place))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its forks too
            process.wait()


def _start(build: Build, place: str, side: int) -> subprocess.Popen[str]:
    variables = {
        "PYTHONPATH": build.search_path,
        "PYTHONHASHSEED": "0",
        "NUMBA_CACHE_DIR": str(build.root / "numba-counted"),
        **(PROCESSOR if platform.machine().lower() in ("x86_64", "amd64") else {}),
    }
    output = str(Path(place, COUNTS)).replace("%", "%%")
    with Path(place, "errors").open("w", encoding="utf-8") as errors:
        return start(
            "gdbench.compare.measure.instructions_process",
            *(place, *TOOL, f"--cachegrind-out-file={output}.%p"),
            threads=1,
            cores=cores_for(1, side),
            variables=variables,
            executable=build.executable,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def _wait(process: subprocess.Popen[str], place: Path) -> Count:
    limit = patience(COUNT_SECONDS)
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        return Count(None, f"counting took longer than {limit:g} s ({PATIENCE_VARIABLE} sets the limit)")
    said = (place / "errors").read_text(encoding="utf-8", errors="replace")
    if UNKNOWN in said:
        return Count(None, "the call has an instruction that valgrind does not know")
    if code:
        return Count(None, with_last_words(f"the process that counts ended with code {code}", said))
    return Count(float((place / RESULT).read_text(encoding="utf-8")))
