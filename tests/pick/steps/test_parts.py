"""Looks at parts of the rows: right on average, each row in one of them, and cheap beside the steps."""

from dataclasses import replace

import numpy as np
import pytest

from gdbench.pick.steps.optimum import find_optimum
from gdbench.pick.steps.parts import LOOK_SHARE, MIN_LOOK_ROWS, PASSES, look_rows
from gdbench.pick.steps.problem import NetworkProblem

from .test_problem import N, make_problem

SEEDS = range(4)
"""As many runs as there are parts."""


def with_parts(problem: NetworkProblem, seeds=SEEDS):
    return problem.begin(8, 0.5, seeds, look_rows=N // len(SEEDS))


def test_each_row_is_in_a_part() -> None:
    found = make_problem().parts(N // len(SEEDS))
    assert len(found.rows) == len(SEEDS)
    assert set(found.rows.ravel()) == set(range(N))
    assert np.bincount(found.rows.ravel()).max() <= 2


@pytest.mark.parametrize("name", ["logistic", "mlp"])
def test_parts_of_consecutive_runs_have_the_loss_of_all_rows_on_average(name: str) -> None:
    problem = make_problem(name)
    runs, whole = with_parts(problem), problem.begin(8, 0.5, SEEDS)
    for each in (runs, whole):
        each.thetas[:] = problem.start(7)
    assert runs.losses().std() > 1e-3
    assert runs.losses().mean() == pytest.approx(whole.losses().mean(), rel=0.05)  # some rows are in two parts
    assert runs.all_losses() == pytest.approx(whole.losses(), rel=1e-12)


def test_a_run_has_the_same_rows_whatever_is_beside_it() -> None:
    together, alone = with_parts(make_problem()), with_parts(make_problem(), (2,))
    assert together.losses()[2] == alone.losses()[0]


def test_at_the_least_loss_parts_do_not_differ() -> None:
    plain = make_problem("linear")
    plain = replace(plain, V=plain.X, T=plain.Y)
    optimum = find_optimum(plain.network, plain.X, plain.Y)
    spread = {}
    for name, anchor in (("plain", None), ("corrected", optimum.theta)):
        runs = with_parts(replace(plain, anchor=anchor))
        runs.thetas[:] = optimum.theta + 1e-3
        spread[name] = runs.losses().std()
    assert (runs.losses() >= optimum.value).all()
    assert spread["corrected"] < 1e-3 * spread["plain"]


def test_all_rows_are_looked_at_where_parts_save_little_or_all_runs_are_the_same() -> None:
    problem = make_problem()
    assert problem.parts(0) is None
    assert problem.parts(N // 2 + 1) is None
    assert replace(problem, sample=np.arange(9)).parts(4) is None
    alike = replace(problem, scheme="zeros")
    assert alike.begin(N, 0.5, SEEDS, look_rows=9).parts is None
    assert alike.begin(8, 0.5, SEEDS, look_rows=9).parts is not None
    assert problem.begin(N, 0.5, SEEDS, look_rows=9).parts is not None


def test_looks_cost_their_share_of_the_steps_but_for_the_fewest_rows() -> None:
    looks = (100, 200, 400, 800)
    for size in (16, 32, 1024):
        rows = look_rows(size, looks)
        assert rows * len(looks) <= LOOK_SHARE * PASSES * size * looks[-1] < (rows + 1) * len(looks)
    assert look_rows(1, (5, 6, 7)) == MIN_LOOK_ROWS
