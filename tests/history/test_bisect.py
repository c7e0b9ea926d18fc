"""A proposed commit is confirmed, refuted or left open by measuring pairs; a culprit beside it is found."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from gdbench.compare.judge import judge
from gdbench.compare.judge.cases import needs_confirmation
from gdbench.compare.judge.terms import INSUFFICIENT, REGRESSED, UNCHANGED, CaseBlocks, Judgement
from gdbench.compare.record.tiers import STANDARD
from gdbench.history.confirm.bisect import CONFIRMED, IMPROVED, INVALID, OPEN, REFUTED, Confirmation, confirm
from gdbench.history.confirm.holm import adjusted, hold_to_error_rate

COMMITS = [f"{i:040x}" for i in range(60)]
SCREEN, BLOCKS = STANDARD.screen_blocks, STANDARD.confirm_blocks


@dataclass
class Machine:
    """Compares commits as ``gdbench compare`` does, on simulated pairs of times; counts the blocks."""

    steps: Mapping[int, float]
    pair_sd: float = 0.02
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    blocks: int = 0

    def measure(self, base: str, head: str, case: str) -> Judgement:
        first, last = COMMITS.index(base), COMMITS.index(head)
        assert first < last
        true = sum(math.log1p(size) for at, size in self.steps.items() if first < at <= last)
        found = CaseBlocks(true + self.rng.normal(0, self.pair_sd, STANDARD.screen_blocks))
        self.blocks += STANDARD.screen_blocks
        if needs_confirmation({case: found}, STANDARD.settings)[case]:
            found = replace(found, confirm=true + self.rng.normal(0, self.pair_sd, STANDARD.confirm_blocks))
            self.blocks += STANDARD.confirm_blocks
        return judge({case: found}, {}, STANDARD.settings).cases[case]


def _confirm(machine: Machine, at: int, **bounds: float):
    return confirm(COMMITS, at, "case", machine.measure, **bounds)


@pytest.mark.parametrize("off", [0, 1, -1, 3, -3, 7, 12, -11])
def test_the_culprit_is_found_though_the_proposal_is_beside_it(off: int) -> None:
    found = _confirm(Machine({30: 0.10}), 30 + off)
    assert (found.status, found.commit) == (CONFIRMED, COMMITS[30])
    assert found.low < 1.10 < found.high


def test_the_right_proposal_takes_one_comparison() -> None:
    assert _confirm(Machine({30: 0.10}), 30).comparisons == 1


def test_a_proposal_without_a_step_is_refuted() -> None:
    machine = Machine({10: 0.1, 50: 0.1})
    found = _confirm(machine, 30)
    assert (found.status, found.commit, found.comparisons) == (REFUTED, None, 2)
    assert UNCHANGED in found.reason


def test_what_noise_hides_is_left_open_and_never_refuted() -> None:
    found = _confirm(Machine({30: 0.05}, pair_sd=0.3), 30)
    assert found.status == OPEN
    assert INSUFFICIENT in found.reason


def test_the_search_stays_between_the_other_steps_of_the_case() -> None:
    machine = Machine({24: 0.3, 30: 0.1, 36: 0.3})
    found = _confirm(machine, 32, first=24, last=35)
    assert (found.status, found.commit) == (CONFIRMED, COMMITS[30])


def test_a_slowdown_that_creeps_is_left_open() -> None:
    found = _confirm(Machine(dict.fromkeys(range(20, 41), 0.004), pair_sd=0.01), 30)
    assert (found.status, found.commit) == (OPEN, None)
    assert "by no single commit" in found.reason


def test_ends_of_the_history_are_no_error() -> None:
    assert _confirm(Machine({1: 0.2}), 4).commit == COMMITS[1]
    assert _confirm(Machine({59: 0.2}), 55).commit == COMMITS[59]


@pytest.mark.parametrize(("size", "pair_sd", "least"), [(0.05, 0.01, 0.98), (0.05, 0.02, 0.95), (0.10, 0.02, 0.98)])
def test_exact_commits_within_the_budget(size: float, pair_sd: float, least: float) -> None:
    """Proposals are off as those of the offline vote are; each alarm may cost 250 paired blocks."""
    rng = np.random.default_rng(21)
    exact, blocks, alarms = 0, 0, 60
    for _ in range(alarms):
        machine = Machine({30: size}, pair_sd, rng)
        found = _confirm(machine, 30 + int(rng.choice([0, 0, 0, -2, -1, 1, 2, 3])))
        exact += found.commit == COMMITS[30]
        blocks += machine.blocks
    assert exact >= least * alarms
    assert blocks <= 250 * alarms


def test_a_neighbour_that_differs_in_layout_alone_is_not_the_culprit() -> None:
    machine = Machine({29: 0.03, 30: 0.10}, pair_sd=0.005)
    found = _confirm(machine, 29, expected=1.11)
    assert (found.status, found.commit) == (CONFIRMED, COMMITS[30])
    assert _confirm(machine, 29).commit == COMMITS[29]  # nothing told it how much to expect


def test_a_slowdown_that_is_smaller_than_in_the_results_is_confirmed_where_nothing_else_is_slower() -> None:
    found = _confirm(Machine({30: 0.04}, pair_sd=0.01), 30, expected=1.2)
    assert (found.status, found.commit, found.comparisons) == (CONFIRMED, COMMITS[30], 2)


@dataclass(frozen=True)
class Finding:
    """What a comparison says, whatever the times."""

    verdict: str
    ratio: float
    low: float = 0.9
    high: float = 1.1
    p: float = 0.01


@pytest.mark.parametrize(
    ("wide", "status"),
    [
        (Finding(UNCHANGED, 1.0), REFUTED),
        (Finding(IMPROVED, 0.9), REFUTED),
        (Finding(INSUFFICIENT, 1.01), OPEN),
        (Finding(INVALID, 1.01), OPEN),
        (Finding(REGRESSED, 1.03), CONFIRMED),
    ],
    ids=lambda one: one.verdict if isinstance(one, Finding) else "",
)
def test_a_commit_is_confirmed_only_if_the_commits_about_it_are_slower(wide: Finding, status: str) -> None:
    answers = iter([Finding(REGRESSED, 1.03), wide])
    found = confirm(COMMITS, 30, "case", lambda *_: next(answers), expected=1.3)
    assert (found.status, found.commit) == (status, COMMITS[30] if status == CONFIRMED else None)
    assert found.comparisons == 2


def test_holm_adjusts_as_worked_by_hand() -> None:
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []


def test_the_more_are_measured_the_surer_a_confirmation_must_be() -> None:
    sure, hardly = (Confirmation(CONFIRMED, "slower", "c", 1.1, 1.0, 1.2, 1, p) for p in (1e-6, 0.02))
    refuted = Confirmation(REFUTED, "not slower", None, 1.0, 0.9, 1.1, 2)
    alone, many = {0: hardly}, {0: hardly, 1: refuted, 2: sure}
    hold_to_error_rate([alone])
    assert (alone[0].status, alone[0].p_adjusted) == (CONFIRMED, 0.02)
    hold_to_error_rate([many, {0: refuted}])
    assert [one.status for one in many.values()] == [OPEN, REFUTED, CONFIRMED]
    assert "among 4" in many[0].reason
    assert many[0].commit is None


def test_false_proposals_are_hardly_ever_confirmed() -> None:
    rng = np.random.default_rng(22)
    found = [_confirm(Machine({}, 0.03, rng), 30) for _ in range(100)]
    assert sum(each.status == CONFIRMED for each in found) <= 3
    assert REGRESSED not in {each.reason for each in found}
