"""The peers' table: our fastest variant against the fastest peer, from blocks in which both were measured."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.variants import is_peer, names, unavailable
from gdbench.machine.environment import Environment
from gdbench.report import markdown, tables
from gdbench.report.peers_table import peer_sentences, peer_tables
from gdbench.run.folder import SAMPLE_COLUMNS, Run
from gdbench.run.plan import Plan
from gdbench.run.summary import LEAD_UNKNOWN, summarise
from gdbench.verify.certificates import CertificateRow

SLOW, FAST = [name for name in (*names(), *unavailable()) if is_peer(name)][:2]
SPEC = NetworkSpec("logistic", "logistic", 0.1)
N_ROWS = 569
"""Rows of breast_cancer."""
SECONDS = {  # by variant and batch size, block by block
    ("reference", 1): [9.0] * 6,
    ("reference", 32): [9.0] * 6,
    ("jit", 1): [1.0, 1.0, 1.0, 1.0, 1.0, 2.0],
    ("jit", 32): [4.0] * 6,
    (FAST, 1): [3.0, 3.0, 3.0, 3.0, 3.0, 4.0],
    (FAST, 32): [0.5] * 6,
    (SLOW, 1): [5.0] * 6,
    (SLOW, 32): [8.0] * 6,
}


def _run(
    seconds: dict[tuple[str, int], list[float]],
    wrong: tuple[str, ...] = (),
    dtypes: tuple[str, ...] = ("float32",),
    **versions,
):
    """A run with these times, made of tables instead of measured."""
    cases = tuple(
        Case("logistic", "breast_cancer", N_ROWS, "epoch", variant, size, dtype)
        for dtype in dtypes
        for variant, size in seconds
    )
    samples = pd.DataFrame(
        [
            (*case.to_dict().values(), block, value, 1, 1, 0.0)
            for case in cases
            for block, value in enumerate(seconds[case.variant, case.batch_size])
            if np.isfinite(value)
        ],
        columns=SAMPLE_COLUMNS,
    )
    certificates = [
        CertificateRow(name, "logistic", "breast_cancer", "30-1", dtype, 0.0, 1e-6, name not in wrong, "here", 0.0)
        for dtype in dtypes
        for name in dict.fromkeys(name for name, _ in seconds)
    ]
    plan = Plan("made", "gdbench run", 0, 0.01, "", {"logistic": SPEC}, cases, ())
    known = {"numpy": "2", "numba": "0", "gdbench": "0", **versions}
    return Run(
        folder=Path("nowhere"),
        plan=plan,
        environment=Environment(date="today", cpu="one", logical_cores=1, blas_threads=1, versions=known),
        certificates=pd.DataFrame(map(asdict, certificates)),
        samples=samples,
        summary=summarise(cases, samples, certificates, {}, networks=plan.networks, limits={}),
        limits={},
    )


def _row(run: Run, variant: str, batch_size: int) -> pd.Series:
    found = run.summary[(run.summary["variant"] == variant) & (run.summary["batch_size"] == batch_size)]
    return found.iloc[0]


def test_the_best_peer_has_the_least_median_and_the_interval_is_that_of_the_ratios() -> None:
    row = _row(_run(SECONDS), "jit", 1)
    assert row["best_peer"] == FAST
    assert row["speedup_vs_best_peer"] == 3.0
    assert (row["speedup_vs_best_peer_low"], row["speedup_vs_best_peer_high"]) == (2.0, 3.0)
    assert _row(_run(SECONDS), "reference", 1)["speedup_vs_best_peer"] == pytest.approx(1 / 3)
    assert _row(_run(SECONDS), FAST, 1)["speedup_vs_best_peer"] == 1.0


def test_only_blocks_in_which_both_were_measured_count() -> None:
    """The medians over all blocks would say 3.5, those over the blocks that both share 2.33."""
    ours, theirs = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0], [np.nan, np.nan, 3.0, 3.0, 4.0, 4.0]
    row = _row(_run({("jit", 1): ours, (FAST, 1): theirs}), "jit", 1)
    assert row["speedup_vs_best_peer"] == pytest.approx(3.5 / 1.5)


@pytest.mark.parametrize("wrong", [(FAST,), (SLOW,), (FAST, SLOW)], ids=" ".join)
def test_where_a_peer_failed_its_certificate_no_lead_is_claimed(wrong: tuple[str, ...]) -> None:
    """It has no times, so that nobody knows whether it is the fastest."""
    run = _run(SECONDS, wrong=wrong)
    row = _row(run, "jit", 1)
    assert row["best_peer"] == LEAD_UNKNOWN
    assert np.isnan(row["speedup_vs_best_peer"])
    (table,) = peer_tables(run)
    rows = {line[0]: line[2:] for line in table.rows}
    assert rows["fastest peer"] == ("unknown", "unknown")
    assert rows["speed, peer = 1x"] == (LEAD_UNKNOWN, LEAD_UNKNOWN)
    (sentence,) = peer_sentences(run)
    assert sentence.startswith("In 2 of 2 cells the lead is unknown, since a peer failed there that may be the fastest")
    assert set(sentence.rpartition(": ")[2].removesuffix(".").split(", ")) == set(wrong)
    text = markdown.render(run)
    assert f"{LEAD_UNKNOWN} <br>(a peer failed)" in text


def test_the_table_shows_our_fastest_the_fastest_peer_and_the_ratio() -> None:
    (table,) = peer_tables(_run(SECONDS))
    assert table.head == ("", "dtype", "B=1\nstochastic", "B=32")
    rows = {row[0]: row[2:] for row in table.rows}
    assert [cell.split("\n")[0] for cell in rows["our fastest"]] == ["jit", "jit"]
    assert [cell.split("\n")[0] for cell in rows["fastest peer"]] == [FAST, FAST]
    assert rows["speed, peer = 1x"] == ("3.00x\n(2.00 to 3.00x)", "0.125x\n(0.125 to 0.125x)")
    assert "of the limit" not in rows  # no limits were measured


def test_the_sentence_has_the_geometric_mean_and_the_worst_cell() -> None:
    (sentence,) = peer_sentences(_run(SECONDS))
    assert "Over 2 cells" in sentence
    # round by round 3 and 1/8 have the mean 0.612, in the last 2 and 1/8 have 0.5
    assert "0.612x (0.500 to 0.612x) the speed of the fastest peer (geometric mean)" in sentence
    assert "the least is 0.125x (0.125 to 0.125x), logistic on breast_cancer in float32 at batch size 32" in sentence


def test_rounds_that_lack_a_cell_do_not_count_for_the_interval_of_the_mean() -> None:
    gaps = {**SECONDS, (FAST, 1): [np.nan, 3.0, 3.0, 3.0, 3.0, 4.0]}
    (sentence,) = peer_sentences(_run(gaps))
    assert "0.612x (0.500 to 0.612x)" in sentence
    alone = {key: values if key[1] == 1 else [np.nan] * 5 + values[:1] for key, values in SECONDS.items()}
    alone[FAST, 1] = [3.0] * 5 + [np.nan]
    (sentence,) = peer_sentences(_run(alone))
    assert "0.612x the speed" in sentence


def test_a_report_without_peers_says_so_with_the_remedy() -> None:
    ours = {key: values for key, values in SECONDS.items() if not is_peer(key[0])}
    run = _run(ours)
    assert run.summary["speedup_vs_best_peer"].isna().all()
    assert (run.summary["best_peer"] == "").all()
    (sentence,) = peer_sentences(run)
    assert "No peer was measured in this run" in sentence
    assert "take --profile peers" in sentence
    assert sentence in markdown.render(run)
    assert [row[0] for table in peer_tables(run) for row in table.rows] == ["our fastest"]


def test_a_report_without_peers_names_the_missing_ones_without_their_reasons() -> None:
    run = _run({key: values for key, values in SECONDS.items() if not is_peer(key[0])})
    missing = {"torch_manual": "it needs torch, which is not installed: pip install 'gdbench[peers]'"}
    (sentence,) = peer_sentences(replace(run, environment=replace(run.environment, unavailable=missing)))
    assert sentence.startswith("No peer was measured in this run")
    assert sentence.endswith(" Not available here, as gdbench list explains: torch_manual.")


def test_a_library_that_is_missing_is_named_beside_the_peers_that_were_measured() -> None:
    reason = "it needs torch, which is not installed: pip install 'gdbench[peers]'"
    run = _run(SECONDS)
    missing = {"torch_manual": reason, "mine": "another reason"}
    run = replace(run, environment=replace(run.environment, unavailable=missing))
    *_, sentence = peer_sentences(run)
    assert sentence == f"Not measured: torch_manual ({reason})."


def test_peers_stand_below_ours_under_their_own_heading() -> None:
    (table,) = tables.speed_tables(_run(SECONDS))
    assert [row[0] for row in table.rows] == ["reference", "jit", tables.PEERS, FAST, SLOW]
    assert table.best is not None
    assert table.rows[table.best[0]][0] == FAST
    assert table.rows[table.best[0]][table.best[1]].startswith("879 µs")


def test_peers_stand_below_ours_in_both_dtypes() -> None:
    (table,) = tables.speed_tables(_run(SECONDS, dtypes=("float32", "float64")))
    order = [row[0] for row in table.rows]
    assert order == ["reference", "jit", "reference", "jit", tables.PEERS, FAST, SLOW, FAST, SLOW]


def test_a_cell_that_a_peer_does_not_support_is_empty() -> None:
    partial = {key: values for key, values in SECONDS.items() if key != (SLOW, 32)}
    (table,) = tables.speed_tables(_run(partial))
    assert {row[0]: row for row in table.rows}[SLOW][3] == ""


def test_a_peer_that_wins_is_named_as_a_peer() -> None:
    text = markdown.render(_run(SECONDS))
    assert f"| {FAST} (peer) <br>B=32 |" in text
    slow, fast = "5.27\N{NO-BREAK SPACE}ms", "879\N{NO-BREAK SPACE}µs"
    assert f"| fastest peer | float32 | {FAST} <br>{slow} | {FAST} <br>{fast} |" in text
