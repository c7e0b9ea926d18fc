"""Instructions of a call are counted alike every time, one per cent more is seen, and what cannot be counted says why.

Counts are taken where valgrind is installed, with kernels of copies that the tests change.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from gdbench.compare.comparison import compare
from gdbench.compare.conclusion import instruction_rows
from gdbench.compare.judge.terms import IMPROVED, MISSING, REGRESSED, UNCHANGED
from gdbench.compare.measure import instructions
from gdbench.compare.measure.instructions import count, count_both
from gdbench.compare.measure.session import StageProgress
from gdbench.compare.record.record import Comparison, Count, Measurements, read_record
from gdbench.compare.sides.builds import Build
from gdbench.compare.sides.family import Family, store_problems
from gdbench.compare.sides.sides import read_side
from gdbench.compare.views.headline import headline
from gdbench.compare.views.sentences import details
from gdbench.compare.views.tables import case_name
from gdbench.experiments.cases import CASE_COLUMNS, Case
from gdbench.experiments.grid import Filters, networks

from ...helpers import add_variant, copy_sources
from ..comparison_records import make

WHY_NOT = instructions.why_not()
valgrind = pytest.mark.skipif(bool(WHY_NOT), reason=f"instructions cannot be counted: {WHY_NOT}")

CASE = Case("logistic", "breast_cancer", 569, "gradient", "vectorized", 32, "float32")
PLACE = "    delta = (activations[-1] - Y) / len(X)\n"
"""In the gradient of ``vectorized``: what a variant does beside its work is written before it."""
ADDITION = 115
"""Instructions, about, of a number in ``sum(range(n))``; interpreters differ by a factor of two or three."""
AGREED = 1e-4
WIDE_SUM = """    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    wide = platform.machine() in ("x86_64", "AMD64")
    code.write(bytes.fromhex("62f17c4858c0c3" if wide else "00000000"))  # vaddps zmm0, zmm0, zmm0; ret
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""
"""An AVX-512 instruction, which valgrind does not know. Without it the process ends, as it does at zeros elsewhere."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return copy_sources(tmp_path_factory.mktemp("counted"))


@pytest.fixture(scope="module")
def build(folder) -> Build:
    return Build(read_side(str(folder)), folder)


@pytest.fixture(scope="module")
def family() -> Family:
    return Family((CASE,), networks())


@pytest.fixture(scope="module")
def problems(family, tmp_path_factory):
    return store_problems(family, tmp_path_factory.mktemp("problems"))


@pytest.fixture(scope="module")
def counted(build, family, problems) -> tuple[Count, Count]:
    return count_both((build, build), family, problems, CASE)


@pytest.fixture
def count_doing(build, family, problems):
    """Count a variant that does something beside the work of ``vectorized``."""

    def counted_doing(name: str, work: str, imports: str = "") -> Count:
        add_variant(build.root, name, (PLACE, work + PLACE), ("import numpy as np\n", f"{imports}import numpy as np\n"))
        return count(build, family, problems, replace(CASE, variant=name), 1)

    return counted_doing


@valgrind
def test_the_same_call_is_counted_alike_in_two_processes(counted):
    assert [found.reason for found in counted] == ["", ""]
    base, head = (found.per_call for found in counted)
    assert base > 32 * 30  # a multiply-add for every weight and row, 8 at once at most in float32
    assert abs(head / base - 1) < AGREED


@valgrind
def test_one_per_cent_more_work_is_seen(counted, count_doing):
    base = counted[0].per_call
    found = count_doing("slightly_slower", f"    sum(range({round(0.01 * base / ADDITION)}))\n")
    assert found.reason == ""
    assert 1 + 20 * AGREED < found.per_call / base < 1.05


@valgrind
def test_an_instruction_that_valgrind_does_not_know_gives_a_reason_and_no_number(count_doing):
    found = count_doing("wide", WIDE_SUM, imports="import ctypes\nimport mmap\nimport platform\n\n")
    assert found.per_call is None
    known_here = "avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert ("valgrind does not know" if known_here else "ended with code -4") in found.reason


@valgrind
def test_a_call_that_raises_gives_a_reason(count_doing):
    found = count_doing("raises", "    raise RuntimeError('no gradient today')\n")
    assert found.per_call is None
    assert "RuntimeError: no gradient today" in found.reason


@valgrind
def test_a_count_that_takes_too_long_is_given_up_and_leaves_no_process(count_doing, monkeypatch):
    monkeypatch.setenv("GDBENCH_PATIENCE_SECONDS", "0.2")
    before = _processes_that_count()
    found = count_doing("slower", "    sum(range(1000))\n")
    assert found == Count(None, "counting took longer than 0.2 s (GDBENCH_PATIENCE_SECONDS sets the limit)")
    assert _processes_that_count() <= before


@valgrind
def test_more_than_one_thread_is_not_counted(build, family, problems):
    found = count(build, family, problems, replace(CASE, threads=2), 0)
    assert found.per_call is None
    assert "one thread only" in found.reason


def test_without_valgrind_the_reason_names_the_remedy(build, family, problems, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    instructions.why_not.cache_clear()
    try:
        found = count(build, family, problems, CASE, 0)
    finally:
        instructions.why_not.cache_clear()
    assert found == Count(None, "valgrind is not installed (apt install valgrind)")


def test_a_valgrind_that_does_not_work_is_named(monkeypatch, tmp_path):
    tool = tmp_path / "valgrind"
    tool.write_text("#!/bin/sh\necho 'cannot start tool' >&2\nexit 1\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    instructions.why_not.cache_clear()
    try:
        assert instructions.why_not() == "valgrind does not work here (cannot start tool)"
    finally:
        instructions.why_not.cache_clear()


def _processes_that_count() -> set[int]:
    """Return the processes of this machine that count instructions of these tests."""
    return {
        process.pid
        for process in psutil.Process().children(recursive=True)
        if any("instructions_process" in word for word in process.cmdline())
    }


def _with_instructions(record: Comparison, heads: dict[int, Count]) -> Comparison:
    """Return the record with instructions of all its cases; those of head are given for some."""
    told = [Case(**{name: getattr(row, name) for name in CASE_COLUMNS}) for row in record.of_metric("time")]
    counted = {case.id: (Count(1e6), heads.get(i, Count(1e6))) for i, case in enumerate(told)}
    return replace(record, cases=(*record.cases, *instruction_rows(told, Measurements(counted=counted))))


def test_rows_of_instructions_stand_beside_time_and_are_told_last() -> None:
    heads = {0: Count(1.009e6), 1: Count(1.02e6), 2: Count(0.9e6), 3: Count(None, "it spins")}
    record = _with_instructions(make(), heads)
    rows = record.of_metric("instructions")
    assert [row.verdict for row in rows[:5]] == [UNCHANGED, REGRESSED, IMPROVED, MISSING, UNCHANGED]
    assert headline(record) == headline(make())
    told = " ".join(details(record))
    assert f"1 of {len(rows)} cases over 1 % more (most of all {case_name(rows[1])}, 1.02x), 1 over 1 % fewer" in told
    assert "not counted in 1 case (it spins)" in told


def test_without_valgrind_a_comparison_with_instructions_is_refused_before_it_builds(tmp_path: Path) -> None:
    words = "compare", "HEAD~1", "HEAD", "--instructions", "--output", str(tmp_path / "out")
    answer = subprocess.run(
        [sys.executable, "-m", "gdbench", *words],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.rstrip().splitlines()[-1] == (
        "gdbench: instructions cannot be counted: valgrind is not installed (apt install valgrind); "
        "leave --instructions out to compare times"
    )
    assert not (tmp_path / "out").exists()


@valgrind
def test_a_comparison_counts_the_instructions_of_every_case_before_it_times_one(tmp_path: Path) -> None:
    def end(step: StageProgress) -> None:
        if step.words.startswith("screen"):
            raise KeyboardInterrupt

    chosen = Filters(network=("logistic",), batch_size=(32,), task=("gradient",), dtype=("float32",))
    with pytest.raises(KeyboardInterrupt):
        compare("vectorized", "buffered", folder=tmp_path, tier="quick", filters=chosen, instructions=True, report=end)
    (row,) = read_record(tmp_path).of_metric("instructions")
    assert row.base is not None
    assert row.head is not None
    assert row.ratio == pytest.approx(row.head / row.base)
    assert 1e4 < row.base < 1e6
