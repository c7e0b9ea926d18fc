"""Only what is certified is timed: sources whose variants die or are wrong, by a clock that counts."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from gdbench.pick.seconds.fleet import Fleet, NotTimed
from gdbench.pick.seconds.proof import certified
from gdbench.verify.stages import Certificate
from kernels import Choice, Network

from ...helpers import add_variant, copy_sources, finish, have_ended, wait_for

COUNTED = '''"""A clock that moves as far as the work says, on any machine."""

now = 0.0


def spend(seconds):
    global now
    now += seconds


def read():
    return now
'''
TIME = "from time import get_clock_info, perf_counter, process_time"
FIXED, PER_ROW = 1e-5, 1e-7
"""Seconds of a step and of each of its rows by that clock."""
DIES = "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n    "
GRADIENT = "    activations = _forward(network, theta, X)[1]\n    delta"
SCRIPT = """
import json, sys
from dataclasses import asdict
import subprocess
import sys

import numpy as np
import kernels
from gdbench.pick.seconds import measure

def timed(variant, processes):
    X, y = np.random.default_rng(0).normal(size=(442, 10)), np.ones((442, 1))
    options = {"variant": variant, "processes": processes, "most_seconds": 1e6}
    return measure.measure_step_time(kernels.Network.linear(10), X, y, [1, 8, 64, 442], **options)

if sys.argv[1] == "endless":
    measure.enough = lambda values: False
found = asdict(timed(sys.argv[2], 2))
try:
    timed("jit", 1)
except measure.NotTimed as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources that are timed by a counted clock, and whose variants have faults: tiled dies, jit is wrong."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    (folder / "counted.py").write_text(COUNTED, encoding="utf-8")
    timed = folder / "benchmarks" / "gdbench" / "pick" / "seconds" / "process.py"
    text = timed.read_text(encoding="utf-8")
    assert text.count(TIME) == 1
    counted = "from time import get_clock_info\nfrom counted import read as perf_counter, read as process_time"
    timed.write_text(text.replace(TIME, counted), encoding="utf-8")
    add_variant(folder, "tiled", (GRADIENT, f"    {DIES}{GRADIENT.lstrip()}"))
    add_variant(folder, "jit", ("delta = (activations[-1] - Y) / len(X)", "delta = (Y - activations[-1]) / len(X)"))
    cost = f"    spend({FIXED} + {PER_ROW} * len(X))\n{GRADIENT}"
    add_variant(folder, "buffered", (GRADIENT, cost), end="\n\nfrom counted import spend\n")
    (folder / "measure.py").write_text(SCRIPT, encoding="utf-8")
    return folder


def _start(sources: Path, *arguments: str) -> subprocess.Popen[str]:
    places = [str(sources), str(sources / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    command = [sys.executable, str(sources / "measure.py"), *arguments]
    return subprocess.Popen(
        command, cwd=sources, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def counted(sources: Path) -> dict[str, Any]:
    """Times of auto, by the counted clock, and what is said of jit."""
    done = finish(_start(sources, "enough", "auto"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class WrongFleet(Fleet):
    """One process, in which no variant is certified."""

    def __init__(self) -> None:
        self.network, self.size, self.alive = Network.linear(10), 1, {0: None}  # type: ignore[dict-item]

    def fill(self) -> None:
        """Need nothing."""

    def ask_each(self, numbers: Any, name: str, arguments: Any) -> dict[int, Any]:
        proof = Certificate("jit", "10-1", "float64", 2.0, 1e-15, certified=False, where="gradient on rows")
        ((whole, quick),) = arguments
        return {0: dict.fromkeys([*whole, *quick], proof)}


def test_a_wrong_variant_is_not_timed() -> None:
    sentence = (
        r"^variant 'jit' is not certified on 10-1 .*gradient on rows.*so it is not timed: choose another --variant"
    )
    with pytest.raises(NotTimed, match=sentence):
        certified(WrongFleet(), {8: Choice(("jit",), "")})
    with pytest.raises(
        NotTimed, match=r"^none of tiled, jit is certified on 10-1 .*, so nothing is timed: see gdbench"
    ):
        certified(WrongFleet(), {8: Choice(("tiled", "jit"), "")})


def test_seconds_are_those_of_the_clock_in_every_process(counted: dict[str, Any]) -> None:
    assert counted["processes"] == 2
    for row in counted["rows"]:
        assert row["seconds"] == pytest.approx(FIXED + PER_ROW * row["batch_size"])
    assert counted["model"]["half_throughput"] == pytest.approx(FIXED / PER_ROW)
    assert counted["drift"] == pytest.approx(0, abs=1e-6)


def test_auto_goes_on_to_a_variant_that_is_certified_and_says_so(counted: dict[str, Any]) -> None:
    assert {row["variant"] for row in counted["rows"]} == {"buffered"}
    assert counted["reason"].startswith("auto takes buffered at B = 1 to 442: ")
    assert "tiled is not certified here (the process of worker 1 of 2 ended with code -9)" in counted["reason"]
    assert "jit is not certified here (gradient on " in counted["reason"]
    assert not [warning for warning in counted["warnings"] if "ended" in warning]  # the lost one was replaced


def test_a_variant_that_was_asked_for_and_is_wrong_is_refused_by_its_name(counted: dict[str, Any]) -> None:
    assert counted["refused"].startswith("variant 'jit' is not certified on 10-1 ")
    assert "(gradient on " in counted["refused"]
    assert "so it is not timed: choose another --variant" in counted["refused"]


def test_ctrl_c_ends_every_process(sources: Path) -> None:
    process = _start(sources, "endless", "vectorized")
    wait_for(lambda: len(psutil.Process(process.pid).children()) == 2, process)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr
    assert have_ended(children)


def test_a_process_that_proves_a_variant_compiles_what_advances_several_runs_too() -> None:
    program = (
        "import numpy as np\n"
        "from gdbench.pick.seconds.process import Worker\n"
        "from kernels import Network\n"
        "from kernels.variants import tiled\n"
        "worker = Worker()\n"
        "worker.network = Network.mlp(3, (4,), 1)\n"
        "worker.X, worker.Y = np.ones((8, 3)), np.ones((8, 1))\n"
        "worker.prove([], ['tiled'])\n"
        "print(len(tiled._run_epochs.signatures), len(tiled.losses_of_several.signatures))\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "1"]
