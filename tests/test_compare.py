"""``gdbench compare`` on two real trees: each verdict, whatever a side does, and what a stopped run leaves."""

import json
import signal
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from gdbench.cases import Case
from gdbench.compare.planning import Rule
from gdbench.compare.record import Measured, case_rows, read_record
from gdbench.compare.tiers import QUICK

from .helpers import ROOT, add_variant, copy_sources, finish, gdbench, start, wait_for

PART = ("--network", "linear", "--task", "gradient", "--batch-size", "n")
VARIANTS = ("vectorized", "slower", "dies", "hangs", "wrong", "raises", "new")
GRADIENT = "def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:\n"
IN_A_BLOCK = 'if "GDBENCH_PADDING" in __import__("os").environ:'
"""Only processes of blocks have padding: what happens then happens after the certificates."""
TWICE = "    first = _gradient(network, theta, X, Y)\n    return 0.5 * (first + _gradient(network, theta, X, Y))"


def body(text: str) -> tuple[str, str]:
    """Replacement that gives ``gradient`` another body, which may call the right one as ``_gradient``."""
    return GRADIENT, f"{GRADIENT}{text}\n\n\n{GRADIENT.replace('gradient', '_gradient', 1)}"


RIGHT = body("    return _gradient(network, theta, X, Y)")
HEADS = {
    "slower": body(TWICE),
    "dies": body(f"    {IN_A_BLOCK}\n        __import__('os')._exit(3)\n    return _gradient(network, theta, X, Y)"),
    "hangs": body(
        f"    {IN_A_BLOCK}\n        __import__('time').sleep(600)\n    return _gradient(network, theta, X, Y)"
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
        copy_sources(place / side)
        (place / side / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for name, replacement in HEADS.items():
        add_variant(place / "head", name, replacement)
        if name != "new":
            add_variant(place / "base", name, RIGHT)
    return place


def compare(place: Path, *arguments: str, base: str = "./base", head: str = "./head", **variables: str) -> Any:
    cache = str(place / "cache")
    return gdbench(
        "compare", base, head, *arguments, cwd=place, XDG_CACHE_HOME=cache, XDG_STATE_HOME=cache, **variables
    )


@pytest.fixture(scope="module")
def answer(trees: Path) -> Any:
    """One comparison of everything that a side can do; the process that hangs is given a few seconds."""
    names = ("--variant", ",".join(VARIANTS))
    options = ("--quick", *PART, *names, "--output", "out", "--json", "out.json", "--markdown", "out.md")
    return compare(trees, *options, GDBENCH_PATIENCE_SECONDS="10")


@pytest.fixture(scope="module")
def record(trees: Path, answer: Any) -> dict[str, Any]:
    return read_record(trees / "out")


@pytest.fixture(scope="module")
def rows(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["variant"]: row for row in record["cases"] if row["metric"] == "time"}


def test_each_case_has_the_verdict_that_its_variant_earns(rows: dict[str, dict[str, Any]], answer: Any) -> None:
    assert {name: row["verdict"] for name, row in rows.items() if name != "vectorized"} == {
        "slower": "REGRESSED",
        "dies": "BROKEN",
        "hangs": "BROKEN",
        "wrong": "BROKEN",
        "raises": "BROKEN",
        "new": "MISSING",
    }, answer.stdout
    assert rows["vectorized"]["verdict"] in ("UNCHANGED", "INSUFFICIENT EVIDENCE")


def test_what_is_broken_or_missing_says_why_and_has_no_numbers(rows: dict[str, dict[str, Any]]) -> None:
    reasons = {name: rows[name]["reason"] for name in ("dies", "hangs", "wrong", "raises", "new")}
    assert reasons["dies"].startswith("the process of ./head ended with code 3")
    assert reasons["hangs"] == "the process of ./head said nothing for 10 s and was stopped"
    assert "gradient on rows of the data: error" in reasons["wrong"]
    assert "no gradient today" in reasons["raises"]
    assert reasons["new"] == "./base has no variant new"
    for name in reasons:
        assert rows[name]["ratio"] is rows[name]["base"] is rows[name]["head"] is None


def test_twice_the_work_is_about_twice_the_time(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["slower"]
    assert 1.5 < row["low"] <= row["ratio"] <= row["high"] < 3
    assert row["p_adjusted"] <= 0.05


def test_a_broken_kernel_is_exit_code_4_and_the_controls_are_reported(answer: Any, record: dict[str, Any]) -> None:
    assert answer.returncode == record["exit_code"] == 4, answer.stderr
    assert record["complete"]
    assert [row["case"] for row in record["controls"]["cases"]][-1].startswith("spike-in")
    assert record["controls"]["cases"][-1]["ratio"] > 1.03


def test_json_is_the_record_and_the_views_are_there(trees: Path, answer: Any, record: dict[str, Any]) -> None:
    assert json.loads((trees / "out.json").read_text(encoding="utf-8")) == record
    assert (trees / "out.md").read_text(encoding="utf-8") == (trees / "out" / "comparison.md").read_text(
        encoding="utf-8"
    )
    assert "REGRESSED" in (trees / "out" / "comparison.html").read_text(encoding="utf-8")


def test_every_block_is_a_raw_file_of_a_fresh_pair(trees: Path, record: dict[str, Any]) -> None:
    blocks = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((trees / "out" / "raw").iterdir())]
    settings = record["settings"]
    assert len(blocks) == settings["screen_blocks"] + settings["confirm_blocks"]
    assert len({block["hash_seed"] for block in blocks}) == len(blocks)
    assert not any(block["compiled_while_timed"] for block in blocks)
    assert len({tuple(block["core"]) for block in blocks}) == min(2, len(psutil.Process().cpu_affinity()))


def test_the_verdicts_follow_from_the_raw_blocks_alone(trees: Path, record: dict[str, Any]) -> None:
    raw = sorted((trees / "out" / "raw").iterdir())
    stages = {
        name: [json.loads(path.read_text(encoding="utf-8")) for path in raw if path.name.startswith(name)]
        for name in ("screen", "confirm")
    }
    stored = [row for row in record["cases"] if row["metric"] == "time"]
    cases = [{name: row[name] for name in ("case", *Case.__dataclass_fields__)} for row in stored]
    settings = record["settings"]
    rule = Rule(effect=settings["effect"], gate=QUICK.gate)
    rows, controls, _ = case_rows(cases, Measured(**stages), margin=settings["margin"], rule=rule)
    assert controls == record["controls"]["cases"]
    for row, again in zip(stored, rows, strict=True):
        assert row["verdict"] in ("BROKEN", "MISSING") or row == again


def test_nothing_measured_is_exit_code_4(trees: Path) -> None:
    answer = compare(trees, "--quick", *PART, "--variant", "wrong", "--output", "nothing")
    assert answer.returncode == 4, answer.stderr
    assert read_record(trees / "nothing")["counts"] == {"BROKEN": 1}


def test_a_side_that_cannot_even_be_imported_is_exit_code_4(trees: Path) -> None:
    (trees / "torn" / "kernels").mkdir(parents=True)
    (trees / "torn" / "kernels" / "__init__.py").write_text("def", encoding="utf-8")
    (trees / "torn" / "kernels" / "descent.py").touch()
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
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    trees: Path, base: str, head: str, options: tuple[str, ...], sentence: str
) -> None:
    (trees / "cache").mkdir(exist_ok=True)
    if head == "./asks":
        copy_sources(trees / "asks")
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").replace('"numpy>=2.0"', '"numpy<1.20"')
        (trees / "asks" / "pyproject.toml").write_text(text, encoding="utf-8")
    answer = compare(trees, *options, "--quick", "--output", "refused", base=base, head=head)
    assert answer.returncode == 2, answer.stderr
    assert sentence in answer.stderr
    assert len(answer.stderr.split("gdbench: ")[1].strip().splitlines()) == 1
    assert not (trees / "refused").exists()


@pytest.fixture(scope="module")
def stopped(trees: Path) -> tuple[Any, list[psutil.Process]]:
    """A comparison that heard Ctrl-C when two of its blocks were on disk."""
    options = ("--quick", *PART, "--variant", "vectorized", "--output", "stopped")
    process = start("compare", "./base", "./head", *options, cwd=trees, XDG_CACHE_HOME=str(trees / "cache"))
    children: list[psutil.Process] = []

    def two_blocks_and_a_pair() -> bool:
        children[:] = psutil.Process(process.pid).children()
        return len(children) == 2 and len(list((trees / "stopped" / "raw").glob("screen-*.json"))) >= 2

    wait_for(two_blocks_and_a_pair, process)
    process.send_signal(signal.SIGINT)
    return finish(process), children


def test_ctrl_c_leaves_a_result_that_says_how_far_it_got(
    trees: Path, stopped: tuple[Any, list[psutil.Process]]
) -> None:
    answer, _ = stopped
    record = read_record(trees / "stopped")
    assert answer.returncode == 130, answer.stderr
    assert not record["complete"]
    assert record["progress"].startswith("stopped in screen block ")
    assert record["progress"] in answer.stderr
    assert record["settings"]["screen_blocks"] >= 2
    assert "REGRESSED" not in record["counts"]
    assert (trees / "stopped" / "comparison.html").exists()


def test_ctrl_c_leaves_no_process(stopped: tuple[Any, list[psutil.Process]]) -> None:
    _, children = stopped
    assert len(children) == 2
    assert not psutil.wait_procs(children, timeout=10)[1]


def test_a_folder_with_something_in_it_is_refused(trees: Path, record: dict[str, Any]) -> None:
    answer = compare(trees, "--output", "out")
    assert answer.returncode == 2
    assert "is not empty" in answer.stderr


def test_help_names_every_tier_with_its_minutes(tmp_path: Path) -> None:
    shown = textwrap.dedent(gdbench("compare", "--help", cwd=tmp_path).stdout)
    for tier in ("quick", "standard", "deep"):
        assert f"--{tier}" in shown
    assert "at most 15 minutes" in shown
