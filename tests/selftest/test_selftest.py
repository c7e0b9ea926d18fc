"""The self-test tests what it says: mutants fit and compute the same, the load ends, and the scores are right."""

import ast
import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from kernels import InputError
from selftest.journal import Journal
from selftest.verdicts import documents, generated, histories, planted, rivals, scoring, unchanged
from selftest.verdicts.asv_tree import CONFIG, SUITE, SUITE_EDITS, cut_suite
from selftest.verdicts.certified import refusals
from selftest.verdicts.edits import Edit, apply_all
from selftest.verdicts.load import injected_load
from selftest.verdicts.mutants import EVERY, NATURAL, mutants, shares
from selftest.verdicts.report import claimed, write_report
from selftest.verdicts.repository import Repository
from selftest.verdicts.tree import name_of, plant_beside
from selftest.verdicts.truth import log_ratio

ROOT = Path(__file__).parents[2]
ENOUGH_SECONDS = 600.0


@pytest.mark.parametrize("mutant", mutants(), ids=name_of)
def test_a_mutant_fits_the_source_and_is_python(mutant) -> None:
    source = (ROOT / mutant.path).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(mutant.source(ROOT))) != ast.dump(ast.parse(source))
    assert "sleep" not in mutant.source(ROOT)


def test_there_are_all_sizes_and_a_dozen_natural_mutants_of_three_variants() -> None:
    assert {mutant.variant for per_cent in EVERY for mutant in shares(per_cent)} == set(planted.VARIANTS)
    assert tuple(EVERY) == (2, 5, 10, 25)
    assert len(NATURAL) >= 12
    assert {mutant.variant for mutant in NATURAL} == set(planted.VARIANTS)
    assert len({name_of(mutant) for mutant in mutants()}) == len(mutants())


@pytest.mark.parametrize("text", ["", "one one"])
def test_an_edit_that_does_not_fit_once_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="times in the source, not once"):
        Edit("one", "two").apply(text)


def test_mutants_pass_verification_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    natural = [mutant for mutant in NATURAL if mutant.variant != "jit"]  # those take minutes to compile
    chosen = [*natural, *(mutant for mutant in shares(25) if mutant.variant != "jit")]
    tree = plant_beside(tmp_path, chosen, ROOT)
    source = (tree / "kernels" / "variants" / "vectorized.py").read_text(encoding="utf-8")
    wrong = Edit(" / len(X)\n    delta", "\n    delta").apply(source)
    (tree / "kernels" / "variants" / "wrong.py").write_text(wrong, encoding="utf-8")
    assert set(refusals(tree, [*map(name_of, chosen), "wrong"], dtypes=("float64",), every=10)) == {"wrong"}


def test_every_run_has_planted_cases_among_others_and_each_mutant_is_in_one() -> None:
    runs = [*planted.share_runs(), *planted.natural_runs()]
    used = [name_of(mutant) for run in runs for mutant in run.planted]
    assert sorted(used) == sorted(map(name_of, mutants()))
    for run in runs:
        slowed = len(run.pairs())
        cases = len(planted.VARIANTS) * len(run.experiments) * len(run.tasks) * len(run.batch_sizes) * len(run.dtypes)
        assert 5 <= slowed < cases


def test_the_truth_is_the_ratio_of_two_calls_however_the_machine_drifts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def taking(seconds: float) -> Callable[[], None]:
        def call() -> None:
            clock[0] += seconds * (1 + 10 * clock[0])  # slower all the time

        return call

    monkeypatch.setattr("selftest.verdicts.truth.perf_counter", lambda: clock[0])
    found = log_ratio(taking(1e-5), taking(2e-5), np.random.default_rng(0))
    assert found == pytest.approx(math.log(2), rel=0.01)


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + ENOUGH_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_load_runs_on_its_core_and_ends_with_its_block() -> None:
    core = psutil.Process().cpu_affinity()[-1]
    with injected_load(0) as number:
        process = psutil.Process(number)
        _wait_until(lambda: process.cpu_affinity() == [core])
        begun = process.cpu_times().user
        _wait_until(lambda: process.cpu_times().user > begun + 0.5)
    assert not process.is_running()  # nor is it a zombie: who started it has waited for it


def test_documentation_is_told_from_code() -> None:
    source = (ROOT / "kernels" / "variants" / "vectorized.py").read_text(encoding="utf-8")
    changed = documents.document(source, 1)
    assert changed != source
    assert documents.code_of(changed) == documents.code_of(source)
    assert documents.code_of(changed.replace("np.tanh", "np.sinh")) != documents.code_of(source)


def test_a_measurement_survives_a_line_that_was_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("a", "first", value=1)
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"part": "a", "key": "second", "val')
    journal.write("a", "third", value=3)
    assert [entry["key"] for entry in journal.entries("a")] == ["first", "third"]
    assert journal.has("a", "third")
    assert not journal.has("a", "second")
    assert not journal.has("b", "first")


def _repository(folder: Path) -> Repository:
    """Return a repository that holds what the generated history and the cut suite change."""
    repository = Repository(folder)
    folder.mkdir()
    repository.git("init", "-q", "-b", "main")
    paths = [SUITE, CONFIG, Path("benchmarks", "grid.toml")]
    paths += [Path("kernels", "variants", f"{name}.py") for name in ("vectorized", "buffered")]
    repository.commit("start", {path: (ROOT / path).read_text(encoding="utf-8") for path in paths})
    return repository


def test_the_generated_history_has_its_steps_and_its_decoys_and_is_the_same_each_time(tmp_path: Path) -> None:
    hashes = []
    for name in ("first", "second"):
        repository = _repository(tmp_path / name)
        cut_suite(repository)
        hashes.append(generated.generate(repository))
    commits = hashes[0]
    assert hashes[0] == hashes[1]
    assert len(set(commits)) == generated.COMMITS
    for name in ("vectorized", "buffered"):
        paths = [f"{commit}:kernels/variants/{name}.py" for commit in commits]
        blobs = repository.git("rev-parse", *paths).split()
        contents = {blob: repository.git("show", blob) for blob in set(blobs)}
        texts = [contents[blob] for blob in blobs]
        codes = [documents.code_of(text) for text in texts]
        moved = [at for at in range(1, len(commits)) if codes[at] != codes[at - 1]]
        assert moved == [step.at for step in generated.STEPS if step.variant == name]
        documented = [at for at in range(1, len(commits)) if texts[at] != texts[at - 1] and at not in moved]
        assert documented == [at for at, variant in generated.DECOYS.items() if variant == name]
    sizes = sorted(step.size for step in generated.STEPS)
    assert sizes == [0.05, 0.05, 0.10, 0.10, 0.25, 0.25]
    assert len(generated.DECOYS) == 4


@pytest.mark.parametrize("extra", [0.05, 0.1, 0.375])
def test_a_slowed_gradient_is_made_once_more_in_its_share_of_the_calls(tmp_path: Path, extra: float) -> None:
    source = (ROOT / "kernels" / "variants" / "vectorized.py").read_text(encoding="utf-8")
    space: dict[str, object] = {"__name__": "slowed"}
    exec(compile(generated.slowed(source, extra), "slowed.py", "exec"), space)
    calls = []
    space["_once"] = lambda *arguments: calls.append(arguments)
    for _ in range(1000):
        space["gradient"](None, None, None, None)
    assert len(calls) == 1000 + 1000 * extra


def test_the_suite_that_asv_runs_is_cut_where_the_edits_say() -> None:
    cut = apply_all(SUITE_EDITS, (ROOT / SUITE).read_text(encoding="utf-8"))
    assert "require_full_verification" not in cut
    assert "require_certificate(variant, problem)" in cut


ASV_PRINTS = """
| Change   | Before [cc8ac367] <main~1>   | After [0d4b7bd9] <main>    |   Ratio | Benchmark (Parameter)                                             |
|----------|------------------------------|----------------------------|---------|-------------------------------------------------------------------|
| +        | 51.7±1μs                     | 57.9±1μs                   |    1.12 | experiments.deep_wine.time_task('gradient', 'float64', 'jit', 32) |
| -        | 65.5±1μs                     | 53.5±1μs                   |    0.82 | experiments.deep_wine.time_task('epoch', 'float64', 'jit', 1)     |
|          | 20.0±2ms                     | 15.7±2ms                   |   ~0.78 | experiments.deep_wine.time_task('epoch', 'float64', 'jit', 32)    |
"""  # noqa: E501


def test_alarms_of_other_tools_are_read_from_what_they_print() -> None:
    first, second = rivals.read_asv(ASV_PRINTS)
    assert (first["ratio"], first["slower"]) == (1.12, True)
    assert first["case"] == "experiments.deep_wine.time_task('gradient', 'float64', 'jit', 32)"
    assert (second["ratio"], second["slower"]) == (0.82, False)
    printed = "\ttest_case[a/B=1] (0001_6e3) - Field 'mean' has failed PercentageRegressionCheck: 9.1 > 5.0\n"
    assert rivals.PYTEST_ROW.findall(f"Performance has regressed:\n{printed}") == ["test_case[a/B=1]"]


def _row(case: str, verdict: str, sd: float = 0.01, metric: str = "time") -> dict[str, object]:
    return {"case": case, "metric": metric, "verdict": verdict, "pair_sd": sd}


def test_rates_have_exact_bounds() -> None:
    assert scoring.Rate(0, 0).upper is None
    assert scoring.Rate(0, 3000).upper == pytest.approx(1 - 0.05 ** (1 / 3000))  # the rule of three, exactly
    quiet = {"controls": "valid", "rows": [_row("a", "UNCHANGED"), _row("a", "REGRESSED", metric="memory")]}
    loud = {"controls": "underpowered", "rows": [_row("a", "IMPROVED"), _row("b", "REGRESSED")]}
    assert scoring.false_alarms([quiet, loud]) == (scoring.Rate(2, 3), scoring.Rate(1, 2))
    assert scoring.false_alarms([quiet, loud], metric=None) == (scoring.Rate(3, 4), scoring.Rate(2, 2))
    assert scoring.rival_alarms([{"alarms": [{}], "cases": 4}, {"alarms": [], "cases": 4}])[0] == scoring.Rate(1, 8)


def test_alarms_of_groups_count_for_their_run_and_what_a_screen_settled_for_no_test() -> None:
    rows = [{**_row("a", "UNCHANGED"), "stage": "confirm"}, {**_row("b", "UNCHANGED"), "stage": "screen"}]
    quiet = {"controls": "valid", "rows": rows, "together": [{"verdict": "UNCHANGED"}]}
    loud = {"controls": "valid", "rows": rows, "together": [{"verdict": "UNCHANGED"}, {"verdict": "REGRESSED"}]}
    assert scoring.false_alarms([quiet, loud]) == (scoring.Rate(0, 4), scoring.Rate(1, 2))
    assert scoring.tested_alarms([quiet, loud]) == scoring.Rate(0, 2)
    assert scoring.tested_alarms([{"controls": "valid", "rows": [_row("a", "REGRESSED")]}]) == scoring.Rate(0, 0)


def test_runs_whose_controls_failed_make_no_rate_look_better() -> None:
    loud = {"controls": "valid", "rows": [_row("a", "REGRESSED"), _row("b", "UNCHANGED")]}
    void = {"controls": "invalid", "rows": [_row("a", "INSUFFICIENT EVIDENCE"), _row("b", "INSUFFICIENT EVIDENCE")]}
    assert scoring.false_alarms([loud, void, void]) == (scoring.Rate(1, 2), scoring.Rate(1, 1))
    assert scoring.false_alarms([void]) == (scoring.Rate(0, 0), scoring.Rate(0, 0))
    assert scoring.invalid_runs([loud, void, void]) == scoring.Rate(2, 3)
    assert scoring.unplanted_rows(void, {"rows": []}) == []


def test_what_an_invalid_run_says_of_memory_counts() -> None:
    rows = [_row("a", "INSUFFICIENT EVIDENCE"), _row("a", "REGRESSED", metric="memory")]
    void = {"controls": "invalid", "rows": rows}
    assert scoring.false_alarms([void], metric=None) == (scoring.Rate(1, 1), scoring.Rate(1, 1))


def test_power_counts_by_true_size_and_spread() -> None:
    truth = {
        "rows": [
            {"case": "a", "mutant": "m", "ratio": 1.05, "low": 1.04, "high": 1.06},
            {"case": "b", "mutant": "m", "ratio": 1.06, "low": 1.05, "high": 1.07},
            {"case": "c", "mutant": "m", "ratio": 1.05, "low": 0.99, "high": 1.10},  # perhaps not slower at all
            {"case": "d", "mutant": "m", "ratio": 1.30, "low": 1.20, "high": 1.40},
            {"case": "e", "mutant": "m", "ratio": 1.05, "low": 1.04, "high": 1.06},  # too unsteady for a promise
        ]
    }
    run = {
        "controls": "valid",
        "rows": [
            *(_row("a", "REGRESSED"), _row("b", "UNCHANGED", 0.03), _row("c", "UNCHANGED"), _row("d", "REGRESSED")),
            *(
                _row("e", "INSUFFICIENT EVIDENCE", 0.2),
                _row("alone", "IMPROVED"),
                _row("a", "IMPROVED", metric="memory"),
            ),
        ],
    }
    rows = {(row.size, row.largest_sd): row for row in scoring.power(scoring.planted_cases(run, truth))}
    assert rows["5 %", 0.02].found == scoring.Rate(1, 1)
    assert rows["5 %", 0.04].found == scoring.Rate(1, 2)
    assert rows["5 %", 0.04].unchanged == scoring.Rate(1, 2)
    assert rows["25 % and more", 0.08].found == scoring.Rate(1, 1)
    assert rows["2 %", 0.015].found == scoring.Rate(0, 0)
    assert [row["case"] for row in scoring.unplanted_rows(run, truth)] == ["alone"]


def test_a_history_is_scored_by_exact_commits() -> None:
    def step(commit: str, label: str, culprit: str | None = None) -> dict[str, object]:
        confirmation = {"status": "confirmed", "commit": culprit} if culprit else {"status": "refuted", "commit": None}
        return {"commit": commit, "label": label, "confirmation": confirmation}

    entry = {
        "commits": ["a", "b", "c", "d", "e"],
        "planted": [{"commit": "b", "size": 0.1}, {"commit": "e", "size": 0.05}],
        "steps": [step("b", "REGRESSION", "b"), step("d", "REGRESSION", "e"), step("c", "ENVIRONMENT")],
    }
    proposed = scoring.score_history(entry, 2, confirmed=False)
    assert (proposed.found, proposed.missed, proposed.blamed) == ((0.1,), (0.05,), ("d",))
    assert proposed.at_bump == ("ENVIRONMENT",)
    confirmed = scoring.score_history(entry, 2, confirmed=True)
    assert (confirmed.found, confirmed.missed, confirmed.blamed) == ((0.1, 0.05), (), ())


def test_the_report_is_made_of_whatever_there_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert "##" not in write_report(tmp_path).read_text(encoding="utf-8")
    rows = [_row("a", "UNCHANGED"), _row("b", "REGRESSED")]
    common = {"tier": "quick", "rows": rows, "load_before": 0.5, "seconds": 9.0, "controls": "valid"}
    journal.write(unchanged.PART, "quick 0", loaded=False, **common)
    void = {**common, "controls": "invalid", "rows": [_row("a", "INSUFFICIENT EVIDENCE")]}
    journal.write(unchanged.PART, "quick 1", loaded=True, **void)
    journal.write(rivals.PART, "asv 0", tool=rivals.ASV, cases=4, alarms=[{"case": "x"}])
    journal.write(planted.PART, "quick shares 0", run="shares 0", **common)
    truth = [{"case": "b", "mutant": "m", "ratio": 1.1, "low": 1.09, "high": 1.11}]
    journal.write(planted.TRUTH, "shares 0", rows=truth)
    journal.write(documents.PART, "quick made 0", **common)
    steps = {"commits": ["c"] * generated.COMMITS, "planted": [], "steps": []}
    journal.write(histories.PART, "proposed", **steps)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert re.search(r"\| gdbench compare --quick \| 1 of 2 \| 50 % \| \S+ % \| 1 of 1 \| 1 of 2 \| - \| - \|\n", text)
    assert re.search(rf"\| {rivals.ASV} \| 1 of 4 \| 25 % \| \S+ % \| 1 of 1 \| - \| - \| - \|\n", text)
    assert "| 10 % | at most 4 % | 1 of 1 | 100 % |" in text
    assert "1 of 1 commits with an alarm" in text
    assert "| proposed | none | none | 0 | none |" in text
    assert (tmp_path / "selftest.png").stat().st_size > 0
    assert json.loads(journal.path.read_text(encoding="utf-8").splitlines()[0])["key"] == "quick 0"


def test_a_tier_is_held_to_the_goals_of_the_sizes_that_it_claims() -> None:
    sizes = ["2 %", "5 %", "10 %", "25 % and more"]
    assert [claimed(size, "quick") for size in sizes] == [False, False, True, True]
    assert [claimed(size, "deep") for size in sizes] == [True, True, True, True]
