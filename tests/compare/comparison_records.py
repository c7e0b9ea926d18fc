"""Records of comparisons for tests: seeded pairs go through the real ``judge``; no verdict is written here."""

import json
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from gdbench.basics.records import plain
from gdbench.compare.controls import CANARIES, CONTROLS
from gdbench.compare.instructions import NOTE
from gdbench.compare.record import Measured, believe, case_rows, compile_rows, counts, exit_code, memory_rows, table
from gdbench.compare.verdicts import REGRESSED, Rule, confirm_blocks, needs_confirmation
from gdbench.experiments.cases import Case
from gdbench.machine.environment import describe

SCREEN_BLOCKS, CONFIRM_BLOCKS, MARGIN = 8, 24, 0.005
RULE = Rule()
QUIET = 0.008
"""Standard deviation over blocks of the log-ratio of a steady case."""
EXPERIMENTS = (("mlp", "mnist5k", 5000), ("softmax", "digits", 1797), ("linear", "diabetes", 442))
AXES = (EXPERIMENTS, ("gradient", "epoch"), ("jit", "vectorized"), (1, 32, 442), ("float32", "float64"))
NAMES = ("network", "dataset", "n_rows", "task", "variant", "batch_size", "dtype", "threads")
BASE_SECONDS, BASE_BYTES, COMPILE_SECONDS = 2e-4, 401_408, 0.8
COMPILE_PAIRS = 8


def cases() -> list[dict[str, Any]]:
    """Seventy-two cases of three networks."""
    every = [Case(*experiment, task, variant, size, dtype) for experiment, task, variant, size, dtype in product(*AXES)]
    return [{"case": case.id, **case.to_dict()} for case in every]


def make(
    chosen: list[dict[str, Any]] | None = None,
    *,
    effects: dict[int, float] | None = None,
    spreads: dict[int, float] | None = None,
    absent: dict[int, tuple[str, str]] | None = None,
    canary: float = 0.0,
    spike: float = 0.10,
    kept: tuple[int, int] | None = None,
    seed: int = 0,
    **fields: Any,
) -> dict[str, Any]:
    """Return the record of a simulated comparison.

    Parameters
    ----------
    effects, spreads
        Relative slowdown, and standard deviation of the log-ratio, of the cases at these positions; 0 and ``QUIET``
        for the others.
    absent
        Verdict (``BROKEN`` or ``MISSING``) and reason of cases that have no pairs.
    canary, spike
        What the controls really are.
    kept
        Blocks of the screen and of the confirmation that were measured before the run ended; all if not given.
    fields
        Entries of the record that are to be different.
    """
    chosen = cases() if chosen is None else chosen
    rng = np.random.default_rng(seed)
    keys = [*(case["case"] for case in chosen), *CONTROLS]
    planted = [(effects or {}).get(i, 0.0) for i in range(len(chosen))] + [canary] * len(CANARIES) + [spike]
    noise = [(spreads or {}).get(i, QUIET) for i in range(len(keys))]
    found = measure(keys, planted, noise, rng)
    if kept is not None:
        found = Measured(found.screen[: kept[0]], found.confirm[: kept[1]])
    rows, control_rows, status = case_rows(chosen, found, margin=MARGIN, rule=RULE)
    for i, (verdict, reason) in (absent or {}).items():
        rows[i].update(verdict=verdict, reason=reason, ratio=None, low=None, high=None, base=None, head=None)
    controls = {"status": status.status, "reason": status.reason, "cases": control_rows}
    return assemble(believe(rows, status), controls, (len(found.screen), len(found.confirm)), fields)


def measure(keys: list[str], effects: list[float], spreads: list[float], rng: np.random.Generator) -> Measured:
    """Simulate blocks of both stages; controls are confirmed always, cases where the screen leaves doubt."""
    screen = blocks(keys, effects, spreads, SCREEN_BLOCKS, rng)
    doubtful = needs_confirmation(table(screen, keys), RULE)
    doubtful[-len(CONTROLS) :] = True
    sent = np.flatnonzero(doubtful)
    number = confirm_blocks(len(sent), CONFIRM_BLOCKS, RULE)
    confirm = blocks(*([values[i] for i in sent] for values in (keys, effects, spreads)), number, rng)
    return Measured(screen, confirm)


def blocks(
    keys: list[str], effects: list[float], spreads: list[float], number: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return simulated blocks as their files hold them."""
    ratios = rng.normal(np.log1p(effects), spreads, (number, len(keys))).tolist()
    return [
        {
            "seconds": 10.0,
            "cases": {
                key: {
                    "log_ratio": value,
                    "base_seconds": BASE_SECONDS,
                    "head_seconds": BASE_SECONDS * np.exp(value),
                    "unsteady": False,
                }
                for key, value in zip(keys, line, strict=True)
            },
        }
        for line in ratios
    ]


def assemble(
    rows: list[dict[str, Any]], controls: dict[str, Any], measured: tuple[int, int], fields: dict[str, Any]
) -> dict[str, Any]:
    """Return the whole record, as it comes back from its file; ``measured`` are the blocks of both stages."""
    side = {"kind": "revision", "dirty": False, "variant": None}
    record = {
        "format": 1,
        "command": "gdbench compare main HEAD --quick",
        "date": "2026-01-31T09:30:00+00:00",
        "tier": "standard",
        "complete": True,
        "progress": "",
        "base": {"text": "main", "commit": "1f0c" * 10, **side},
        "head": {"text": "HEAD", "commit": "9b3e" * 10, **side},
        "environment": environment(),
        "settings": {
            "equivalence": RULE.equivalence,
            "fdr": RULE.fdr,
            "effect": RULE.effect,
            "screen_blocks": measured[0],
            "confirm_blocks": measured[1],
            "case_seconds": 0.1,
            "quads": 12,
            "margin": MARGIN,
            "margin_source": "default",
            "seconds": 412.0,
        },
        "controls": controls,
        "cases": rows,
        "warnings": [],
        "counts": counts(rows),
        "exit_code": exit_code(rows, controls["status"], effect=RULE.effect, complete=fields.get("complete", True)),
        **fields,
    }
    return json.loads(json.dumps(record, allow_nan=False))


def with_memory(record: dict[str, Any], head_bytes: dict[int, int], *, base_bytes: int = BASE_BYTES) -> dict[str, Any]:
    """Return the record with allocated bytes too; those of head are given for some cases."""
    chosen = [{key: row[key] for key in ("case", *NAMES)} for row in record["cases"]]
    allocated = {row["case"]: [base_bytes, head_bytes.get(i, base_bytes)] for i, row in enumerate(chosen)}
    return extended(record, memory_rows(chosen, Measured(allocated=allocated)))


def with_compile(record: dict[str, Any], effects: list[float], *, seed: int = 1) -> dict[str, Any]:
    """Return the record with simulated times of compilation too."""
    rng, seconds = np.random.default_rng(seed), COMPILE_SECONDS
    compiled = [
        {
            ("jit", "tiled", "sparse")[i]: [seconds, seconds * (1 + effect) * rng.lognormal(0, 0.01)]
            for i, effect in enumerate(effects)
        }
        for _ in range(COMPILE_PAIRS)
    ]
    return extended(record, compile_rows(Measured(compiled=compiled), margin=0.05, rule=RULE))


def extended(record: dict[str, Any], more: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the record with more rows, and the exit code that they make."""
    rows = [*record["cases"], *more]
    code = exit_code(rows, record["controls"]["status"], effect=RULE.effect, complete=record["complete"])
    return {**record, "cases": rows, "exit_code": code}


def explained(record: dict[str, Any], reading: str) -> dict[str, Any]:
    """Return the record with what --explain adds to its first regression."""
    slower = next(entry for entry in record["cases"] if entry["verdict"] == REGRESSED)
    ratio, low, high = (slower[key] for key in ("ratio", "low", "high"))
    added = {
        "tasks": [
            {"task": "forward", "ratio": 1.0, "low": 0.99, "high": 1.01},
            {"task": "gradient", "ratio": ratio, "low": low, "high": high},
        ],
        "instructions": {"base": 1_200_000, "head": 1_500_000, "ratio": 1.25, "note": NOTE},
        "reading": reading,
    }
    return {
        **record,
        "cases": [{**entry, "explanation": added} if entry is slower else entry for entry in record["cases"]],
    }


@cache
def environment() -> dict[str, Any]:
    """Return this machine's own description."""
    return plain(describe())
