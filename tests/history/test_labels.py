"""A step of the environment is blamed on no commit, and a step of a commit on no environment."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from gdbench.experiments.cases import Case
from gdbench.history.changes import versions
from gdbench.history.labels import ENVIRONMENT, FINAL, IMPROVEMENT, NEXT, PROVISIONAL, REGRESSION, SHARED, Proposal
from gdbench.history.record import StepRow, judge, make_record
from gdbench.history.series import History, Measured
from gdbench.history.tables import HEAD, remarks, rows

from .simulated_histories import history

VARIANTS = ("jit", "vectorized", "buffered")


def _history(
    values: Mapping[str, np.ndarray], *, changes: Sequence[int] = (), cases: Mapping[str, Case] | None = None
) -> History:
    """Make a history whose NumPy changes at some commits."""
    n = len(next(iter(values.values())))
    commits = [
        Measured(f"{i:040x}", f"subject {i}", "2026-01-01", {"numpy": str(sum(change <= i for change in changes))}, i)
        for i in range(n)
    ]
    return History("here", tuple(commits), values, cases or {})


def _cases(count: int) -> dict[str, Case]:
    cases = [
        Case("mlp", "mnist5k", 5000, "gradient", VARIANTS[i % len(VARIANTS)], 2 ** (i // 3), "float64")
        for i in range(count)
    ]
    return {case.id: case for case in cases}


def _suite(
    rng: np.random.Generator,
    *,
    count: int = 9,
    shared: Mapping[int, float],
    own: Mapping[int, Mapping[int, float]],
    **more,
) -> dict[str, np.ndarray]:
    """Make series with steps that all have, and steps of some: sizes by position, and those by case."""
    found = {}
    for i, case in enumerate(_cases(count)):
        steps = dict(sorted({**shared, **own.get(i, {})}.items()))
        found[case] = history(rng, sizes=[*steps.values()], positions=[*steps], **more).seconds
    return found


def _proposals(made: History) -> list[Proposal]:
    return judge(made).proposals


def _labels(found) -> list[tuple[str, int]]:
    return [(proposal.label, proposal.step.at) for proposal in found]


def test_a_step_of_one_case_is_its_commits() -> None:
    values = _suite(np.random.default_rng(1), shared={}, own={2: {60: 0.2}, 5: {30: -0.2}})
    found = _proposals(_history(values, cases=_cases(9)))
    assert _labels(found) == [(REGRESSION, 60), (IMPROVEMENT, 30)]
    assert {proposal.status for proposal in found} == {FINAL}


def test_a_step_that_most_cases_share_is_suspected_of_its_commit() -> None:
    values = _suite(np.random.default_rng(2), shared={50: 0.15}, own={})
    found = _proposals(_history(values, cases=_cases(9)))
    assert len(found) >= 8
    assert {proposal.label for proposal in found} == {SHARED}
    assert all(proposal.is_regression for proposal in found)
    assert "cases moved at this commit" in found[0].notes[0]
    faster = _proposals(_history(_suite(np.random.default_rng(2), shared={50: -0.15}, own={}), cases=_cases(9)))
    assert {(proposal.label, proposal.is_regression) for proposal in faster} == {(SHARED, False)}


@pytest.mark.parametrize(("moved", "label"), [(True, ENVIRONMENT), (False, SHARED)])
def test_a_shared_step_is_the_environments_only_if_the_reference_has_it_too(*, moved: bool, label: str) -> None:
    rng = np.random.default_rng(2)
    values, cases = _suite(rng, shared={50: 0.15}, own={}), _cases(9)
    for size in (1, 8):
        case = Case("mlp", "mnist5k", 5000, "gradient", "reference", size, "float64")
        values[case.id] = history(rng, **({"sizes": [0.15], "positions": [50]} if moved else {})).seconds
        cases[case.id] = case
    found = _proposals(_history(values, cases=cases))
    assert {proposal.label for proposal in found} == {label}
    values["time_canary"] = history(rng).seconds  # it runs none of the code, and stays where it is
    assert {proposal.label for proposal in _proposals(_history(values, cases=cases))} == {SHARED}
    values["time_canary"][:52] = np.nan  # it came later, and says nothing of this step
    assert {proposal.label for proposal in _proposals(_history(values, cases=cases))} == {label}


def test_a_step_of_fewer_cases_than_the_share_is_a_commits() -> None:
    own = {i: {50: 0.15} for i in range(4)}  # 4 of 9 are 44 %
    found = _proposals(_history(_suite(np.random.default_rng(3), shared={}, own=own), cases=_cases(9)))
    assert {proposal.label for proposal in found} == {REGRESSION}


def test_all_cases_of_the_only_variant_may_well_be_a_commits() -> None:
    cases = {name: case for name, case in _cases(15).items() if case.variant == "jit"}
    values = _suite(np.random.default_rng(4), count=15, shared={50: 0.2}, own={})
    found = _proposals(_history({name: values[name] for name in cases}, cases=cases))
    assert {proposal.label for proposal in found} == {REGRESSION}


def test_a_step_with_a_changed_environment_is_the_environments_though_one_case_has_it() -> None:
    values = _suite(np.random.default_rng(5), shared={}, own={2: {60: 0.2}})
    (found,) = _proposals(_history(values, changes=[60], cases=_cases(9)))
    assert found.label == ENVIRONMENT
    assert "numpy 0 -> 1" in found.notes[0]
    assert found.notes[1] == f"{NEXT}: gdbench compare --env numpy==0 --env numpy==1"
    (other,) = _proposals(_history(values, changes=[40], cases=_cases(9)))
    assert other.label == REGRESSION


def test_a_clear_step_near_a_changed_environment_stays_its_commits() -> None:
    values = _suite(np.random.default_rng(6), shared={}, own={2: {60: 0.25}})
    for change in (58, 62):
        (found,) = _proposals(_history(values, changes=[change], cases=_cases(9)))
        assert _labels([found]) == [(REGRESSION, 60)]


def test_a_step_that_a_canary_shares_is_the_environments() -> None:
    rng = np.random.default_rng(7)
    step = {"sizes": [0.2], "positions": [60]}
    values = {"slow": history(rng, **step).seconds, "other": history(rng).seconds, "time_canary": history(rng).seconds}
    (found,) = _proposals(_history(values))
    assert found.label == REGRESSION
    values["time_canary"] = history(rng, **step).seconds
    found = _proposals(_history(values))
    assert {proposal.label for proposal in found} == {ENVIRONMENT}
    assert "canary moved too" in found[0].notes[0]
    values["time_canary"] = 1 / np.asarray(history(rng, **step).seconds)
    assert {proposal.label for proposal in _proposals(_history(values)) if "canary" not in proposal.step.case} == {
        REGRESSION
    }  # the other became faster


def test_a_young_step_is_provisional() -> None:
    values = history(np.random.default_rng(8), sizes=[0.5], positions=[97]).seconds
    (found,) = _proposals(_history({"case": values}))
    assert (found.status, found.step.values_after) == (PROVISIONAL, 3)


def test_a_step_whose_interval_holds_no_change_is_neither_final_nor_an_improvement() -> None:
    """Outliers on few results: the means of the levels differ clearly, the medians hardly."""
    rng, unclear = np.random.default_rng(15), []
    for i in range(120):
        values = history(rng, sizes=[(0.3, -0.2)[i % 2]], positions=[93 + i % 4]).seconds
        unclear += [found for found in _proposals(_history({"case": values})) if found.step.low <= 1 <= found.step.high]
    assert {(found.label, found.status) for found in unclear} == {(REGRESSION, PROVISIONAL)}
    assert any(found.step.values_after >= 4 for found in unclear)
    assert {found.notes[0] for found in unclear} == {"its interval holds no change"}


def test_a_step_that_went_away_says_where() -> None:
    values = history(np.random.default_rng(9), sizes=[0.25, -0.2], positions=[40, 70]).seconds
    found = {proposal.step.at: proposal for proposal in _proposals(_history({"case": values}))}
    assert found[40].notes == (f"went away at {70:040x}"[: len("went away at ") + 8],)
    assert found[70].notes == ()


def test_a_cost_that_only_shifted_between_tasks_says_so() -> None:
    rng = np.random.default_rng(10)
    cases = [Case("mlp", "mnist5k", 5000, task, "jit", 32, "float64") for task in ("forward", "loss", "gradient")]
    values = {case.id: history(rng, sd=0.005).seconds for case in cases}
    values[cases[0].id] = values[cases[0].id] + 3e-4 * (np.arange(100) >= 50)
    (alone,) = _proposals(_history(values, cases={case.id: case for case in cases}))
    assert not any("cost shifted" in note for note in alone.notes)
    values[cases[1].id] = values[cases[1].id] - 3e-4 * (np.arange(100) >= 50)
    found = _proposals(_history(values, cases={case.id: case for case in cases}))
    assert [any("cost shifted" in note for note in proposal.notes) for proposal in found] == [True, True]


def test_regressions_come_first_and_the_largest_of_them() -> None:
    own = {1: {30: 0.1}, 2: {60: 0.5}, 3: {70: -0.4}}
    found = _proposals(_history(_suite(np.random.default_rng(11), shared={}, own=own), cases=_cases(9)))
    assert _labels(found) == [(REGRESSION, 60), (REGRESSION, 30), (IMPROVEMENT, 70)]


@pytest.mark.parametrize("told", [True, False])
def test_shared_steps_are_of_the_environment_if_it_changed_and_else_shared(told: bool) -> None:
    """Suites with two shared steps and two of one case each, in noise of 1 to 3 % with gaps."""
    rng = np.random.default_rng(12 + told)
    blamed, as_it_is, shared_steps, found_own = 0, 0, 0, 0
    suites = 7
    for _ in range(suites):
        shared = {30: rng.choice([-1, 1]) * rng.uniform(0.05, 0.25), 85: rng.choice([-1, 1]) * rng.uniform(0.05, 0.25)}
        own = {int(rng.integers(0, 6)): {60: 0.25}, int(rng.integers(6, 12)): {55: 0.25}}
        more = {"n": 110, "sd": rng.uniform(0.01, 0.03), "missing": 0.1, "autocorrelation": rng.uniform(0, 0.6)}
        values = _suite(rng, count=12, shared=shared, own=own, **more)
        found = _proposals(_history(values, changes=[30, 85] if told else [], cases=_cases(12)))
        near = [proposal for proposal in found if min(abs(proposal.step.at - at) for at in shared) <= 5]
        shared_steps += len(near)
        blamed += sum(proposal.label in (REGRESSION, IMPROVEMENT) for proposal in near)
        as_it_is += sum(proposal.label == (ENVIRONMENT if told else SHARED) for proposal in near)
        found_own += sum(proposal.label == REGRESSION and 52 <= proposal.step.at <= 63 for proposal in found)
    assert shared_steps >= 0.8 * suites * 2 * 12
    assert blamed <= 0.02 * shared_steps
    assert as_it_is >= 0.95 * shared_steps
    assert found_own >= 0.9 * suites * 2


@pytest.mark.parametrize(("shift", "asked"), [(0.3, True), (-0.3, False)], ids=["slower", "faster"])
def test_only_a_shared_slowdown_is_to_be_confirmed(shift: float, asked: bool) -> None:
    """``--confirm`` measures what became slower, and nothing else is told to be measured by it."""
    made = _history(_suite(np.random.default_rng(2), shared={50: shift}, own={}), cases=_cases(9))
    found = judge(made)
    told = [row[HEAD.index("status")] for row in rows(make_record([found])) if row[HEAD.index("label")] == SHARED]
    assert any(one.is_regression for one in found.proposals) is asked
    assert {"--confirm" in status for status in told} == {asked}


def test_a_record_is_the_same_whatever_the_order_of_the_cases() -> None:
    values = _suite(np.random.default_rng(14), shared={50: 0.1}, own={1: {80: 0.2}})
    records = [
        _steps(_history({name: values[name] for name in order}, cases=_cases(9)))
        for order in (sorted(values), sorted(values, reverse=True))
    ]
    assert records[0] == records[1]


def _steps(made: History) -> list[StepRow]:
    return sorted(make_record([judge(made)]).steps, key=lambda step: (step.commit, step.case))


def test_environments_to_compare_have_the_packages_whose_version_changed_and_nothing_else() -> None:
    before = {
        "numpy": "1.26",
        "pip+Numba": "==0.65",
        "python": "3.11",
        "dask": "",
        "os": "Linux 5",
        "OMP_NUM_THREADS": "1",
    }
    after = {
        "numpy": "2.1.0",
        "numba": "0.66.0",
        "python": "3.12",
        "dask": "2",
        "os": "Linux 6",
        "OMP_NUM_THREADS": "2",
    }
    assert versions(before, after) == (
        "numpy==1.26,numba==0.65,python==3.11",
        "numpy==2.1.0,numba==0.66.0,python==3.12",
    )
    assert versions(before, before) == ("", "")
    assert versions({"numpy": "2.1"}, {"numpy": "2.1.0", "tbb": "1"}) == ("", "")


def test_the_next_step_of_a_changed_environment_is_told_once_for_all_its_cases() -> None:
    made = _history(_suite(np.random.default_rng(2), shared={50: 0.3}, own={}), changes=[50], cases=_cases(9))
    record = make_record([judge(made)])
    assert len([step for step in record.steps if step.label == ENVIRONMENT]) > 1
    told = [remark for remark in remarks(record) if "--env" in remark]
    assert told == [f"{record.steps[0].commit[:8]}: {NEXT}: gdbench compare --env numpy==0 --env numpy==1"]
