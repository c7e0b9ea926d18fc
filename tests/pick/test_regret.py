"""The regret of picks: a reduced study on problems of known expected loss, and how the studies count."""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_limits

import gdbench.pick
from gdbench.basics.records import plain
from gdbench.pick.choose.choice import NoChoice
from gdbench.pick.choose.choose import choose
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.answer import REACHED, Steps, StepsRow, Target
from gdbench.pick.steps.measure import OutOfTime, measure_steps
from gdbench.pick.steps.tiers import get_tier
from gdbench.pick.steps.trials import Curves, Trial
from kernels import Network
from selftest import run
from selftest.context import Context
from selftest.journal import Journal
from selftest.picks.cells import Cell
from selftest.picks.clocks import CLOCKS, line
from selftest.picks.curves import Truth
from selftest.picks.empirical_study import TIMES, VARIANTS, Study
from selftest.picks.exact import best_rate, exact_steps
from selftest.picks.family import FAMILY
from selftest.picks.findings import ORACLES, PICK_FOLDER, REGRETS, TABLES, code_of_runs, code_of_search, latest, put
from selftest.picks.judging import RULES, against, judge
from selftest.picks.known_study import Job, measure, study, truths_file
from selftest.picks.report import write_report
from selftest.picks.runs import FINE, OCTAVE, Found, Runs, on_grid, shifted, vertex
from selftest.picks.scores import NORMAL_90, cover, errors_of, is_close, measured, regret, rule_regrets
from selftest.picks.truths import exact_truth
from selftest.picks.virtual import VirtualClock, VirtualRunner

FEW, FEW_CLOCKS = ("quadratic-1", "gaussian-10-0.1"), ("half-16", "half-1024")
MORE = (*FEW, "gaussian-10-0", "gaussian-100-0.1", "gaussian-100-1", "wine", "breast_cancer")
CLOSE = pytest.approx


@pytest.fixture(
    scope="module",
    params=[(FEW, FEW_CLOCKS, range(4)), pytest.param((MORE, tuple(CLOCKS), range(1)), marks=pytest.mark.slow)],
    ids=["few", "more"],
)
def searches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Searches of some problems, judged: what the study does, with few seeds."""
    names, clocks, seeds = request.param
    make = partial(exact_truth, path=truths_file(tmp_path_factory.mktemp("picks")))
    with threadpool_limits(1):
        return [entry for name in names for seed in seeds for entry in study(Job(make, name, seed, "standard", clocks))]


def test_picks_are_near_the_best(searches: list[dict]) -> None:
    """Goals of the whole study are 1, 4 and 10 %; few seeds of some problems have room for their small number."""
    found = regret(search["regret"] for search in searches)
    assert found.count == len(searches)
    assert found.median <= 0.03
    assert found.p90 <= 0.06
    assert found.worst <= 0.15


def test_steps_are_near_the_truth_and_their_intervals_hold_it(searches: list[dict]) -> None:
    errors = errors_of(searches)
    assert len(errors) >= 4 * len(searches)
    assert np.mean([is_close(row, error) for row, error in errors]) >= 0.8
    assert cover(measured(searches)) >= 0.7
    assert cover(searches) >= 0.5


def test_fixed_rules_lose_several_times_as_much(searches: list[dict]) -> None:
    found, rules = regret(search["regret"] for search in searches), rule_regrets(searches)
    assert set(rules) == set(RULES)
    assert all(found.p90 <= rule.p90 / 3 for rule in rules.values())


def test_regret_of_a_pick_is_its_exact_time_over_the_best(searches: list[dict], tmp_path: Path) -> None:
    instance, truth = FAMILY["quadratic-1"](), exact_truth("quadratic-1", truths_file(tmp_path))
    for search in (one for one in searches if one["problem"] == "quadratic-1"):
        clock = CLOCKS[search["clock"]]
        seconds = {size: truth.best(size)[0] * clock.seconds(size) for size in instance.candidates}
        steps = exact_steps(instance.oracle, search["picked"], search["rate"], instance.goal)
        assert search["best"] == min(seconds, key=lambda size: seconds[size])
        assert 1 + search["regret"] == CLOSE(steps * clock.seconds(search["picked"]) / min(seconds.values()))
        assert search["regret"] >= search["size_regret"] - 1e-3  # its own rate is not better than the best one


def test_a_search_spends_no_more_than_its_tier_has(searches: list[dict]) -> None:
    for search in searches:
        assert 0 < search["seconds"] <= {"quick": 7.5, "standard": 54.0}[search["tier"]]
        assert search["runs"] > 100


def row_at(size: int, steps: int, low: float, high: float, *, rate: float = 0.5) -> StepsRow:
    return StepsRow(size, REACHED, "", rate, steps, low, high, 0.01, measured=True, runs=50, failed=0)


UNMEASURED = StepsRow(8, "extrapolated", "no run", None, 3, None, None, None, measured=False, runs=0, failed=0)


class Halves:
    """A truth: 100 steps at a batch size of 1, half as many at twice as many rows; more at rates other than 0.5."""

    name, family, n_rows, candidates = "halves", "toy", None, (1, 2, 4, 8)

    def __init__(self, error: float = 0.0) -> None:
        self.error = error

    def steps(self, batch_size: int, learning_rate: float) -> tuple[float, float]:
        return (
            100 / batch_size * max(learning_rate / 0.5, 0.5 / learning_rate) if learning_rate < 2 else math.inf
        ), self.error

    def best(self, batch_size: int) -> tuple[float, float]:
        return 100 / batch_size, self.error


def steps_of(*rows: StepsRow) -> Steps:
    return Steps(REACHED, "", Target(0.1, 1.0, 0.0, "training loss", "0.1"), rows, None, 100, 1e4, 0)


def test_a_pick_is_judged_by_expected_steps_and_its_interval_by_whole_ones() -> None:
    clock = line(1)  # seconds of a step go as 1 + B: the best of the four is 8, at 9 / 8 for each row
    steps = steps_of(row_at(2, 50, 49.0, 51.0), row_at(4, 26, 25.0, 27.0, rate=0.45))
    choice = choose(steps, clock.times((1, 2, 4, 8)))
    told = judge(Halves(), clock, choice)
    assert (told["picked"], told["best"]) == (4, 8)
    assert told["size_regret"] == CLOSE(10 / 9 - 1)
    assert told["regret"] == CLOSE(10 / 9 / 0.9 - 1)  # 25 / 0.9 = 27.8 steps at that rate
    assert not told["covered"]  # 28 whole steps, where 26 and a standard error of 1 % were told
    assert judge(Halves(error=0.05), clock, choice)["covered"]
    assert told["rules"] == {"32": CLOSE(0), "all rows": CLOSE(0), "90 % of the throughput": CLOSE(0)}
    never = judge(Halves(), clock, choose(steps_of(row_at(4, 25, 24.0, 26.0, rate=3.0)), clock.times((4,))))
    assert (never["picked"], never["regret"], never["covered"]) == (4, None, False)
    nothing = judge(Halves(), clock, NoChoice("time", "capped", "no rate got there", ()))
    assert (nothing["picked"], nothing["regret"], nothing["covered"]) == (None, None, False)


def test_steps_that_were_told_are_held_against_whole_ones() -> None:
    told = against(Halves(), row_at(8, 13, 12.1, 13.0))  # the truth is 12.5, which takes 13 steps
    assert (told["steps"], told["exact"], told["fewest"], told["covered"]) == (13, 13, 13, True)
    assert not against(Halves(), row_at(4, 27, 26.1, 28.0))["covered"]  # 25
    assert against(Halves(error=0.05), row_at(4, 27, 26.1, 28.0))["covered"]
    never = against(Halves(), row_at(4, 25, 24.0, 26.0, rate=3.0))
    assert (never["exact"], never["covered"]) == (None, False)
    assert against(Halves(), UNMEASURED)["steps"] is None


def test_errors_count_what_was_measured_and_a_single_step_is_close() -> None:
    rows = [against(Halves(), row) for row in (row_at(1, 104, 99.0, 110.0), row_at(8, 14, 13.5, 15.0), UNMEASURED)]
    rows += [against(Halves(), row_at(2, 54, 53.0, 55.0)), against(Halves(), row_at(4, 25, 24.0, 26.0, rate=3.0))]
    found = errors_of([{"steps": rows}])
    assert [error for _, error in found] == [CLOSE(0.04), CLOSE(1 / 13), CLOSE(0.08), -1.0]
    assert [is_close(row, error) for row, error in found] == [True, True, False, False]
    assert cover(measured([{"steps": rows}])) == 0.25


def test_regret_quantiles_are_values_that_occurred() -> None:
    found = regret([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.5])
    assert (found.median, found.p90, found.worst, found.count) == (0.05, 0.09, 0.5, 11)
    never = regret([0.0, None, 0.0])
    assert (never.median, never.p90, never.worst) == (0.0, math.inf, math.inf)
    assert math.isnan(regret([]).median)


def test_fixed_rules_take_what_they_are_named_for() -> None:
    few, many = (1, 2, 4, 8, 10), (*(2**power for power in range(12)), 4096)
    half = {name: rule(many, line(16).seconds) for name, rule in RULES.items()}
    assert half == {"32": 32, "all rows": 4096, "90 % of the throughput": 256}
    assert {name: rule(few, line(1).seconds) for name, rule in RULES.items()} == {
        "32": 10,
        "all rows": 10,
        "90 % of the throughput": 8,
    }


class Counted:
    """A runner whose trials take as many seconds as they have runs."""

    workers = 1

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def run(self, problem: object, trials: list[Trial]) -> list[Curves]:
        self.trials += trials
        return [
            Curves(np.array([1]), np.zeros((1, 1)), 1.0, float(len(trial.seeds)), 0.0, np.empty(0)) for trial in trials
        ]


def trial(runs: int) -> Trial:
    return Trial(8, 0.1, tuple(range(runs)), (1,), 0.0)


def test_a_virtual_clock_goes_on_as_workers_finish_the_trials_of_a_round() -> None:
    inner, clock, known = Counted(), VirtualClock(20.0), {}
    runner, problem = VirtualRunner(inner, clock, 2, known), FAMILY["quadratic-1"]().oracle
    found = runner.run(problem, [trial(3), trial(1), trial(2), trial(4)])  # one takes 3 and 4, the other 1 and 2
    assert [curves.seconds for curves in found] == [3, 1, 2, 4]
    assert (clock.spent, clock.left) == (7.0, 13.0)
    heard = []
    again = runner.run(problem, [trial(4), trial(5)], on_done=lambda place, curves: heard.append((place, curves)))
    assert len(inner.trials) == 5  # one of them had been run
    assert heard == list(enumerate(again))
    assert clock.left == 8.0
    with pytest.raises(OutOfTime, match="budget"):
        runner.run(problem, [trial(8), trial(1)])
    assert clock.left == 0
    other = VirtualRunner(inner, VirtualClock(20.0), 2, known)
    other.run(replace(problem, entropy=1), [trial(3)])
    assert len(inner.trials) == 7  # of another problem nothing is known
    assert other.clock.spent == 3.0


def test_a_search_ends_when_its_virtual_clock_does() -> None:
    """The search of a problem of long runs, on a clock on which every trial takes hours."""

    class Slow(VirtualRunner):
        def run(self, problem: object, trials: list[Trial], **options: object) -> list[Curves]:
            self.clock.spent += 3600.0
            return super().run(problem, trials, **options)

    instance, clock = FAMILY["gaussian-10-0"](), VirtualClock(5 * 3600.0)
    sizes = {size: line(16).seconds(size) for size in instance.candidates}
    target = Target(instance.goal, 1.0, 0.0, "training loss", "a share")
    with serial() as runner:
        steps = measure_steps(
            instance.oracle,
            sizes,
            target=target,
            tier=get_tier("quick"),
            seed=0,
            runner=Slow(runner, clock, 2, {}),
            clock=clock,
        )
    assert steps.reason == "the budget ended the search"
    assert clock.left == 0


def test_what_a_study_has_measured_is_not_measured_again(tmp_path: Path) -> None:
    said: list[str] = []
    context = Context(tmp_path, tmp_path, 0, "quick", said.append)
    make = partial(exact_truth, path=truths_file(tmp_path))
    measure(context, ORACLES, make, names=("gaussian-10-0.1",), seeds=(3,), workers=1)
    entries = context.journal.entries(ORACLES)
    assert [entry["key"] for entry in entries] == [f"quick gaussian-10-0.1 3 {clock}" for clock in CLOCKS]
    assert all(entry["code"] == code_of_search() for entry in entries)
    before = len(said)
    measure(context, ORACLES, make, names=("gaussian-10-0.1",), seeds=(3,), workers=1)
    assert context.journal.entries(ORACLES) == entries
    assert said[before:] == [said[before - 1]]  # the summary alone


@pytest.fixture
def quadratic(tmp_path: Path) -> Iterator[Runs]:
    instance = FAMILY["quadratic-1"]()
    with serial() as runner:
        yield Runs("toy", replace(instance.oracle, entropy=3), instance.goal, 20, {64: 400}, runner, Journal(tmp_path))


def test_exhaustive_runs_find_the_best_rate(quadratic: Runs) -> None:
    """Begun two octaves off; the best rate of the grid is within an eighth of an octave of the best of all."""
    instance = FAMILY["quadratic-1"]()
    rate, steps = best_rate(instance.oracle, 64, instance.goal)
    found = quadratic.best(64, shifted(on_grid(rate), -2 * OCTAVE), 60, step=FINE)
    exact = exact_steps(instance.oracle, 64, found.rate, instance.goal)
    assert found.rate == on_grid(found.rate)
    assert abs(math.log(found.steps / exact)) <= 3 * found.half_width / NORMAL_90
    assert exact <= 1.03 * steps


def test_exhaustive_runs_are_kept(quadratic: Runs) -> None:
    rates = [on_grid(0.25), on_grid(0.5)]
    found = quadratic.at(64, rates, 30)
    idle = replace(quadratic, runner=None)
    assert idle.at(64, rates, 30) == found
    assert [one.rate for one in idle.most_certain(64)] == rates
    assert idle.most_certain(32) == []
    with pytest.raises(AttributeError):  # another number of runs has to be run
        idle.at(64, rates, 31)


def test_the_same_runs_are_the_same_in_other_parts(quadratic: Runs, tmp_path: Path) -> None:
    rate = on_grid(0.25)
    other = replace(quadratic, together=15, journal=Journal(tmp_path / "other"))
    first, second = quadratic.at(64, [rate], 30)[rate], other.at(64, [rate], 30)[rate]
    assert first.steps == CLOSE(second.steps, rel=1e-9)


def test_the_vertex_of_a_parabola_is_found() -> None:
    def at(rate: float) -> Found:
        return Found(rate, 100 * math.exp(math.log(rate / 0.3) ** 2), 0.01, 4, 0)

    assert vertex([at(0.5), at(0.25), at(0.125)]) == CLOSE(0.3)
    assert vertex([at(0.125), at(0.0625)]) == 0.125  # no neighbour on one side: the best that was run
    assert vertex([at(0.25), at(0.125), Found(0.5, math.inf, math.inf, 4, 4)]) == 0.25


class Toy(Cell):
    """A real cell without the smallest batch sizes, whose runs are by far the longest."""

    @property
    def candidates(self) -> tuple[int, ...]:
        return tuple(size for size in super().candidates if size >= 16)


CELL = Toy(
    "toy",
    "diabetes",
    Network.linear,
    "zeros",
    locating=4,
    coarse=6,
    refined=12,
    together=12,
    largest=256,
    picks=1,
)


@pytest.fixture(scope="module")
def empirical(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """All stages of the study on a real cell with few runs, but the timing: times are those of a clock."""
    folder = tmp_path_factory.mktemp("empirical")
    context = Context(folder / "scratch", folder / "findings", 0, "quick", lambda text: None)
    for variant, clock in zip(VARIANTS, (line(4), line(1)), strict=True):
        times = clock.times(CELL.candidates)
        rows = tuple(replace(row, variant="vectorized") for row in times.rows)
        context.journal.write(TIMES, f"{CELL.name} {variant}", times=plain(replace(times, rows=rows, variant=variant)))
    with threadpool_limits(1), serial() as runner:
        for stage in ("times", "oracle", "picks", "report"):
            Study(context, CELL, runner, 2).measure(stage)
    return context.journal


def test_the_best_batch_sizes_of_a_cell_are_run_most_often(empirical: Journal) -> None:
    tables = latest(empirical, TABLES)
    assert {table["variant"] for table in tables} == set(VARIANTS)
    for table in tables:
        rows = {row["batch_size"]: row for row in table["rows"]}
        assert tuple(rows) == CELL.candidates
        assert min(rows[size]["seconds"] for size in CELL.sizes) == rows[table["best"]]["seconds"]
        assert {rows[size]["seeds"] for size in table["top"]} == {CELL.refined}


def test_steps_beyond_the_largest_run_lie_on_the_curve(empirical: Journal) -> None:
    rows = {row["batch_size"]: row for row in latest(empirical, TABLES)[0]["rows"]}
    slope = (rows[128]["steps"] - rows[256]["steps"]) / (1 / 128 - 1 / 256)
    assert "rate" not in rows[442]
    assert rows[442]["steps"] == CLOSE(rows[256]["steps"] + slope * (1 / 442 - 1 / 256))


def test_what_was_picked_is_run_on_the_batches_of_the_exhaustive_runs(empirical: Journal) -> None:
    regrets = latest(empirical, REGRETS)
    assert {(pick["variant"], pick["seed"]) for pick in regrets} == {(variant, 1) for variant in VARIANTS}
    for pick in regrets:
        assert pick["regret"] == CLOSE(pick["true"] / pick["seconds"] - 1)
        assert -0.3 < pick["regret"] < 1.0  # a few runs only: no batch size is far off, and none far below the best
        own = [one for one in latest(empirical, "runs of picks") if one["rate"] == pick["rate"]]
        assert {one["seeds"] for one in own} == {CELL.refined}


def test_the_fixed_rules_have_the_best_rate_of_their_batch_size(empirical: Journal) -> None:
    for table in latest(empirical, TABLES):
        ratios = {row["batch_size"]: row["ratio"] for row in table["rows"]}
        assert dict(table["rules"].values()) == {size: CLOSE(ratios[size] - 1) for size, _ in table["rules"].values()}


def test_a_batch_size_that_may_be_the_best_is_a_contender(tmp_path: Path) -> None:
    """At one second a step, steps are times: the fourth is within its interval of the best, the fifth is not."""
    found = {
        1: (1000.0, 0.02),
        2: (101.0, 0.02),
        4: (100.0, 0.02),
        8: (102.0, 0.02),
        16: (105.0, 0.1),
        32: (110.0, 0.01),
    }
    runs = Runs("toy", None, 0.0, 1, {}, None, Journal(tmp_path))
    for size, (steps, half) in found.items():
        runs._keep(size, Found(1.0, steps, half, 6, 0))
    clock = line(1)
    times = clock.times(found)
    level = replace(times, rows=tuple(replace(row, seconds=1.0) for row in times.rows))
    truth = Truth(Cell("toy", "diabetes", Network.linear, "zeros", refined=12, largest=32), runs)
    assert truth.contenders(level) == [4, 2, 8, 16]


def test_a_finding_is_written_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for value in (1, 1, 2, 2, 1):
        put(journal, "part", "key", value=value, pair=(1, 2))
    assert [entry["value"] for entry in journal.entries("part")] == [1, 2, 1]
    assert [entry["value"] for entry in latest(journal, "part")] == [1]


@pytest.mark.parametrize(
    ("code_of", "name", "tells"),
    [
        (code_of_search, "steps/rates", True),
        (code_of_search, "choose/estimates", True),
        (code_of_search, "views/page", False),
        (code_of_runs, "steps/crossing", True),
        (code_of_runs, "steps/orders", True),
        (code_of_runs, "steps/rates", False),
    ],
)
def test_findings_of_other_code_are_told_apart(
    code_of: Callable[[], str], name: str, tells: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_of()
    copy = shutil.copytree(gdbench.pick.__path__[0], tmp_path / "pick")
    monkeypatch.setattr(gdbench.pick, "__path__", [str(copy)])
    assert code_of() == before
    path = copy / f"{name}.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n# another version\n", encoding="utf-8")
    assert (code_of() != before) is tells


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["oracles", "--only", "moon"], "oracles has no moon: choose quadratic-0.1"),
        (["empirical", "--tier", "deep"], "empirical has no tier deep: choose quick"),
        (["planted", "--tier", "thorough"], "planted has no tier thorough: choose quick"),
    ],
)
def test_what_a_part_does_not_know_is_refused(arguments: list[str], words: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(run.main, [*arguments, "--folder", str(tmp_path / "new")])
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "new").exists()


def test_the_report_is_made_from_the_measurements(searches: list[dict], empirical: Journal, tmp_path: Path) -> None:
    folder = tmp_path / "findings"
    shutil.copytree(empirical.folder, folder)
    for search in searches:
        Journal(folder).write(ORACLES, code="code", **search)
    text = write_report(folder).read_text(encoding="utf-8")
    found = regret(search["regret"] for search in searches)
    assert f"| regret, median | {100 * found.median:.1f} % | at most 1 % |" in text
    assert f"{len(searches)} searches." in text
    for family in {search["family"] for search in searches}:
        own = [search for search in searches if search["family"] == family]
        assert f"| {family} | {len(own)} | {100 * regret(one['regret'] for one in own).median:.1f} % |" in text
    assert "## toy, vectorized" in text
    assert (folder / "picks.png").stat().st_size > 0
    assert write_report(folder).read_text(encoding="utf-8") == text


def test_a_pick_without_an_answer_is_never_there(searches: list[dict], tmp_path: Path) -> None:
    search = searches[0] | {"picked": None, "regret": None, "size_regret": None, "covered": False, "code": "code"}
    Journal(tmp_path).write(ORACLES, **search)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "| regret, worst | never | at most 10 % | no |" in text


def test_the_kept_report_is_what_its_measurements_say(tmp_path: Path) -> None:
    shutil.copyfile(PICK_FOLDER / "measurements.jsonl", tmp_path / "measurements.jsonl")
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert (PICK_FOLDER / "report.md").read_text(encoding="utf-8") == text
