"""The summary for machines: every digit that was measured, and no number that JSON does not have."""

import json
import math

import pandas as pd

from gdbench.cli.show import records


def test_small_numbers_keep_their_digits_and_what_is_not_known_is_null() -> None:
    table = pd.DataFrame(
        {
            "variant": ["jit", None],
            "batch_size": [1, 512],
            "seconds": [6.54321e-08, 3.97755e-06],
            "max_error": [1.23456e-16, math.nan],
            "limit_seconds": [math.inf, 2.5],
            "certified": [True, False],
        }
    )
    first, second = json.loads(json.dumps(records(table), allow_nan=False))
    assert first == {
        "variant": "jit",
        "batch_size": 1,
        "seconds": 6.54321e-08,
        "max_error": 1.23456e-16,
        "limit_seconds": None,
        "certified": True,
    }
    assert (second["variant"], second["max_error"], second["seconds"]) == (None, None, 3.97755e-06)
