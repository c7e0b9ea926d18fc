"""Planned blocks and smallest effects follow from spread, margin and family, as a run's own report says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbench.compare.planning import Rule, blocks_needed, confirm_blocks, smallest_effect

from .simulated_pairs import MARGIN, RULE, draw_stages, judge_all

# fmt: off
TABLE = {
    0.02: (10, 20, 36, 143),
    0.05: (10, 10, 10, 17, 66, 229),
    0.10: (10, 10, 10, 10, 16, 54),
    0.25: (10, 10, 10, 10, 10, 10),
}
# fmt: on
SDS = (0.01, 0.015, 0.02, 0.04, 0.08, 0.15)


@pytest.mark.parametrize("effect", TABLE)
def test_blocks_needed_are_those_of_the_normal_approximation_where_it_holds(effect: float) -> None:
    """It promises too much of fewer than 30 blocks: 20 find a case of 2 % with power 0.77, not 0.9."""
    found = [blocks_needed(sd, MARGIN, family=20, rule=Rule(effect=effect)) for sd in SDS]
    for blocks, approximated in zip(found, TABLE[effect], strict=False):
        assert blocks is not None
        if approximated >= 30:
            assert blocks == pytest.approx(approximated, rel=0.2)
        else:
            assert approximated <= blocks <= 1.5 * approximated


def test_plans_follow_what_they_depend_on() -> None:
    def size(sd: float = 0.02, margin: float = MARGIN, family: int = 20, blocks: int = 24) -> float:
        return smallest_effect(sd, margin, family=family, screen=8, blocks=blocks, rule=RULE)

    assert size(sd=0.04) > size() > size(sd=0.005) > MARGIN
    assert size(margin=0.01) > size()
    assert size(family=200) > size() > size(family=1)
    assert size(blocks=12) > size() > size(blocks=60)
    assert size(sd=0) == pytest.approx(RULE.equivalence, abs=1e-9)  # less would be called unchanged
    assert size(blocks=9) == math.inf > size(blocks=10)
    assert confirm_blocks(20, 0, RULE) == 10


def test_what_a_run_reports_allows_for_its_own_screen_and_for_noise_known_from_few_blocks() -> None:
    screened, confirmed = draw_stages(13)
    found = judge_all(screened, confirmed)
    family = sum(finding.stage == "confirm" for finding in found)
    for finding, sent in zip(found, confirmed.T, strict=True):
        blocks = finding.blocks if finding.stage == "confirm" else len(sent)

        def size(screen: int, known_from: int | None, sd: float = finding.pair_sd, n: int = blocks) -> float:
            return smallest_effect(sd, MARGIN, family=family, screen=screen, blocks=n, rule=RULE, known_from=known_from)

        assert finding.smallest_effect == size(8, finding.blocks) >= size(0, finding.blocks)
    assert size(8, None, 0.01, 24) > size(0, None, 0.01, 24)
    assert size(8, 8, 0.04, 24) > size(8, 24, 0.04, 24) > size(8, None, 0.04, 24)


def test_effects_within_the_margin_or_the_equivalence_need_more_blocks_than_there_are() -> None:
    assert blocks_needed(0.01, 0.05, family=20, rule=Rule(effect=0.05)) is None
    assert blocks_needed(0.0, 0.05, family=20, rule=Rule(effect=0.05)) is None
    assert blocks_needed(0.01, 0.0, family=20, rule=Rule(effect=0.01)) is None
    assert blocks_needed(50.0, 0.0, family=20, rule=Rule(effect=0.05)) is None
    assert blocks_needed(math.nan, 0.0, family=20, rule=RULE) is None


@given(family=st.integers(1, 10_000), least=st.integers(0, 100))
def test_confirmation_has_the_blocks_with_which_one_case_alone_can_be_found(family: int, least: int) -> None:
    blocks = confirm_blocks(family, least, RULE)
    assert blocks >= least
    assert 2 * family * 2.0**-blocks <= RULE.fdr
    assert blocks == least or 2 * family * 2.0 ** -(blocks - 1) > RULE.fdr
