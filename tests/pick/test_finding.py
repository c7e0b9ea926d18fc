"""Which variants count the steps: the fastest certified ones of ours, whichever was timed."""

from dataclasses import replace

import pytest

from gdbench.pick import finding
from gdbench.pick.seconds.times import Times
from selftest.picks.cells import CELLS
from selftest.picks.clocks import line

QUESTION = CELLS["diabetes-linear"].question(1)


def times_of(variant: str) -> Times:
    """Seconds per step of a variant."""
    times = line(16).times(QUESTION.batch_sizes)
    return replace(times, rows=tuple(replace(row, variant=variant) for row in times.rows))


@pytest.mark.parametrize("variant", ["tiled", "jit", "vectorized", "reference", "torch_manual"])
def test_steps_are_counted_by_the_fastest_variant_whichever_was_timed(variant: str) -> None:
    problem = finding.make_problem(QUESTION, times_of(variant), 0.5, None)
    assert problem.variants == dict.fromkeys(QUESTION.batch_sizes, "tiled")


def test_one_that_disagrees_with_the_reference_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_agrees", lambda question, name: name != "tiled")
    problem = finding.make_problem(QUESTION, times_of("vectorized"), 0.5, None)
    assert set(problem.variants.values()) == {"jit"}


def test_where_certificates_take_minutes_the_variant_that_was_timed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MAX_CERTIFIED", 1)
    problem = finding.make_problem(QUESTION, times_of("vectorized"), 0.5, None)
    assert set(problem.variants.values()) == {"vectorized"}
