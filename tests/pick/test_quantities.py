"""Amounts with units, as people type them and as Python spells them."""

import pytest

from gdbench.pick.quantities import read_bytes, read_seconds
from kernels import InputError


@pytest.mark.parametrize(
    ("amount", "seconds"),
    [("30s", 30), ("2m", 120), (".5 h", 1800), (90, 90), (1e-5, 1e-5), (2.5e7, 2.5e7)],
)
def test_times_are_in_seconds(amount: str | float, seconds: float) -> None:
    assert read_seconds(amount) == pytest.approx(seconds)


@pytest.mark.parametrize(("amount", "size"), [("512MB", 512e6), ("2 GiB", 2 * 2**30), ("1000", 1000), (1e16, 1e16)])
def test_memory_is_in_bytes(amount: str | float, size: float) -> None:
    assert read_bytes(amount) == size


@pytest.mark.parametrize("amount", ["soon", "5x", "-1s", "0", "", "1e5", 0, -2.0, float("nan"), [60], 10**400])
def test_what_is_no_positive_amount_is_refused(amount: str | float) -> None:
    for read in (read_seconds, read_bytes):
        with pytest.raises(InputError, match="positive number"):
            read(amount)
