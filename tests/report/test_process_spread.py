"""The table that says how unlike fresh processes are: the range of a case's times over blocks."""

import pandas as pd

from gdbench.experiments.cases import CASE_COLUMNS
from gdbench.report.process_spread import spread_tables
from gdbench.run.folder import Run

TIMES = {("tiled", 1): [1.0, 2.0, 4.0], ("jit", 1): [5.0, 5.0, 5.0], ("tiled", 32): [1.0, 9.0, 9.0]}


def _case(variant: str, batch_size: int) -> dict[str, object]:
    named = {"network": "mlp", "dataset": "mnist5k", "n_rows": 5000, "task": "epoch", "dtype": "float32", "threads": 1}
    return {**named, "variant": variant, "batch_size": batch_size}


def _run(times: dict[tuple[str, int], list[float]]) -> Run:
    blocks = [{**_case(*key), "seconds": seconds} for key, found in times.items() for seconds in found]
    cases = [{**_case(*key), "status": "measured", "blocks": len(found)} for key, found in times.items()]
    samples = pd.DataFrame(blocks)
    assert set(CASE_COLUMNS) <= set(samples)
    return Run(None, None, {}, pd.DataFrame(), samples, pd.DataFrame(cases), {})


def test_the_range_is_that_of_the_smallest_batch_size_relative_to_the_median() -> None:
    (table,) = spread_tables(_run(TIMES))
    assert table.head == ("variant", "dtype", "mlp on mnist5k\nB=1")
    assert table.rows == (("tiled", "float32", "150 %"), ("jit", "float32", "0.0 %"))
    assert "3 fresh processes" in table.title


def test_one_process_has_no_range() -> None:
    assert spread_tables(_run({key: found[:1] for key, found in TIMES.items()})) == []
