"""Exact truths of picks: the theory that the oracles bear out, the file that keeps them, and synthetic clocks."""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from selftest.picks.clocks import CACHE_KNEE, CLOCKS, HALF_THROUGHPUTS, THREAD_KNEE, line
from selftest.picks.exact import exact_steps
from selftest.picks.family import FAMILY, Instance
from selftest.picks.findings import PICK_FOLDER, TRUTHS
from selftest.picks.known_study import truths_file
from selftest.picks.truths import ExactTruth, Truths, exact_truth

ENDLESS = [name for name in FAMILY if name.startswith(("quadratic", "gaussian"))]
CHECKED = [
    *((name, (1, 32, 1024)) for name in ENDLESS),
    *(("diabetes", (1, 64, 442)), ("wine", (1, 32, 178)), ("breast_cancer", (32, 569)), ("digits", (1797,))),
]
"""Batch sizes by problem: moments of digits are matrices of 1953 rows, diagonal only where all rows are taken."""


@cache
def instance(name: str) -> Instance:
    return FAMILY[name]()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Truths:
    """The truths of the study, in a copy: what is missing is computed, and must not be written into the repository."""
    return Truths(truths_file(tmp_path_factory.mktemp("kept")))


def best_steps(kept: Truths, name: str) -> np.ndarray:
    """Steps at the best rate of every candidate."""
    return np.array([kept.best(instance(name), size)[1] for size in instance(name).candidates])


@pytest.mark.parametrize("name", FAMILY)
def test_more_rows_a_step_never_need_more_steps(name: str, kept: Truths) -> None:
    steps = best_steps(kept, name)
    assert (steps[1:] <= 1.01 * steps[:-1]).all()
    assert steps[-1] >= 5
    assert steps[0] < 3e5


@pytest.mark.parametrize("name", FAMILY)
def test_more_rows_a_step_never_need_fewer_rows_but_near_all_of_a_finite_set(name: str, kept: Truths) -> None:
    """Noise of a subset falls as (N - B) / (B (N - 1)), faster than 1 / B: near N this saves rows, too."""
    problem = instance(name)
    sizes, steps = np.array(problem.candidates), best_steps(kept, name)
    far = sizes <= (problem.oracle.n_rows or math.inf) / 64
    rows = (sizes * steps)[far]
    assert len(rows) > 1
    assert (rows[1:] >= 0.99 * rows[:-1]).all()


def curve_of(kept: Truths, name: str) -> tuple[float, float]:
    """Floor and critical batch of ``K = S (1 + Bn / B)``, by least squares of the relative errors."""
    sizes, steps = np.array(instance(name).candidates), best_steps(kept, name)
    columns = np.stack([np.ones(len(sizes)), 1 / sizes], axis=1) / steps[:, None]
    floor, slope = np.linalg.lstsq(columns, np.ones(len(sizes)), rcond=None)[0]
    return float(floor), float(slope / floor)


@pytest.mark.parametrize("name", ["gaussian-10-0", "gaussian-100-0", "gaussian-1000-0"])
def test_without_label_noise_the_critical_batch_is_a_few_times_trace_over_curvature(name: str, kept: Truths) -> None:
    oracle = instance(name).oracle
    assert 2 <= curve_of(kept, name)[1] / (oracle.h.sum() / oracle.h.max()) <= 5


def test_the_square_root_of_critical_batch_and_half_throughput_is_near_the_best_batch(kept: Truths) -> None:
    near = []
    for name in ENDLESS:
        sizes = np.array(instance(name).candidates)
        log_steps = PchipInterpolator(np.log(sizes), np.log(best_steps(kept, name)))
        fine = np.geomspace(1, sizes[-1], 2000)
        for half in HALF_THROUGHPUTS:
            seconds = np.exp(log_steps(np.log(fine))) * [line(half).seconds(size) for size in fine]
            best = fine[np.argmin(seconds)]
            predicted = np.clip(math.sqrt(curve_of(kept, name)[1] * half), 1, sizes[-1])
            near.append(1 / math.sqrt(2) <= predicted / best <= math.sqrt(2))
    assert len(near) >= 60
    assert np.mean(near) >= 0.9


@pytest.mark.parametrize(("name", "sizes"), CHECKED)
def test_kept_truths_are_those_that_are_computed_here(name: str, sizes: tuple[int, ...], kept: Truths) -> None:
    """The steps exactly, and at neighbouring rates more of them: a search anew costs twenty times as much."""
    problem, before = instance(name), dict(kept.known)
    for size in sizes:
        rate, steps = kept.best(problem, size)
        found = [exact_steps(problem.oracle, size, side * rate, problem.goal) for side in (1, 0.8, 1.25)]
        assert found[0] == pytest.approx(steps, rel=1e-6)
        assert min(found[1:]) > steps
    assert kept.known == before


@pytest.mark.parametrize("name", ["quadratic-1", "gaussian-100-0.1", "wine"])
def test_kept_truths_are_found_anew(name: str, kept: Truths, tmp_path: Path) -> None:
    """Only nearly: the search ends within a hundredth of the best rate, and last bits decide where."""
    problem, fresh = instance(name), Truths(tmp_path / TRUTHS)
    for size in problem.candidates[-3:]:
        rate, steps = fresh.best(problem, size)
        assert kept.best(problem, size) == (pytest.approx(rate, rel=0.03), pytest.approx(steps, rel=1e-3))


def test_every_truth_of_the_study_is_kept(kept: Truths) -> None:
    before = dict(kept.known)
    for problem in map(instance, FAMILY):
        best_steps(kept, problem.name)
    assert kept.known == before
    assert kept.known == Truths(PICK_FOLDER / TRUTHS).known


def test_clocks_tell_the_times_of_their_formula() -> None:
    assert len(CLOCKS) == len(HALF_THROUGHPUTS) + 2
    for half in HALF_THROUGHPUTS:
        times = CLOCKS[f"half-{half}"].times([4096, 1, half])
        assert [row.batch_size for row in times.rows] == sorted([4096, 1, half])
        assert all(row.low == row.seconds == row.high for row in times.rows)
        assert times.model.half_throughput == pytest.approx(half)
        assert line(half).seconds(half) / half == pytest.approx(2 * times.model.per_row)


def test_knees_bend_clocks_where_they_say() -> None:
    slopes = np.diff([CACHE_KNEE.seconds(size) for size in (126, 127, 128, 129, 130)])
    assert slopes == pytest.approx(CACHE_KNEE.per_row * np.array([1, 1, 1.6, 1.6]))
    assert THREAD_KNEE.seconds(511) > THREAD_KNEE.seconds(512) > THREAD_KNEE.seconds(256)
    for clock in (CACHE_KNEE, THREAD_KNEE):
        knee = clock.times([1]).model.knees[0]
        beyond = clock.seconds(4096) - clock.seconds(4095)
        assert knee.batch_size == clock.knee
        assert clock.per_row + knee.seconds_per_row == pytest.approx(beyond)


def test_truths_are_kept_whatever_a_crash_leaves_behind(tmp_path: Path) -> None:
    path, problem = tmp_path / "truths.jsonl", instance("gaussian-10-0.1")
    truths = Truths(path)
    best = truths.best(problem, 1024)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], '{"key": "cut sho', lines[-1]]), encoding="utf-8")
    again = Truths(path)
    assert again.known == truths.known
    assert again.best(problem, 1024) == best


def test_what_is_in_the_file_is_not_computed_again(tmp_path: Path) -> None:
    path, problem = tmp_path / "truths.jsonl", instance("gaussian-10-0.1")
    rate, steps = Truths(path).best(problem, 4096)
    path.write_text(path.read_text(encoding="utf-8").replace(repr(steps), "7.5"), encoding="utf-8")
    assert Truths(path).best(problem, 4096) == (rate, 7.5)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def another(problem: Instance, **factors: float) -> Instance:
    """The problem with some numbers of its oracle multiplied, under the same name."""
    changed = {name: factor * getattr(problem.oracle, name) for name, factor in factors.items()}
    return replace(problem, oracle=replace(problem.oracle, **changed))


def test_last_bits_are_the_same_problem(tmp_path: Path) -> None:
    """Processors differ in them: a truth that was computed on one is there on the others."""
    path, problem = tmp_path / "truths.jsonl", instance("gaussian-10-0.1")
    truths, near = Truths(path), another(problem, h=1 + 1e-13, optimum=1 - 1e-13, label_variance=1 + 1e-13)
    best = truths.best(problem, 4096)
    assert near.oracle.key != problem.oracle.key
    assert Truths(path).best(near, 4096) == best
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize("part", ["h", "optimum", "label_variance"])
def test_another_problem_of_the_same_name_is_found_out_and_computed_anew(part: str, tmp_path: Path) -> None:
    path, problem = tmp_path / "truths.jsonl", instance("gaussian-10-0.1")
    changed = another(problem, **{part: 1.001})
    old, new = Truths(path).best(problem, 4096), Truths(path).best(changed, 4096)
    assert new[1] == pytest.approx(exact_steps(changed.oracle, 4096, new[0], changed.goal)) != old[1]
    assert Truths(path).best(changed, 4096) == new  # what was computed last stands
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_an_instance_tells_its_exact_steps(tmp_path: Path) -> None:
    truth = exact_truth("gaussian-10-0.1", tmp_path / TRUTHS)
    problem, (rate, steps) = truth.instance, truth.truths.best(truth.instance, 1024)
    assert truth.best(1024) == (steps, 0.0)
    assert truth.steps(1024, rate) == (pytest.approx(steps), 0.0)
    assert truth.steps(1024, rate / 2)[0] > 1.5 * steps
    assert truth.steps(8, 1e3) == (math.inf, 0.0)
    assert (truth.target.value, truth.target.start) == (problem.goal, problem.oracle.start_loss())
    assert truth.problem(1).key != truth.problem(2).key
    assert truth.problem(1).start_loss() == truth.target.start


def test_instances_have_a_family(tmp_path: Path) -> None:
    truths = Truths(tmp_path / TRUTHS)
    found = {name: ExactTruth(instance(name), truths).family for name in ("quadratic-1", "gaussian-10-0", "wine")}
    assert found == {"quadratic-1": "quadratic", "gaussian-10-0": "gaussian", "wine": "rows"}
