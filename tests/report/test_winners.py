"""The answer of a run: the fastest of each network, data set and dtype, with intervals and ties."""

from pathlib import Path

import numpy as np
import pandas as pd

from gdbench.report.winners import winners_table
from gdbench.run.folder import Run
from gdbench.run.summary import LEAD_UNKNOWN

ROW = {
    "network": "mlp",
    "dataset": "digits",
    "task": "epoch",
    "dtype": "float32",
    "threads": 1,
    "status": "measured",
    "blocks": 6,
    "interval_coverage": 0.969,
    "best_peer": "",
    "speedup_vs_reference": np.nan,
    "speedup_vs_best_peer": np.nan,
}
N_ROWS = 100


def _case(variant: str, batch_size: int, low: float, median: float, high: float, **fields) -> dict[str, object]:
    """A row of a summary; times in ms of an epoch of 100 rows."""
    times = {"seconds_low": low / 1e3, "seconds": median / 1e3, "seconds_high": high / 1e3}
    return (
        ROW | {"variant": variant, "batch_size": batch_size, "seconds_per_row": median / 1e3 / N_ROWS} | times | fields
    )


def _run(*rows: dict[str, object]) -> Run:
    nothing = pd.DataFrame()
    return Run(Path("nowhere"), None, None, nothing, nothing, pd.DataFrame(rows), {})


def _rows(*rows: dict[str, object]) -> list[dict[str, str]]:
    table = winners_table(_run(*rows))
    assert table is not None
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


def test_each_dtype_has_its_own_winner_with_the_interval_of_a_row() -> None:
    single, double = _rows(
        _case("jit", 1, 1.9, 2.0, 2.1),
        _case("jit", 32, 0.9, 1.0, 1.1),
        _case("tiled", 32, 3.0, 3.1, 3.2, dtype="float64"),
    )
    assert single == {
        "network": "mlp on digits\nfloat32",
        "fastest": "jit\nB=32",
        "time per row": "10.0 µs\n(9.00 to 11.0 µs)",
        "ties with": "nothing",
    }
    assert double["fastest"] == "tiled\nB=32"


def test_cases_whose_intervals_overlap_are_ties_and_only_the_first_is_named() -> None:
    (row,) = _rows(
        _case("jit", 32, 0.9, 1.0, 1.1),
        _case("tiled", 8, 1.1, 1.2, 1.3),
        _case("sparse", 8, 1.0, 1.3, 1.6),
        _case("buffered", 8, 1.11, 1.2, 1.3),
    )
    assert row["ties with"] == "tiled B=8\nand 1 more"


def test_speeds_relative_to_reference_and_peer_have_their_intervals() -> None:
    speeds = {"speedup_vs_reference": 5.0, "speedup_low": 4.5, "speedup_high": 5.5}
    lead = {"speedup_vs_best_peer": 1.5, "speedup_vs_best_peer_low": 1.4, "speedup_vs_best_peer_high": 1.6}
    (row,) = _rows(_case("jit", 32, 0.9, 1.0, 1.1, best_peer="torch_manual", **speeds, **lead))
    assert row["reference = 1x"] == "5.00x\n(4.50 to 5.50x)"
    assert row["best peer = 1x"] == "1.50x torch_manual\n(1.40 to 1.60x)"


def test_a_peer_that_wins_has_no_lead_and_where_one_failed_none_is_claimed() -> None:
    first, second = _rows(
        _case("torch_manual", 32, 0.9, 1.0, 1.1, best_peer="torch_manual", speedup_vs_best_peer=1.0),
        _case("jit", 32, 0.9, 1.0, 1.1, best_peer=LEAD_UNKNOWN, dtype="float64"),
    )
    assert first["fastest"] == "torch_manual (peer)\nB=32"
    assert first["best peer = 1x"] == "-"
    assert second["best peer = 1x"] == f"{LEAD_UNKNOWN}\n(a peer failed)"


def test_threads_are_named_where_they_differ() -> None:
    one, two = _rows(_case("jit", 32, 0.9, 1.0, 1.1), _case("jit", 32, 0.9, 1.0, 1.1, threads=2))
    assert one["network"] == "mlp on digits\nfloat32, 1 thread"
    assert two["network"] == "mlp on digits\nfloat32, 2 threads"


def test_nothing_measured_has_no_table() -> None:
    assert winners_table(_run(_case("jit", 32, np.nan, np.nan, np.nan, status="failed"))) is None
