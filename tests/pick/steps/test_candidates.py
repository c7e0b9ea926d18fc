"""The batch sizes among which one is picked."""

from typing import Any

import pytest

from gdbench.pick.steps.candidates import candidates
from kernels import InputError


def test_candidates_are_the_powers_of_two_with_all_rows_and_ones_own() -> None:
    assert candidates(1) == (1,)
    assert candidates(2) == (1, 2)
    assert candidates(8) == (1, 2, 4, 8)
    assert candidates(100, current=33) == (1, 2, 4, 8, 16, 32, 33, 64, 100)
    assert candidates(100, most=64) == (1, 2, 4, 8, 16, 32, 64)
    assert candidates(100, most=40, current=50) == (1, 2, 4, 8, 16, 32)
    assert candidates(100, most=100)[-1] == 100


@pytest.mark.parametrize("options", [{"most": 0}, {"most": 11}, {"current": 0}, {"current": 11}, {"most": 2.5}])
def test_candidates_beyond_the_rows_are_refused_in_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^--(max-batch|current) must be a whole number from 1 to 10 \(all rows\)"):
        candidates(10, **options)
