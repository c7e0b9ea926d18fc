"""Part ``rivals``: how often asv and pytest-benchmark alarm where nothing changed, on this machine, in the same hours.

asv: ``asv continuous -f 1.05`` with its defaults (virtualenv environments, two interleaved rounds), on a commit that
changes one comment, and its parent. pytest-benchmark: neighbouring runs of the same code, each with the default
calibration, the later one with ``--benchmark-compare-fail=mean:5%``.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import psutil

from selftest.context import Context, instrument_environment
from selftest.verdicts.asv_tree import VARIANTS, asv, cut_suite, scratch_for_asv
from selftest.verdicts.repository import Repository

PART = "rivals"
ASV, PYTEST = "asv continuous -f 1.05", "pytest-benchmark mean:5%"
CASES = Path(__file__).with_name("rival_cases.py")
ASV_ROW = re.compile(r"^\|\s+(?P<sign>[-+])\s+\|.*\|\s+(?P<ratio>[\d.]+)\s+\|\s+(?P<case>\w[^|]*?)\s+\|$", re.M)
PYTEST_ROW = re.compile(r"^\t(?P<case>\S+) \(\S+\) - Field 'mean' has failed", re.M)


def measure(context: Context, pairs: int) -> None:
    """Make ``pairs`` comparisons by each tool."""
    repository = scratch_for_asv(context.scratch / "rivals")
    base = cut_suite(repository)
    path = Path("kernels", "variants", "vectorized.py")
    text = (repository.folder / path).read_text(encoding="utf-8")
    head = repository.commit("A comment", {path: text + "# Nothing else.\n"}, day=1)
    for pair in range(pairs):
        if not context.journal.has(PART, f"asv {pair}"):
            context.say(f"rivals: asv {pair + 1} of {pairs}")
            _continuous(context, repository, (base, head), pair)
        if not context.journal.has(PART, f"pytest-benchmark {pair}"):
            context.say(f"rivals: pytest-benchmark {pair + 1} of {pairs}")
            _neighbours(context, pair)


def _continuous(context: Context, repository: Repository, commits: tuple[str, str], pair: int) -> None:
    load = psutil.getloadavg()[0]
    names = "|".join(name for name in VARIANTS if name != "reference")
    bench = rf"time_task\('\w+', 'float64', '({names})'"
    printed = asv(repository, "continuous", "-f", "1.05", "--show-stderr", "--bench", bench, *commits)
    alarms = read_asv(printed)
    cases = _timed(repository, commits[1])
    if not cases:
        raise RuntimeError(f"asv timed nothing: {printed[-2000:]}")
    context.journal.write(PART, f"asv {pair}", tool=ASV, cases=cases, alarms=alarms, load_before=load)


def read_asv(printed: str) -> list[dict[str, object]]:
    """Return the rows that ``asv continuous`` prints as changed; its ratio is head to base."""
    return [
        {"case": row["case"], "ratio": float(row["ratio"]), "slower": row["sign"] == "+"}
        for row in ASV_ROW.finditer(printed)
    ]


def _timed(repository: Repository, commit: str) -> int:
    """Cases that have a time in asv's results of a commit."""
    (stored,) = (repository.folder / "reports" / "asv" / "results").glob(f"*/{commit[:8]}-*.json")
    results = json.loads(stored.read_text(encoding="utf-8"))["results"]
    values = [value for row in results.values() for value in row[0] or ()]
    return sum(value is not None and math.isfinite(value) for value in values)  # NaN where it was not asked


def _neighbours(context: Context, pair: int) -> None:
    """Run once more and compare with the run before; before the first pair, run once to have one."""
    storage = context.scratch / "pytest-benchmark"
    if not _stored(storage):
        _pytest(storage)
    load = psutil.getloadavg()[0]
    printed = _pytest(storage, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    newest = _stored(storage)[-1]
    cases = len(json.loads(newest.read_text(encoding="utf-8"))["benchmarks"])
    alarms = [{"case": case, "slower": True} for case in PYTEST_ROW.findall(printed)]
    context.journal.write(PART, f"pytest-benchmark {pair}", tool=PYTEST, cases=cases, alarms=alarms, load_before=load)


def _pytest(storage: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", str(CASES), "-q", "-p", "no:cacheprovider", "--benchmark-autosave"]
    command += [f"--benchmark-storage=file://{storage}", "--rootdir", str(CASES.parent), *options]
    before = len(_stored(storage))
    done = subprocess.run(command, env=instrument_environment(), capture_output=True, text=True, check=False)
    if len(_stored(storage)) == before or re.search(r"^(FAILED|ERROR) ", done.stdout, re.M):
        raise RuntimeError(f"pytest-benchmark measured nothing: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def _stored(storage: Path) -> list[Path]:
    """Runs that pytest-benchmark has stored, oldest first."""
    return sorted(storage.glob("*/*.json"))
