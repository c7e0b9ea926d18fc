"""When a compiled variant has paid for its compilation: from given times, by hand."""

import math

import pandas as pd
import pytest

from gdbench.cold_start.payback import BASELINE, epochs_to_pay, payback, sentence


@pytest.mark.parametrize(
    ("cost", "epoch", "baseline", "expected"),
    [
        (10.0, 1.0, 6.0, 3),  # after 2 epochs both took 12 s
        (9.9, 1.0, 6.0, 2),
        (0.0, 1.0, 6.0, 1),
        (-0.1, 1.0, 6.0, 1),  # a load lost in the noise
        (10.0, 6.0, 6.0, math.inf),
        (10.0, 7.0, 6.0, math.inf),
        (10.0, math.nan, 6.0, math.inf),
    ],
)
def test_payback_is_the_first_epoch_at_which_the_variant_is_ahead(
    cost: float, epoch: float, baseline: float, expected: float
) -> None:
    assert epochs_to_pay(cost, epoch, baseline) == expected


def _summary(*rows: tuple[str, int, float, float, float]) -> pd.DataFrame:
    same = {"network": "mlp", "dataset": "mnist5k", "dtype": "float32", "threads": 1, "task": "epoch"}
    names = ("variant", "batch_size", "seconds", "seconds_low", "seconds_high")
    return pd.DataFrame([{**same, "status": "measured", **dict(zip(names, row, strict=True))} for row in rows])


def _cold() -> pd.DataFrame:
    load = {"load_seconds": 0.5, "load_seconds_low": 0.4, "load_seconds_high": 0.6}
    same = {"variant": "fast", "dtype": "float32", "network": "mlp", "dataset": "mnist5k", "compiled": True}
    return pd.DataFrame([{**same, "compile_seconds": 10.0, **load}])


def test_payback_in_a_sentence_with_ranges_and_with_never() -> None:
    summary = _summary(
        (BASELINE, 1, 6.0, 5.0, 7.0), ("fast", 1, 1.0, 1.0, 1.0), (BASELINE, 32, 2.0, 2.0, 2.0), ("fast", 32, 2.5, 2, 3)
    )
    found = payback(_cold(), summary)
    assert found["epochs"].tolist() == [3, math.inf]
    assert found["epochs_low"].tolist() == [2, math.inf]
    assert found["cached_epochs"].tolist() == [1, math.inf]
    assert sentence(found) == (
        "fast (mlp on mnist5k, float32) pays for its compilation of 10.0 s after 3 (2 to 3) epochs at B = 1; "
        "from Numba's cache within the first epoch; never at B = 32: vectorized is faster."
    )


def test_no_payback_without_the_baseline_or_a_compiled_start() -> None:
    summary = _summary((BASELINE, 1, 6.0, 5.0, 7.0), ("fast", 1, 1.0, 1.0, 1.0))
    assert payback(_cold(), summary[summary["variant"] == "fast"]).empty
    assert payback(_cold().assign(compiled=False), summary).empty
    assert len(payback(_cold(), summary)) == 1
