"""Values of any sign and size: zeros, negative numbers, enormous ratios and steps near an end are never passed over."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdbench.history.asv_cases import case_of
from gdbench.history.detection.scale import scaled

from ..report.test_page import Elements
from .asv_results import (
    BENCHMARK,
    CASES,
    COMMITS,
    RESULTS,
    SLOW,
    STEP,
    make_repository,
    regressions,
    times,
    write_result,
)

CASE = case_of(BENCHMARK["name"], [repr(value) for value in CASES[SLOW]])
TRACKED = {"name": "suite.track_it", "version": "1", "params": []}
N, AT = 20, 10


def _read(folder: Path, values: Sequence[float], *options: str) -> Any:
    """Run the command on one benchmark's values, in the order of their dates."""
    for i, value in enumerate(values):
        write_result(folder / RESULTS, f"{i:08x}" * 5, [value], position=i, benchmark=TRACKED)
    return regressions(folder, *options)


def _levels(before: float, after: float, *, wobble: float = 0.0) -> list[float]:
    return [(before if i < AT else after) + wobble * (-1) ** i for i in range(N)]


@pytest.mark.parametrize(
    ("values", "label", "size"),
    [
        (_levels(0, 5), "REGRESSION", "0 to 5"),
        (_levels(5, 0), "IMPROVEMENT", "5 to 0"),
        (_levels(0, 1e200), "REGRESSION", "0 to 1e+200"),
        (_levels(0, 5e-324), "REGRESSION", "0 to 4.941e-324"),
        (_levels(-5, -10), "IMPROVEMENT", "-5 to -10"),
        (_levels(-5, 5, wobble=0.1), "REGRESSION", "-5 to 5"),
        (_levels(-1e308, 1e308), "REGRESSION", "-1e+308 to 1e+308"),
        (_levels(1, 1e200), "REGRESSION", "1e+200 times (1e+200 times to 1e+200 times)"),
        (_levels(1e200, 1), "IMPROVEMENT", "1e-200 times (1e-200 times to 1e-200 times)"),
    ],
)
def test_a_step_between_any_two_levels_is_proposed_with_its_size(
    values: list[float], label: str, size: str, tmp_path: Path
) -> None:
    done = _read(tmp_path, values, "--json", "-", "--output", str(tmp_path / "page"))
    assert done.returncode == 0, done.stderr
    (step,) = json.loads(done.stdout)["steps"]
    assert (step["label"], step["status"], step["commit"]) == (label, "final", f"{AT:08x}" * 5)
    assert (step["before"], step["after"]) == pytest.approx((_median(values[:AT]), _median(values[AT:])))
    assert f"  {size}  " in done.stderr
    assert (step["ratio"] is None) == (min(values) <= 0)
    assert step["spark"].count("█") == N - AT if label == "REGRESSION" else AT
    page = (tmp_path / "page" / "regressions.html").read_text(encoding="utf-8")
    (drawn,) = json.loads(Elements(page).scripts["run-data"])["cases"]
    assert drawn["axis"] == ("linear" if min(values) <= 0 else "log")
    assert [level for *_, level in drawn["levels"]] == pytest.approx([step["before"], step["after"]], rel=1e-3)
    assert drawn["steps"][0]["change"] == size.partition(" (")[0]


@pytest.mark.parametrize(
    "values",
    [[0.0] * N, [0.0, 1.0] * (N // 2), [0.0, 0.0, 1.0] * 7, [-1.2, 3.4, -0.5, 0.7, 2.2, -2.0, 0.1, -0.3] * 4],
    ids=["zeros", "flags", "rarer flags", "noise about zero"],
)
def test_values_about_zero_that_do_not_change_have_no_step(values: list[float], tmp_path: Path) -> None:
    done = _read(tmp_path, values, "--json", "-")
    record = json.loads(done.stdout)
    assert (done.returncode, record["judged"]) == (0, 1)
    assert [record[name] for name in ("steps", "skipped", "unsettled")] == [[], [], []]


def test_a_slowdown_from_zero_that_went_away_says_so(tmp_path: Path) -> None:
    done = _read(tmp_path, [*_levels(0, 5), *[0.0] * AT])
    assert done.returncode == 0
    assert f"{AT:08x} suite.track_it: went away at {N:08x}" in done.stdout


def test_a_few_zeros_among_times_are_failures_that_are_told(tmp_path: Path) -> None:
    values = _levels(1, 1.5, wobble=0.001)
    values[3] = values[15] = 0.0
    done = _read(tmp_path, values, "--json", "-")
    record = json.loads(done.stdout)
    assert [step["commit"] for step in record["steps"]] == [f"{AT:08x}" * 5]
    assert record["steps"][0]["ratio"] == pytest.approx(1.5, rel=0.01)
    told = "2 values of zero or less are left out, fewer than 3 of a case: suite.track_it"
    assert record["skipped"] == [told]


def test_series_of_any_sign_beside_one_that_steps_change_nothing_of_it(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        seconds = times(i, step_at=STEP, slow={SLOW: 1.5})
        seconds[:4] = [0.0, -1.0, float(i % 2), 3.0]  # none, a number that is no time, a flag, a constant
        write_result(tmp_path / RESULTS, commit, seconds)
    record = json.loads(regressions(tmp_path, "--json", "-").stdout)
    assert [(step["commit"], step["case"]) for step in record["steps"]] == [(commits[STEP], CASE.id)]
    assert record["judged"] == len(CASES)


UNSETTLED = {
    "one newest": ([1.0] * 19 + [2.1], "00000013 may be slower (suite.track_it: 2.1 times), but the newest result is"),
    "two newest": ([1.0] * 18 + [9.0, 8.0], "00000012 may be slower (suite.track_it: 8.5 times), but the 2 newest"),
    "after a step": ([1.0] * 10 + [2.0] * 9 + [9.0], "00000013 may be slower (suite.track_it: 4.5 times), but the ne"),
    "enormous": ([1.0] * 18 + [1e200] * 2, "00000012 may be slower (suite.track_it: 1e+200 times), but the 2 newest"),
    "from zero": ([0.0] * 18 + [5.0] * 2, "00000012 may be slower (suite.track_it: 0 to 5), but the 2 newest results"),
    "oldest": ([1.0] * 3 + [3.0] * 17, "00000003 may be slower (suite.track_it: 3 times), but the 3 oldest results"),
}


@pytest.mark.parametrize(("values", "told"), UNSETTLED.values(), ids=UNSETTLED)
def test_a_slowdown_too_near_an_end_for_a_step_is_told(values: list[float], told: str, tmp_path: Path) -> None:
    done = _read(tmp_path, values, "--markdown", str(tmp_path / "steps.md"))
    assert done.returncode == 0
    remedy = "commits before it" if "oldest" in told else "this commit again, and those after it"
    for text in (done.stdout, (tmp_path / "steps.md").read_text(encoding="utf-8").replace("\\", "")):
        assert told in text
        assert f"too few for a step: measure {remedy}." in text


@pytest.mark.parametrize(
    "values",
    [
        [1.0] * 19 + [1.9],
        [1.0] * 18 + [9.0, 1.0],
        [1.0, 9.0] * 10 + [30.0],
        [9.0] * 19 + [1.0],
        [1.0] * 6 + [9.0],
        [1.0] * 17 + [9.0] * 3,
    ],
    ids=["not twice", "gone again", "as the noise is", "faster", "too few to judge", "a step by now"],
)
def test_no_more_is_told_than_needs_a_look(values: list[float], tmp_path: Path) -> None:
    assert json.loads(_read(tmp_path, values, "--json", "-").stdout)["unsettled"] == []


def test_many_cases_that_are_slower_at_once_are_one_sentence(tmp_path: Path) -> None:
    for i in range(N):
        seconds = times(i, step_at=N - 1, slow=dict.fromkeys(range(5), 4.0))
        write_result(tmp_path / RESULTS, f"{i:08x}" * 5, seconds, position=i)
    (told,) = json.loads(regressions(tmp_path, "--json", "-").stdout)["unsettled"]
    assert told.count(" times") == 3
    assert " and 2 more), but the newest result is too few for a step" in told


def test_cases_with_too_few_results_are_counted(tmp_path: Path) -> None:
    for i in range(N):
        seconds = times(i, step_at=99, slow={})
        newer = seconds[-2:] if i >= 15 else [None, None]
        write_result(tmp_path / RESULTS, f"{i:08x}" * 5, [*seconds[:-2], *newer], position=i)
    done = regressions(tmp_path)
    assert f"2 cases of {len(CASES)} have too few results to be judged" in done.stdout


def test_a_scale_is_logarithmic_where_all_values_allow_it() -> None:
    values = np.array([1.0, np.nan, np.e])
    assert scaled(values) == pytest.approx([0, np.nan, 1], nan_ok=True)
    assert np.sinh(scaled(np.array([-4.0, np.nan, 0.0, 2.0]))) == pytest.approx([-4 / 3, np.nan, 0, 2 / 3], nan_ok=True)
    assert scaled(np.zeros(3)).tolist() == [0, 0, 0]
    assert np.isfinite(scaled(np.array([-1e308, 5e-324, 5e-324, 0.0, 1e308]))).all()


def _median(values: Sequence[float]) -> float:
    """Median of values whose sum may be beyond the largest number."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] / 2 + ordered[len(ordered) // 2] / 2
