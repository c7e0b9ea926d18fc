"""The tables of leads and of fractions of the limit: all data sets and dtypes of a run in one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gdbench.experiments import datasets
from gdbench.report.overview_tables import lead_tables, limit_tables
from gdbench.run.folder import Run
from gdbench.run.summary import LEAD_UNKNOWN

COLUMNS = ["network", "dataset", "variant", "batch_size", "descent", "dtype", "threads", "seconds", "fraction_of_limit"]
PEAK = "fraction_of_peak"
ROWS = [
    ("logistic", "digits", "jit", 1, "stochastic", "float32", 1, 2.0, 0.25),
    ("logistic", "digits", "buffered", 1, "stochastic", "float32", 1, 1.0, 0.5),
    ("logistic", "digits", "torch_manual", 1, "stochastic", "float32", 1, 0.5, 1.0),
    ("logistic", "digits", "jit", 32, "minibatch", "float32", 1, 1.0, 0.125),
    ("logistic", "digits", "jit", 1797, "batch", "float32", 1, 1.0, 0.75),
    ("logistic", "digits", "jit", 1797, "batch", "float64", 1, 0.25, 0.625),
    ("linear", "synthetic_regression", "jit", 1, "stochastic", "float32", 1, 1.0, 1.5),
    ("linear", "synthetic_regression", "jit", 1000, "batch", "float32", 1, 1.0, 0.0625),
    ("linear", "synthetic_regression", "jit", 1000, "batch", "float32", 2, 1.0, 0.375),
]


def _run(rows: list[tuple], peak: float = np.nan) -> Run:
    summary = pd.DataFrame(rows, columns=COLUMNS).assign(status="measured", task="epoch", **{PEAK: peak})
    return Run(None, None, {}, summary, summary, summary, {})  # the table is made of the summary alone


def test_a_cell_has_our_fastest_variant_and_its_fraction() -> None:
    one, two = limit_tables(_run(ROWS))
    assert one.head == ("case", "dtype, data", "B=1", "B=32", "B=n")
    assert one.rows == (
        ("logistic on digits", "float32, 48.9 % zeros", "buffered\n50.0 %", "jit\n12.5 %", "jit\n75.0 %"),
        ("logistic on digits", "float64, 48.9 % zeros", "-", "-", "jit\n62.5 %"),
        ("linear on synthetic_regression", "float32, no zeros", "jit\n150 %", "-", "jit\n6.25 %"),
    )
    assert one.title.endswith("our fastest variant, 1 thread")
    assert two.title.endswith("our fastest variant, 2 threads")
    assert [row[2:] for row in two.rows] == [("jit\n37.5 %",)]


def test_the_fraction_of_the_peak_stands_beside_it_where_it_was_measured() -> None:
    one, _ = limit_tables(_run(ROWS, peak=0.25))
    assert one.title.startswith("Fraction of the machine's limit (and of the core's peak), our fastest")
    assert one.rows[0][2:] == ("buffered\n50.0 % (25.0 %)", "jit\n12.5 % (25.0 %)", "jit\n75.0 % (25.0 %)")


def test_a_cell_has_the_lead_with_its_interval_and_both_names() -> None:
    run = _run(ROWS[3:4])
    found = run.summary.assign(
        best_peer="jax_scan", speedup_vs_best_peer=1.5, speedup_vs_best_peer_low=1.25, speedup_vs_best_peer_high=1.75
    )
    (table,) = lead_tables(replace(run, summary=found))
    assert table.title == "Speed relative to the fastest peer (= 1x), our fastest variant, 1 thread"
    assert table.rows == (("logistic on digits", "float32, 48.9 % zeros", "1.50x (1.25 to 1.75x)\njit to jax_scan"),)
    (unknown,) = lead_tables(replace(run, summary=found.assign(best_peer=LEAD_UNKNOWN, speedup_vs_best_peer=np.nan)))
    assert unknown.rows[0][2] == LEAD_UNKNOWN
    assert lead_tables(replace(run, summary=found.assign(best_peer=""))) == []


def test_without_limits_there_is_no_table() -> None:
    assert limit_tables(_run([(*row[:-1], np.nan) for row in ROWS])) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("synthetic_regression:n=50,d=4", "no zeros"),
        ("synthetic_regression:n=500,d=40,sparsity=0.8", "80."),
        ("mnist5k", "80.7 % zeros"),
    ],
)
def test_the_share_of_zeros_is_counted(name: str, words: str) -> None:
    assert datasets.describe_zeros(name).startswith(words)
