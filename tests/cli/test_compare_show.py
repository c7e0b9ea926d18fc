"""The terminal's view of a comparison says what each metric calls unchanged."""

from io import StringIO

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
