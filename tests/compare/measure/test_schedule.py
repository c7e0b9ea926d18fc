"""Samples of a case: how many calls make one, in which order the sides take them, what a block makes of their times.

Times are given, not measured.
"""

import math
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gdbench.compare.measure import blocks, controls, pair_process
from gdbench.compare.measure.controls import CANARIES, control_names, spike_in
from gdbench.compare.measure.pair_process import Worker
from gdbench.compare.measure.preparation import prepare, schedule
from gdbench.compare.measure.session import CaseSchedule, ComparisonSession, State
from gdbench.compare.measure.stages import _shorten, blocks_in_time
from gdbench.compare.record.record import MeasuredBlock, Measurements
from gdbench.compare.record.tiers import DEEP, MIN_QUADS, QUICK, STANDARD, ComparisonTier
from gdbench.experiments.cases import Case
from gdbench.machine.environment import Environment

CONTROLS, SPIKE = control_names(DEEP.effect), spike_in(DEEP.effect)
CALL_SECONDS, CPU_SHARE = 0.0005, 0.75
HERE = SimpleNamespace(side=SimpleNamespace(environment=None))
"""A build that is measured in the environment of this process."""
TIERS = pytest.mark.parametrize("tier", [QUICK, STANDARD, DEEP], ids=lambda tier: tier.name)


class Machine:
    """A clock that only kernels move; the first call takes longer, as one that compiles."""

    def __init__(self) -> None:
        self.seconds = self.first_seconds = 0.0
        self.calls = 0

    def kernel(self) -> None:
        self.seconds += CALL_SECONDS + (0.0 if self.calls else self.first_seconds)
        self.calls += 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(pair_process, "perf_counter", lambda: made.seconds)
    monkeypatch.setattr(pair_process, "perf_counter_ns", lambda: round(1e9 * made.seconds))
    monkeypatch.setattr(pair_process, "process_time_ns", lambda: round(1e9 * CPU_SHARE * made.seconds))
    return made


def worker_on(machine: Machine, first_seconds: float) -> tuple[Worker, float]:
    """A worker that has made the call of its case, and the seconds that it takes, warm."""
    machine.seconds, machine.calls, machine.first_seconds = 0.0, 0, first_seconds
    worker = Worker()
    worker.calls["case"] = machine.kernel
    return worker, worker._warm("case")


@TIERS
def test_a_first_call_of_a_second_leaves_the_number_of_calls_as_it_is(machine: Machine, tier: ComparisonTier) -> None:
    slow, quick = (schedule(worker_on(machine, first)[1], tier) for first in (1.0, 0.0))
    assert slow == quick


def test_compiling_never_reaches_a_sample(machine: Machine) -> None:
    worker, _ = worker_on(machine, 1.0)
    wall, _, _ = worker.sample("case", 4, 1)
    assert wall == pytest.approx(4 * CALL_SECONDS * 1e9)  # the first call took two thousand times as long


@TIERS
def test_samples_of_short_calls_share_the_time_of_a_case(tier: ComparisonTier) -> None:
    calls, warm, quads = schedule(5e-6, tier)
    assert warm == 1
    assert quads == tier.quads
    assert 4 * quads * calls * 5e-6 == pytest.approx(tier.case_seconds, rel=0.02)


@TIERS
def test_a_long_call_is_sampled_in_the_fewest_quads_and_not_warmed_again(tier: ComparisonTier) -> None:
    assert schedule(1.0, tier) == (1, 0, MIN_QUADS)


def test_a_sample_tells_the_time_of_its_calls_that_of_the_processor_and_how_often_it_had_to_leave(
    machine: Machine,
) -> None:
    worker, _ = worker_on(machine, 0.0)
    warmed = machine.calls
    wall, used, switches = worker.sample("case", 10, 3)
    assert machine.calls == warmed + 13
    assert (wall, used) == pytest.approx((10 * CALL_SECONDS * 1e9, 10 * CALL_SECONDS * 1e9 * CPU_SHARE))
    assert switches >= 0


CASE = Case("linear", "diabetes", 442, "gradient", "vectorized", 442, "float32")
SLOWER = 4.0
"""Ratio of head to base in the case."""


class Pair:
    """Two sides whose calls take given times, on a machine that becomes slower by a hundredth with every sample."""

    def __init__(self, seconds: tuple[dict[str, float], dict[str, float]]) -> None:
        self.seconds, self.asked = seconds, list[tuple[int, str]]()
        self.sides = [SimpleNamespace(at=None, lost=None, ask=self.answers_of(number)) for number in (0, 1)]

    def answers_of(self, number: int) -> Any:
        def sample(name: str, key: str, calls: int, warm: int) -> tuple[int, int, int]:
            assert name == "sample"
            spent = self.seconds[number][key] * calls * 1.01 ** len(self.asked)
            self.asked.append((number, key))
            return round(1e9 * spent), round(1e9 * spent), 0

        return sample

    def ask_both(self, name: str, *arguments: Any) -> list[int]:
        return [0, 0]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A block of given times, by its index, and the pair that gave them: the canaries are alike on both sides."""

    def measure(index: int) -> tuple[MeasuredBlock, Pair]:
        def prepare(_pair: Pair, _setting: object, state: State, entries: object, *, spiked: int) -> None:
            state.calls.update(dict.fromkeys((CASE.id, *CONTROLS), CaseSchedule(100, 1, 12)))
            pair.seconds[spiked][SPIKE.name] *= SPIKE.ratio

        base = dict.fromkeys((CASE.id, *CONTROLS), 1e-6)
        pair = Pair((base, {**base, CASE.id: SLOWER * base[CASE.id]}))
        monkeypatch.setattr(blocks, "prepare", prepare)
        monkeypatch.setattr(blocks, "_pair", lambda *_, **__: nullcontext(pair))
        monkeypatch.setattr(blocks, "_together", lambda *_: nullcontext())
        setting: Any = SimpleNamespace(seed=index, builds=(HERE, HERE), tier=DEEP)
        return blocks.measure_block(setting, State(), [CASE], stage=0, index=index), pair

    return measure


@pytest.mark.parametrize("index", range(4))
def test_a_block_tells_how_much_slower_head_is_though_the_machine_drifts(measured: Any, index: int) -> None:
    block, _ = measured(index)
    found = block.cases
    assert found[CASE.id].log_ratio == pytest.approx(math.log(SLOWER), abs=1e-4)
    assert found[CASE.id].head_seconds / found[CASE.id].base_seconds == pytest.approx(SLOWER, rel=0.03)
    assert [found[name].log_ratio for name in CANARIES] == pytest.approx([0, 0, 0], abs=1e-4)


@pytest.mark.parametrize("index", range(4))
def test_the_extra_work_of_the_spike_in_is_told_as_that_of_head_whichever_side_did_it(
    measured: Any, index: int
) -> None:
    block, pair = measured(index)
    assert pair.seconds[index // 2 % 2][SPIKE.name] > pair.seconds[1 - index // 2 % 2][SPIKE.name]
    found = block.cases[SPIKE.name]
    assert found.log_ratio == pytest.approx(math.log(1.02), abs=1e-4)
    assert found.head_seconds > found.base_seconds


def test_the_sides_take_turns_in_quads_that_read_the_same_backwards_and_begin_with_either(measured: Any) -> None:
    _, pair = measured(0)
    turns = [number for number, key in pair.asked if key == CASE.id]
    quads = [tuple(turns[start : start + 4]) for start in range(0, len(turns), 4)]
    assert len(quads) == 12
    assert set(quads) == {(0, 1, 1, 0), (1, 0, 0, 1)}


@pytest.mark.parametrize(
    ("tier", "name", "pieces"),
    [
        (QUICK, "spike-in: 10 % more work", [20, 22]),
        (STANDARD, "spike-in: 5 % more work", [20, 21]),
        (DEEP, "spike-in: 2 % more work", [50, 51]),
    ],
)
def test_each_side_does_its_pieces_of_the_spike_in_which_is_the_effect_of_the_tier(
    monkeypatch: pytest.MonkeyPatch, tier: ComparisonTier, name: str, pieces: list[int]
) -> None:
    products: list[int] = []
    monkeypatch.setattr(controls.np, "dot", lambda *_: products.append(1))
    assert control_names(tier.effect) == (*CANARIES, name)
    setting: Any = SimpleNamespace(tier=tier)
    for spiked in (0, 1):
        workers = Worker(), Worker()
        pair: Any = SimpleNamespace(
            sides=[SimpleNamespace(at=None, lost=None) for _ in workers],
            ask_both=lambda asked, *both, workers=workers: [
                getattr(worker, asked)(*arguments) for worker, arguments in zip(workers, both, strict=True)
            ],
        )
        prepare(pair, setting, State(), [name, CANARIES[1]], spiked=spiked)
        for control, expected in ((name, pieces if spiked else pieces[::-1]), (CANARIES[1], [1, 1])):
            for worker, number in zip(workers, expected, strict=True):
                products.clear()
                worker.calls[control]()
                assert len(products) == number


@TIERS
def test_the_spike_in_is_that_of_the_tier_whatever_slowdown_is_asked_about(tier: ComparisonTier) -> None:
    asked = tier.asked_about(0.01)
    assert asked.settings.effect == 0.01
    assert asked.settings.screened_out == 0.02
    assert control_names(asked.effect) == control_names(tier.effect)


@pytest.mark.parametrize(
    ("seconds", "each", "expected"),
    [(1200.0, 40.0, 24), (800.0, 40.0, 20), (100.0, 40.0, 8), (-50.0, 40.0, 8), (1200.0, 0.0, 24)],
)
def test_a_confirmation_has_the_blocks_for_which_there_is_time(seconds: float, each: float, expected: int) -> None:
    assert blocks_in_time(24, seconds, each) == expected


def test_a_confirmation_with_few_blocks_has_no_more_than_its_tier() -> None:
    assert blocks_in_time(5, 0.0, 40.0) == 5


def shares(environments: tuple[object, object], threads: list[int], index: int) -> list[tuple[str, int, list[str]]]:
    """What each pair of a block measures: letters of its builds, threads, and cases or controls."""
    builds: Any = [
        SimpleNamespace(name=name, side=SimpleNamespace(environment=environment))
        for name, environment in zip("bh", environments, strict=True)
    ]
    chosen = [Case("mlp", "mnist5k", 5000, "gradient", "jit", 1, "float64", number) for number in threads]
    return [
        ("".join(build.name for build in both), number, list(entries))
        for both, number, entries in blocks._shares(tuple(builds), chosen, CONTROLS, index)
    ]


def test_controls_run_with_the_first_cases_and_alone_where_there_are_none() -> None:
    (one, ones), (two, twos) = [(share[:2], share[2]) for share in shares((None, None), [2, 1, 2], 0)]
    assert (one, two) == (("bh", 1), ("bh", 2))
    assert ones[1:] == [*CONTROLS]
    assert len(twos) == 2
    assert shares((None, None), [], 0) == [("bh", 1, [*CONTROLS])]


@pytest.mark.parametrize(("index", "side"), [(0, "bb"), (1, "hh"), (2, "bb")])
def test_controls_of_environments_run_in_two_processes_of_one_side_in_turns(index: int, side: str) -> None:
    (both, _, entries), controlled = shares(("old", "new"), [1], index)
    assert (both, len(entries)) == ("bh", 1)
    assert controlled == (side, 1, [*CONTROLS])
    assert shares(("old", "new"), [], index)[-1] == (side, 1, [*CONTROLS])


def test_processes_have_variables_of_the_same_length_whatever_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(blocks, "Pair", lambda builds, **options: given.update(options))
    both: Any = tuple(SimpleNamespace(path_bytes=size, numba_cache="n" * 5) for size in (100, 130))
    blocks._pair(both, 1, {"hash_seed": 7, "padding_bytes": 10}, first=0)
    paddings = [len(own["GDBENCH_PADDING"]) for own in given["variables"]]
    assert paddings == [40, 10]
    assert {own["PYTHONHASHSEED"] for own in given["variables"]} == {"7"}


def session_after_a_block(tier: ComparisonTier, seconds: float, folder: Path) -> ComparisonSession:
    """A comparison whose first block took so many seconds."""
    session = ComparisonSession(SimpleNamespace(tier=tier), folder, lambda step: None, Environment())  # type: ignore[arg-type]
    session.state.calls = {"short": CaseSchedule(8, 1, tier.quads), "long": CaseSchedule(1, 0, MIN_QUADS)}
    block = MeasuredBlock(0, 0, 0, 0, (0,), 0.0, compiled_while_timed=False, seconds=seconds, cases={})
    session.measured = Measurements(screen=[block])
    return session


@TIERS
def test_a_screen_that_would_not_fit_into_its_minutes_takes_fewer_samples_and_says_so(
    tier: ComparisonTier, tmp_path: Path
) -> None:
    in_time = session_after_a_block(tier, 60 * tier.minutes / 20, tmp_path)
    _shorten(in_time, 7)
    assert in_time.state.calls["short"].quads == tier.quads
    assert not in_time.warnings
    slow = session_after_a_block(tier, 60 * tier.minutes / 7, tmp_path)
    _shorten(slow, 7)
    assert MIN_QUADS <= slow.state.calls["short"].quads < tier.quads
    assert slow.state.calls["long"].quads == MIN_QUADS
    assert f"would not fit into the {tier.minutes} minutes of {tier.name}" in slow.warnings[0]


def test_counting_instructions_takes_none_of_the_minutes_of_a_tier(tmp_path: Path) -> None:
    session = session_after_a_block(QUICK, 1.0, tmp_path)
    session.begun -= 1200
    session.counting_seconds = 1200
    assert session.minutes_left == pytest.approx(QUICK.minutes, abs=0.5)


def test_without_fresh_builds_a_tier_has_the_margins_of_one_that_makes_none(tmp_path: Path) -> None:
    session = session_after_a_block(STANDARD, 1.0, tmp_path)
    assert (session.settings.margin, session.settings.suite_margin) == (QUICK.margin, QUICK.suite_margin)
    session.layouts = [(HERE, HERE)] * 3  # type: ignore[list-item]
    assert (session.settings.margin, session.settings.layouts) == (STANDARD.margin, 3)
