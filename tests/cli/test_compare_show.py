"""The terminal's view of a comparison says what each metric calls unchanged."""

from io import StringIO

import pytest
from rich.console import Console

from gdbench.cli.compare_show import show

from ..compare.comparison_records import make, with_memory


def test_bytes_are_unchanged_within_a_share_or_a_few_kib() -> None:
    text = StringIO()
    show(with_memory(make(), {0: 11_000}, base_bytes=10_000), Console(file=text, width=200))
    times, _, allocated = text.getvalue().partition("Allocated bytes per call")
    lines = [line for line in allocated.splitlines() if line.startswith("UNCHANGED within")]
    assert all(line.startswith("UNCHANGED within 2 % or 4 KiB: ") for line in lines)
    assert any("to 1.100x" in line for line in lines)
    assert "KiB" not in times


@pytest.mark.parametrize(("width", "verdict"), [(96, "INSUFFICIENT   "), (160, "INSUFFICIENT EVIDENCE  ")])
def test_a_wide_table_folds_no_verdict_and_has_no_empty_column(width: int, verdict: str) -> None:
    text = StringIO()
    record = with_memory(make(effects={3: 0.24}, spreads={5: 0.3}), {0: 20_000}, base_bytes=10_000)
    show(record, Console(file=text, width=width), every_case=True)
    times, _, allocated = text.getvalue().partition("Allocated bytes per call")
    assert f"\n{verdict}" in times
    assert "visible" in times
    assert "visible" not in allocated.partition("Controls")[0]
