"""A wrong variant is named and never ranked; one that kills or hangs its process stops no other."""

import json
import math
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gdbench.basics import records
from gdbench.cli.check import CheckAnswer
from gdbench.experiments.grid import Filters, expand, networks, profile
from gdbench.processes.live import LiveProcess
from gdbench.run import execute as run_module
from gdbench.run.events import BlockEnded, CaseEnded
from gdbench.run.plan import make_plan, write_plan
from gdbench.run.raw import read_failures
from gdbench.verify import certificates

from ..helpers import (
    LIMIT_SECONDS,
    UNCOMPILED,
    add_variant,
    copy_sources,
    gdbench,
    keep_uncompiled,
    read_raw,
    read_table,
    shorten_smoke,
)

RESULT = "return np.concatenate(parts[::-1])"
START = (
    "    activations = _forward(network, theta, X)[1]\n    delta",
    "    {}\n    activations = _forward(network, theta, X)[1]\n    delta",
)
UNDER_THE_CLOCK = "'pytest' in __import__('sys').modules and len(X) > 100"
"""Only a block's process imports pytest, and before its clock starts it compares on a few rows."""
SHORT_BATCH_EPOCH = '''

def epoch(network, theta, X, Y, order, batch_size, learning_rate):
    """Average a short last batch over a full one's rows, which is wrong."""
    from kernels.epochs import batches

    for rows in batches(order, batch_size):
        theta = theta - learning_rate * len(rows) / batch_size * gradient(network, theta, X[rows], Y[rows])
    return theta
'''
NOTE = "\nFALLS_BACK = 'networks without a hidden layer are vectorized'\n"
RIGHT = {*UNCOMPILED, "copied"}
BLOCKS = 2
"""The first stops at what fails under the clock, the second leaves it out."""
WRONG = {"flipped", "short_batch"}
DEADLY = {"exits": "code 7", "reads_null": "code -11"}
EXIT_CODES = (1, 3)
"""With 1 pytest ends a block that is whole, but for a case that failed."""
LATE = {f"exits_late_{code}": f"code {code}" for code in EXIT_CODES} | {"raises_late": "RuntimeError: too late"}
FAILED = {*WRONG, *DEADLY, *LATE}
CHECK = ("check", "--network", "logistic", "--dataset", "breast_cancer", "--dtype", "float64")
RUN = ("run", "--profile", "smoke", "--network", "logistic", "--batch-size", "n", "--task", "gradient")


def at_start(statement: str) -> tuple[str, str]:
    """Replacement that puts a statement at the start of ``gradient``."""
    return START[0], START[1].format(statement)


def failure_of(name: str) -> str:
    """Pattern of the sentence in which reports tell that a variant failed."""
    return rf"FAILED: {name}\b.*in no ranking: "


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our sources with a file more for each kind of variant, and no other change."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    keep_uncompiled(folder)
    shorten_smoke(folder, blocks=BLOCKS)
    add_variant(folder, "copied", ('"""The whole batch at once:', '"""Another name for the same sums:'))
    add_variant(folder, "flipped", (RESULT, RESULT.replace("return ", "return -")), end=NOTE)
    add_variant(folder, "short_batch", end=SHORT_BATCH_EPOCH)
    add_variant(folder, "exits", at_start("import os; os._exit(7)"))
    add_variant(folder, "reads_null", at_start("import ctypes; ctypes.string_at(0)"))
    for code in EXIT_CODES:
        add_variant(folder, f"exits_late_{code}", at_start(f"import os; {UNDER_THE_CLOCK} and os._exit({code})"))
    add_variant(folder, "raises_late", at_start(f"if {UNDER_THE_CLOCK}: raise RuntimeError('too late')"))
    return folder


@dataclass(frozen=True)
class Outcome:
    """A run's folder and the process that made it."""

    folder: Path
    answer: Any
    summary: dict[str, dict[str, str]]
    """Row of each variant: the run has one case for each."""


@pytest.fixture(scope="module")
def checked(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return gdbench(*CHECK, "--json", "-", cwd=tmp_path_factory.mktemp("check"), sources=sources)


@pytest.fixture(scope="module")
def run(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    cwd = tmp_path_factory.mktemp("run")
    answer = gdbench(*RUN, "--output", "run", cwd=cwd, sources=sources)
    rows = read_table(cwd / "run" / "summary.csv")
    assert len(rows) == len(RIGHT | FAILED)
    return Outcome(cwd / "run", answer, {row["variant"]: row for row in rows})


def test_check_names_every_wrong_variant_and_certifies_the_others(checked: Any) -> None:
    assert checked.returncode == 4
    answer = records.parse(json.loads(checked.stdout), CheckAnswer)
    assert not answer.certified
    rows = {row.variant: row for row in answer.certificates}
    assert len(rows) == len(answer.certificates)
    assert {name for name, row in rows.items() if row.certified} == RIGHT | set(LATE)
    for name in WRONG:
        assert 1 < rows[name].strain < math.inf
        assert f"WRONG {name} in float64" in checked.stderr
    for name in RIGHT:
        assert rows[name].strain <= 1
    assert "gradient" in rows["flipped"].where
    assert "trajectory" in rows["short_batch"].where


def test_check_names_a_variant_that_killed_its_process_and_goes_on(checked: Any) -> None:
    rows = {row["variant"]: row for row in json.loads(checked.stdout)["certificates"]}
    for name, code in DEADLY.items():
        assert (rows[name]["certified"], rows[name]["max_error"]) == (False, None)
        assert code in rows[name]["where"]


def test_check_names_a_variant_that_hangs(sources: Path, tmp_path: Path) -> None:
    own = tmp_path / "sources"
    shutil.copytree(sources, own)
    add_variant(own, "hangs", at_start("import time; open('hanging', 'w').close(); time.sleep(3600)"))
    arguments = (*CHECK, "--variant", "hangs", "--json", "-")
    for patience in ("3", "30", str(LIMIT_SECONDS)):  # it counts from the start of a process, which may be slow here
        answer = gdbench(*arguments, cwd=tmp_path, sources=own, GDBENCH_PATIENCE_SECONDS=patience)
        assert answer.returncode == 4
        (row,) = json.loads(answer.stdout)["certificates"]
        assert (row["variant"], row["certified"]) == ("hangs", False)
        assert f"said nothing for {patience} s" in row["where"]
        if hung := (tmp_path / "hanging").exists():
            break
    assert hung, "it was stopped before it was called"


CERTIFYING = """
import sys, time
from gdbench.processes.answers import serve
from gdbench.verify.certificates import row_of
from gdbench.verify.stages import Certificate


class Worker:
    def certify(self, job, *, tell):
        for variant in job.variants:
            time.sleep(3600 if variant == "hangs" else 0)
            tell(row_of(job, Certificate(variant, str(job.network), job.dtype, 0.0, 1.0, True, "forward"), 0.0))


serve(int(sys.argv[1]), Worker())
"""


def _stand_in(folder: Path, text: str, process: type[LiveProcess] = LiveProcess, seconds: float = 1.0) -> LiveProcess:
    """A process of a module that is written for it."""
    (folder / "stand_in.py").write_text(text, encoding="utf-8")
    variables = {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
    return process("stand_in", name="it", threads=1, cores=[], variables=variables, usual_seconds=seconds)


def test_after_a_variant_that_hangs_the_next_is_certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = iter([0.25, LIMIT_SECONDS])
    monkeypatch.setattr(certificates, "_process", lambda job: _stand_in(tmp_path, CERTIFYING, seconds=next(limits)))
    job = certificates.Job(networks()["logistic"], "breast_cancer", "float64", ("hangs", "copied"))
    heard: list[certificates.CertificateRow] = []
    hanging, copied = certificates.certify_all([job], heard.append)
    assert (hanging.variant, hanging.certified, hanging.max_error) == ("hangs", False, None)
    assert hanging.where == "its process said nothing for 0.25 s and was stopped"
    assert (copied.variant, copied.certified) == ("copied", True)
    assert heard == [hanging, copied]


MEASURING = """
import sys, time
from pathlib import Path
from gdbench.processes.answers import serve
from gdbench.run.events import CaseBegun, CaseEnded
from gdbench.run.plan import read_plan
from gdbench.run.raw import read_failures


class Worker:
    def measure(self, folder, index, output, *, tell):
        plan = read_plan(folder)
        for case in plan.blocks[index].cases:
            if (name := plan.cases[case].id) not in read_failures(folder):
                tell(CaseBegun(name))
                if case == plan.blocks[index].cases[0]:
                    (folder / "hanging").touch()
                    time.sleep(3600)
                tell(CaseEnded(name, None))


serve(int(sys.argv[1]), Worker())
"""


class Hanging(LiveProcess):
    """A process that is waited for until it says something, or says that it hangs."""

    place: Path

    @property
    def limit(self) -> float:
        end = time.monotonic() + LIMIT_SECONDS
        while not (self.place / "hanging").exists() and time.monotonic() < end:
            if self.connection.poll(0.01):
                return LIMIT_SECONDS
        return 0.1

    @limit.setter
    def limit(self, usual: float) -> None:
        """Leave it as it is."""


def test_a_block_stops_a_case_that_hangs_and_begins_anew_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = expand(profile("smoke"), Filters(("logistic",), variant=("reference", "jit"), batch_size=("n",)))
    plan = make_plan(cases, profile="smoke", command="", rounds=1, case_seconds=0.01, seed=0)
    write_plan(tmp_path, plan)
    hanging, *others = (plan.cases[case].id for case in plan.blocks[0].cases)
    heard: list[Any] = []
    kinds = iter([Hanging, LiveProcess])
    monkeypatch.setattr(Hanging, "place", tmp_path, raising=False)
    monkeypatch.setattr(
        run_module, "_process", lambda block: _stand_in(tmp_path, MEASURING, next(kinds), LIMIT_SECONDS)
    )
    run_module.execute(tmp_path, plan, heard.append)
    reason = "its process said nothing for 0.1 s and was stopped"
    assert read_failures(tmp_path) == {hanging: reason}
    assert [event for event in heard if isinstance(event, CaseEnded)] == [
        CaseEnded(hanging, reason),
        *(CaseEnded(case, None) for case in others),
    ]
    assert heard[-1] == BlockEnded(0)
    assert not run_module.left(tmp_path, plan)
    assert next(kinds, None) is None


@pytest.mark.slow  # waits for a minute, which a busy machine may need to start a process
def test_a_run_stops_a_variant_that_hangs_and_measures_the_others(sources: Path, tmp_path: Path) -> None:
    own = tmp_path / "sources"
    shutil.copytree(sources, own)
    add_variant(own, "hangs_late", at_start(f"import time; {UNDER_THE_CLOCK} and time.sleep(3600)"))
    arguments = (*RUN, "--variant", "hangs_late,copied", "--output", "run")
    answer = gdbench(*arguments, cwd=tmp_path, sources=own, GDBENCH_PATIENCE_SECONDS="60")
    assert answer.returncode == 4, answer.stderr
    rows = {row["variant"]: row for row in read_table(tmp_path / "run" / "summary.csv")}
    hanging, copied = rows["hangs_late"], rows["copied"]
    assert (hanging["status"], hanging["certified"], hanging["seconds"]) == ("failed", "True", "")
    assert "said nothing for 60 s" in hanging["reason"]
    assert (copied["status"], copied["blocks"]) == ("measured", str(BLOCKS))


def test_a_run_measures_the_right_variants_and_ends_with_exit_code_4(run: Outcome) -> None:
    assert run.answer.returncode == 4, run.answer.stderr
    assert "Traceback" not in run.answer.stderr
    assert {name for name, row in run.summary.items() if row["status"] == "measured"} == RIGHT
    for name in RIGHT:
        row = run.summary[name]
        assert (row["blocks"], row["certified"], row["reason"]) == (str(BLOCKS), "True", "")
        assert float(row["seconds"]) > 0


def test_failed_cases_have_a_reason_and_no_time(run: Outcome) -> None:
    assert {name for name, row in run.summary.items() if row["status"] == "failed"} == FAILED
    for name in FAILED:
        row = run.summary[name]
        assert row["reason"]
        assert row["blocks"] == "0"
        for column in ("seconds", "seconds_low", "seconds_high", "rows_per_second", "speedup_vs_reference"):
            assert row[column] == "", (name, column)
    for name in WRONG:
        assert run.summary[name]["certified"] == "False"
        assert float(run.summary[name]["max_error"]) > float(run.summary[name]["tolerance"])


@pytest.mark.parametrize("name", [*DEADLY, *LATE])
def test_the_reason_says_how_the_process_ended(run: Outcome, name: str) -> None:
    assert (DEADLY | LATE)[name] in run.summary[name]["reason"]


@pytest.mark.parametrize("name", LATE)
def test_a_variant_that_fails_under_the_clock_was_certified_before(run: Outcome, name: str) -> None:
    assert run.summary[name]["certified"] == "True"


def test_no_wrong_variant_was_ever_timed(run: Outcome) -> None:
    timed = {entry["params"]["variant"] for content in read_raw(run.folder) for entry in content["benchmarks"]}
    assert timed == RIGHT
    assert len(read_raw(run.folder)) == BLOCKS


def test_the_terminal_shows_failures_and_ranks_none(run: Outcome) -> None:
    for name in FAILED:
        assert re.search(failure_of(name), run.answer.stdout), name
    (row,) = (line for line in run.answer.stdout.splitlines() if line.startswith("logistic on breast_cancer float64 "))
    assert not FAILED & set(row.split())


def test_both_reports_show_failures_and_rank_none(run: Outcome) -> None:
    report = (run.folder / "report.md").read_text(encoding="utf-8")
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    for name in FAILED:
        assert f"| {name} | float64 | failed |" in report
        assert re.search(failure_of(name), report), name
        assert re.search(failure_of(name), page), name
    for name in (*WRONG, *DEADLY):
        line = next(line for line in report.splitlines() if line.startswith(f"| {name} | logistic"))
        assert "**NO**" in line
    (ranking,) = (line for line in report.splitlines() if line.startswith("| logistic on breast_cancer <br>float64 |"))
    assert not FAILED & set(ranking.split())


@pytest.fixture(scope="module")
def listed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return gdbench("list", "--json", "-", cwd=tmp_path_factory.mktemp("list"), sources=sources)


def test_a_right_variant_needs_its_file_and_nothing_else(checked: Any, run: Outcome, listed: Any) -> None:
    (entry,) = [entry for entry in json.loads(listed.stdout)["variants"] if entry["name"] == "copied"]
    assert entry["summary"].startswith("Another name for the same sums")
    assert [row["certified"] for row in json.loads(checked.stdout)["certificates"] if row["variant"] == "copied"] == [
        True
    ]
    assert run.summary["copied"]["status"] == "measured"
    for name in ("report.md", "samples.csv", "report.html"):
        assert "copied" in (run.folder / name).read_text(encoding="utf-8")


def test_list_says_where_a_variant_falls_back(listed: Any) -> None:
    notes = {entry["name"]: entry["falls_back"] for entry in json.loads(listed.stdout)["variants"]}
    assert notes["flipped"] == "networks without a hidden layer are vectorized"
    assert notes["copied"] is None
    table = {line.split()[0]: line for line in listed.stderr.splitlines() if line}
    assert "; falls back: networks without a hidden layer are vectorized" in table["flipped"]
    assert "falls back" not in table["copied"]
    assert "None" not in table["copied"]


FUNCTIONS = """
def forward(network, theta, X): ...
def loss(network, theta, X, Y): ...
def gradient(network, theta, X, Y): ...
"""
MALFORMED = {
    "lacks": (FUNCTIONS.replace("gradient", "slope"), "lacks gradient"),
    "renames": (FUNCTIONS.replace("forward(network, theta, X)", "forward(network, theta, x)"), "(network, theta, X)"),
    "misspelt": (FUNCTIONS.replace("forward(", "forward(("), "cannot be imported (SyntaxError"),
    "undescribed": (None, "has no docstring"),
}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("lacks", "list"), ("renames", "check"), ("misspelt", "run --profile smoke"), ("undescribed", "list")],
)
def test_a_malformed_file_is_refused_in_one_sentence_that_names_it(
    sources: Path, tmp_path: Path, name: str, arguments: str
) -> None:
    own = tmp_path / "sources"
    shutil.copytree(sources, own, ignore=shutil.ignore_patterns("*.nb[ci]"))
    functions, said = MALFORMED[name]
    text = FUNCTIONS if functions is None else f'"""A file that somebody dropped here."""\n{functions}'
    (own / "kernels" / "variants" / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "cwd").mkdir()
    answer = gdbench(*arguments.split(), cwd=tmp_path / "cwd", sources=own)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1
    assert f"variant {name!r}" in answer.stderr
    assert said in answer.stderr
    assert list((tmp_path / "cwd").iterdir()) == []
