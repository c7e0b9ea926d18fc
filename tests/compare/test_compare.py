"""``gdbench compare`` on two real trees: what becomes of each case, and what a stopped run leaves.

How much a case is slower, and whether that is proven, depends on the machine: what is said of that holds on a busy one
too, and verdicts on given blocks are the subject of ``test_verdicts``.
"""

import json
import re
import signal
import textwrap
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gdbench.basics import records
from gdbench.compare.conclusion import case_rows, judge_measured
from gdbench.compare.judge.terms import INSUFFICIENT
from gdbench.compare.measure.controls import control_names, spike_in
from gdbench.compare.measure.session import State
from gdbench.compare.record.record import CaseResult, Comparison, MeasuredBlock, Measurements, read_record
from gdbench.compare.record.tiers import QUICK, STANDARD, TIERS
from gdbench.experiments.cases import CASE_COLUMNS, Case
from gdbench.processes.live import LiveProcess

from ..helpers import (
    LIMIT_SECONDS,
    ROOT,
    add_variant,
    copy_sources,
    finish,
    have_ended,
    invoke,
    keep_uncompiled,
    start,
    wait_for,
)
from . import comparison_records as simulated

PART = ("--network", "linear", "--task", "gradient", "--batch-size", "n")
VARIANTS = ("vectorized", "slower", "dies", "hangs", "wrong", "raises", "new")
GRADIENT = "def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:\n"
IN_A_BLOCK = 'if "GDBENCH_PADDING" in __import__("os").environ:'
"""Only processes of blocks have padding: what happens then happens after the certificates."""
FOUR_TIMES = (
    "    for _ in range(3):\n        _gradient(network, theta, X, Y)\n    return _gradient(network, theta, X, Y)"
)
HANGS_SECONDS = 0.5
"""Patience with the variant that hangs, once it does; all others have minutes, however busy the machine is."""
NOTES_STEPS = """

import os

if "GDBENCH_PADDING" in os.environ:
    from gdbench.compare.measure import controls

    _steps = controls._steps

    def _noted(rng, number):
        with open(f"{SIDE}-steps-{os.environ['PYTHONHASHSEED']}", "a") as file:
            file.write(f"{number}\\n")
        return _steps(rng, number)

    controls._steps = _noted
"""
"""At the end of each tree's kernels: in each block, which its hash seed names, of how much work the spike-in is."""
SPIKE = spike_in(QUICK.effect)
STAYS = """        parent = os.getppid()
        open({file!r}, "w").close()
        while os.getppid() == parent:
            __import__("time").sleep(0.1)
        os._exit(1)
"""
"""It says so, and stays until it is stopped; but no longer than who started it, should a test fail."""
HOLDS = f"""    os = __import__("os")
    if "HOLD" in os.environ and os.path.exists(os.environ["HOLD"] + "/raw/screen-000.json"):
{STAYS.format(file="held")}"""
"""The second block stays in its first call, until the comparison is stopped."""


def body(text: str) -> tuple[str, str]:
    """Replacement that gives ``gradient`` another body, which may call the right one as ``_gradient``."""
    return GRADIENT, f"{GRADIENT}{text}\n\n\n{GRADIENT.replace('gradient', '_gradient', 1)}"


RIGHT = body("    return _gradient(network, theta, X, Y)")
HELD = body(HOLDS + "    return _gradient(network, theta, X, Y)")
HEADS = {
    "slower": body(FOUR_TIMES),
    "dies": body(f"    {IN_A_BLOCK}\n        __import__('os')._exit(3)\n    return _gradient(network, theta, X, Y)"),
    "hangs": body(
        f"    os = __import__('os')\n    {IN_A_BLOCK}\n{STAYS.format(file='hanging')}"
        "    return _gradient(network, theta, X, Y)"
    ),
    "wrong": body("    return 1.01 * _gradient(network, theta, X, Y)"),
    "raises": body("    raise RuntimeError('no gradient today')"),
    "new": RIGHT,
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkouts, base and head, which differ in some variants."""
    place = tmp_path_factory.mktemp("trees")
    for side in ("base", "head"):
        keep_uncompiled(copy_sources(place / side))
        (place / side / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
        with (place / side / "kernels" / "__init__.py").open("a", encoding="utf-8") as file:
            file.write(f"\n\nSIDE = {side!r}{NOTES_STEPS}")
    for name, replacement in HEADS.items():
        add_variant(place / "head", name, replacement)
        if name != "new":
            add_variant(place / "base", name, HELD if name == "slower" else RIGHT)
    return place


def compare(place: Path, *arguments: str, base: str = "./base", head: str = "./head") -> Any:
    return invoke("compare", *filter(None, (base, head)), *arguments, cwd=place, **folders(place))


def folders(place: Path) -> dict[str, str]:
    """Nothing of the user's is read or written."""
    return dict.fromkeys(("XDG_CACHE_HOME", "XDG_STATE_HOME"), str(place / "cache"))


@pytest.fixture(scope="module")
def answer(trees: Path) -> Any:
    """One comparison of everything that a side can do, in few blocks."""
    names = ("--variant", ",".join(VARIANTS))
    options = ("--quick", *PART, *names, "--output", "out", "--json", "out.json", "--markdown", "out.md")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, "quick", replace(QUICK, screen_blocks=1, confirm_blocks=6, case_seconds=0.02))
        patch.setattr(LiveProcess, "limit", property(patience, lambda process, limit: None), raising=False)
        return compare(trees, *options)


def patience(process: LiveProcess) -> float:
    """Wait until a head that is asked for the variant that hangs has answered, or hangs."""
    if process.name == "./head" and "/hangs/" in str(process.at):
        end = time.monotonic() + LIMIT_SECONDS
        while not Path("hanging").exists():
            if process.connection.poll(0.01) or time.monotonic() > end:
                return LIMIT_SECONDS
        return HANGS_SECONDS
    return LIMIT_SECONDS


@pytest.fixture(scope="module")
def record(trees: Path, answer: Any) -> Comparison:
    return read_record(trees / "out")


@pytest.fixture(scope="module")
def rows(record: Comparison) -> dict[str, CaseResult]:
    return {str(row.variant): row for row in record.of_metric("time")}


def read_blocks(trees: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((trees / "out" / "raw").iterdir())]


def test_each_case_has_the_verdict_that_its_variant_earns(rows: dict[str, CaseResult], answer: Any) -> None:
    verdicts = {name: row.verdict for name, row in rows.items()}
    assert verdicts.pop("slower") in ("REGRESSED", "INSUFFICIENT EVIDENCE"), answer.stdout
    assert verdicts.pop("vectorized") not in ("BROKEN", "MISSING")
    assert verdicts == {"dies": "BROKEN", "hangs": "BROKEN", "wrong": "BROKEN", "raises": "BROKEN", "new": "MISSING"}


def test_what_is_broken_or_missing_says_why_and_has_no_numbers(rows: dict[str, CaseResult]) -> None:
    reasons = {name: rows[name].reason for name in ("dies", "hangs", "wrong", "raises", "new")}
    assert reasons["dies"].startswith("the process of ./head ended with code 3")
    assert reasons["hangs"] == "the process of ./head said nothing for 0.5 s and was stopped"
    assert "gradient on rows of the data, error" in reasons["wrong"]
    assert "no gradient today" in reasons["raises"]
    assert reasons["new"] == "./base has no variant new"
    for name in reasons:
        assert rows[name].ratio is rows[name].base is rows[name].head is None


def test_a_ratio_lies_in_its_interval_and_both_sides_have_their_seconds(rows: dict[str, CaseResult]) -> None:
    row = rows["slower"]
    assert row.low <= row.ratio <= row.high
    assert min(row.base, row.head) > 0


def test_a_broken_kernel_is_exit_code_4_and_the_controls_are_reported(answer: Any, record: Comparison) -> None:
    assert answer.returncode == record.exit_code == 4, answer.stderr
    assert record.complete
    assert [row.case for row in record.controls.cases] == [*control_names(QUICK.effect)]


def test_in_each_block_the_spike_in_is_more_work_on_one_side_and_each_side_has_its_turn(
    trees: Path, record: Comparison
) -> None:
    """How it is told then is a subject of ``measure/test_schedule``."""
    found = set()
    for block in read_blocks(trees):
        assert block["cases"][SPIKE.name]["calls"] > 0
        notes = [trees / f"{side}-steps-{block['hash_seed']}" for side in ("base", "head")]
        work = [{int(line) for line in path.read_text(encoding="utf-8").split()} for path in notes]
        assert sorted(map(list, work)) == [[20], [22]]
        found.add(work.index({22}))
    assert found == {0, 1}


def test_json_is_the_record_and_the_views_are_there(trees: Path, answer: Any, record: Comparison) -> None:
    assert json.loads((trees / "out.json").read_text(encoding="utf-8")) == records.plain(record)
    assert (trees / "out.md").read_text(encoding="utf-8") == (trees / "out" / "comparison.md").read_text(
        encoding="utf-8"
    )
    assert "REGRESSED" in (trees / "out" / "comparison.html").read_text(encoding="utf-8")


def test_every_block_is_a_raw_file_of_a_fresh_pair(trees: Path, record: Comparison) -> None:
    blocks = read_blocks(trees)
    settings = record.settings
    assert len(blocks) == settings.screen_blocks + settings.confirm_blocks
    assert len({block["hash_seed"] for block in blocks}) == len(blocks)
    assert not any(block["compiled_while_timed"] for block in blocks)
    cores = psutil.Process().cpu_affinity()
    assert [block["core"] for block in blocks] == [[cores[block["index"] % len(cores)]] for block in blocks]


def test_the_verdicts_follow_from_the_raw_blocks_alone(trees: Path, record: Comparison) -> None:
    raw = sorted((trees / "out" / "raw").iterdir())
    stages = {
        name: [records.read(path, MeasuredBlock, remedy="") for path in raw if path.name.startswith(name)]
        for name in ("screen", "confirm")
    }
    stored = record.of_metric("time")
    cases = [Case(**{name: getattr(row, name) for name in CASE_COLUMNS}) for row in stored]
    settings = record.settings
    state = State(
        broken={row.case: row.reason for row in stored if row.verdict == "BROKEN"},
        missing={row.case: row.reason for row in stored if row.verdict == "MISSING"},
    )
    judging = replace(QUICK.settings, bias_sd=settings.bias_expected)
    found = judge_measured(cases, Measurements(**stages), state, judging, controls=control_names(QUICK.effect))
    rows, controls = case_rows(cases, found, Measurements(**stages))
    assert tuple(controls) == record.controls.cases
    assert rows == stored
    assert (found.suite, found.groups) == (record.suite, record.groups)


def test_a_confirmation_that_was_ended_is_judged_on_the_builds_on_which_it_was_measured() -> None:
    """Twelve blocks of 24 on eight builds are three on each of four of them, not one or two on all."""
    case, rng = simulated.cases()[0], np.random.default_rng(0)
    values = np.repeat([0.0, 0.02, -0.02, 0.04], 3) + rng.normal(0, 1e-4, 12)
    measured = Measurements(
        [simulated.block({case.id: 0.1})] * 8, [simulated.block({case.id: value}) for value in values]
    )
    settings = replace(STANDARD.settings, bias_sd=0.0)
    found = {}
    for planned in (24, 12):
        measured.confirm_planned = planned
        found[planned] = judge_measured([case], measured, State(), settings, controls=()).cases[case.id]
    measured.confirm_planned, measured.confirm = 24, measured.confirm[:6]  # two builds, of which nobody learns much
    few = judge_measured([case], measured, State(), settings, controls=()).cases[case.id]
    assert (few.verdict, few.stage) == (INSUFFICIENT, "confirm")
    assert found[24].blocks == found[12].blocks == 12
    assert found[24].high - found[24].low > 1.5 * (found[12].high - found[12].low)


def test_nothing_measured_is_exit_code_4(trees: Path) -> None:
    answer = compare(trees, "--quick", *PART, "--variant", "wrong", "--output", "nothing")
    assert answer.returncode == 4, answer.stderr
    assert read_record(trees / "nothing").counts == {"BROKEN": 1}


def test_a_side_that_cannot_even_be_imported_is_exit_code_4(trees: Path) -> None:
    (trees / "torn" / "kernels").mkdir(parents=True)
    (trees / "torn" / "kernels" / "__init__.py").write_text("def", encoding="utf-8")
    (trees / "torn" / "kernels" / "contract.py").touch()
    answer = compare(trees, "--quick", *PART, "--output", "torn-out", head="./torn")
    assert answer.returncode == 4
    assert "nothing was measured" in answer.stderr
    assert "SyntaxError" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("base", "head", "options", "sentence"),
    [
        ("./base", "vectorized", (), "vectorized is a variant of this tree and ./base is a checkout"),
        ("nowhere", "./head", (), "nowhere is neither a variant, nor a git revision here, nor a folder"),
        ("./cache", "./head", (), "./cache is no checkout of gdbench"),
        ("jit", "jit", (), "both sides are the variant jit"),
        ("./base", "./head", ("--variant", "missing"), "variant of either side called"),
        ("jit", "tiled", ("--variant", "jit"), "leave out --variant"),
        ("./base", "./head", ("--network", "nothing"), "network in the grid called"),
        ("./base", "./head", ("--effect", "0"), "--effect is a slowdown in % above 0"),
        ("./base", "./asks", (), "asks for numpy<1.20"),
        ("./base", "./head", ("--env", "numba==0.65.1"), "./base and ./head are two sides already"),
        ("./base", "", ("--env", "numba=1"), "'numba=1' is no requirement of pip"),
        ("jit", "", ("--env", "numba==0.65.1"), "name it by --variant jit"),
        ("./base", "", (), "name two sides, such as main HEAD, or environments, such as --env numba==0.65.1"),
        ("", "", ("--env", "a", "--env", "b", "--env", "c"), "3 environments are named"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    trees: Path, base: str, head: str, options: tuple[str, ...], sentence: str
) -> None:
    (trees / "cache").mkdir(exist_ok=True)
    if head == "./asks":
        (trees / "asks" / "kernels").mkdir(parents=True)
        (trees / "asks" / "kernels" / "__init__.py").touch()
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").replace('"numpy>=2.0"', '"numpy<1.20"')
        (trees / "asks" / "pyproject.toml").write_text(text, encoding="utf-8")
    answer = compare(trees, *options, "--quick", "--output", "refused", base=base, head=head)
    assert answer.returncode == 2, answer.stderr
    assert sentence in answer.stderr
    assert len(answer.stderr.split("gdbench: ")[1].strip().splitlines()) == 1
    assert not (trees / "refused").exists()


@dataclass(frozen=True)
class Stopped:
    """A comparison that heard a signal in its second block, and one that was asked for in its folder meanwhile."""

    number: signal.Signals
    folder: Path
    answer: Any
    second: Any
    children: list[psutil.Process]


@pytest.fixture(scope="module", params=["SIGINT", "SIGTERM", "SIGHUP"])
def stopped(trees: Path, request: pytest.FixtureRequest) -> Stopped:
    number, name = signal.Signals[request.param], f"stopped-{request.param}"
    options = ("--quick", *PART, "--variant", "slower", "--output", name)
    (trees / "held").unlink(missing_ok=True)
    process = start("compare", "./base", "./head", *options, cwd=trees, HOLD=name, **folders(trees))
    wait_for((trees / "held").exists, process)
    second = compare(trees, *options)
    children = psutil.Process(process.pid).children()
    process.send_signal(number)
    return Stopped(number, trees / name, finish(process), second, children)


def test_a_second_comparison_in_the_same_folder_is_refused_and_disturbs_nothing(stopped: Stopped) -> None:
    assert stopped.second.returncode == 2
    assert f"another gdbench command is writing into {stopped.folder.name}: wait until it" in stopped.second.stderr


def test_a_signal_leaves_a_result_that_says_how_far_it_got_and_how_to_go_on(stopped: Stopped) -> None:
    answer = stopped.answer
    record = read_record(stopped.folder)
    assert answer.returncode == 128 + stopped.number, answer.stderr
    assert answer.stderr.rstrip().endswith("Run the same command again, into another folder, to measure all of it.")
    assert not record.complete
    assert record.ended_early
    assert record.progress == "stopped in screen block 2 of 8"
    assert record.progress in answer.stderr
    assert record.settings.screen_blocks == 1
    assert "REGRESSED" not in record.counts
    names = {path.name for path in stopped.folder.iterdir()}
    assert names == {"raw", "comparison.json", "comparison.html", "comparison.md"}
    assert [path.name for path in (stopped.folder / "raw").iterdir()] == ["screen-000.json"]


def test_a_signal_leaves_no_process(stopped: Stopped) -> None:
    assert len(stopped.children) == 2
    assert have_ended(stopped.children)


def test_a_folder_with_something_in_it_is_refused(trees: Path, record: Comparison) -> None:
    answer = compare(trees, "--output", "out")
    assert answer.returncode == 2
    assert "is not empty" in answer.stderr


def test_help_names_every_tier_with_its_minutes(tmp_path: Path) -> None:
    shown = textwrap.dedent(invoke("compare", "--help", cwd=tmp_path).stdout)
    for tier in ("quick", "standard", "deep"):
        assert f"--{tier}" in shown
    assert "standard 30 minutes: " in shown


def test_help_tells_the_exit_codes(tmp_path: Path) -> None:
    told = " ".join(invoke("compare", "--help", cwd=tmp_path).stdout.split())
    codes = re.findall(r"(?:: |; )(\d+) [a-z]", told.partition("Exit codes")[2])
    assert codes == ["0", "1", "2", "3", "4", "130"]
