"""Tables of the picks on problems whose steps are known: from a closed form, or from exhaustive simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from selftest.picks.clocks import CLOCKS
from selftest.picks.markdown import against, groups, met, percent, quantiles, rules_table, section, table, whole
from selftest.picks.scores import (
    CLOSE,
    COVER,
    KNOWN_GOAL,
    Entry,
    cover,
    errors_of,
    is_close,
    measured,
    regret,
    rule_regrets,
)

LARGEST = 5
"""Largest regrets and errors of steps, which are told one by one."""
KNOWN = """
Families `quadratic` (noisy), `gaussian` (least squares on endless rows) and `rows` (on real rows) have an expected loss
in closed form, after any number of steps: what is found there has no sampling error. Families `logistic`, `softmax` and
`network` (one hidden layer) are known from up to 16,000 runs at each batch size and learning rate, to about 1 %; their
intervals are widened by that. Seconds per step come from eight synthetic clocks, each of which has a search of its own,
with the tier's budget in CPU seconds of its trials on two workers. Errors of steps are those of whole numbers at the
learning rate that was told; a single step too many or too few is close.
"""


def known_parts(searches: Sequence[Entry], tier: str) -> list[str]:
    """Sections of the searches of one tier."""
    ours, rules = regret(search["regret"] for search in searches), rule_regrets(searches)
    return [
        section(f"Problems whose steps are known, tier {tier}", KNOWN + "\n" + _goals(searches)),
        section("By family", _by(searches, "family")),
        section("Fixed rules on these problems", rules_table(ours, rules)),
        section("By problem", _by(searches, "problem")),
        section("By clock", _by(searches, "clock", tuple(CLOCKS))),
        section("Steps by batch size", _by_size(searches)),
        section("The largest regrets", _largest_regrets(searches)),
        section("The largest errors of steps", _largest_errors(searches)),
    ]


def _goals(searches: Sequence[Entry]) -> str:
    found, sizes = (regret(search[name] for search in searches) for name in ("regret", "size_regret"))
    families = groups(searches, "family").values()
    held = {
        "times": [cover(own) for own in families],
        "steps": [cover(measured(own)) for own in families],
    }
    close = _share_close(searches)
    rows = [
        *against(found, KNOWN_GOAL),
        ["regret of the batch size alone, 90th percentile", percent(sizes.p90), "", ""],
        ["regret of the batch size alone, worst", percent(sizes.worst), "", ""],
        *(
            [
                f"90 % intervals of {name} that hold the truth, by family",
                f"{percent(min(shares))} to {percent(max(shares))}",
                " to ".join(map(whole, COVER)),
                met(max(shares), COVER[1]) if min(shares) >= COVER[0] else "no",
            ]
            for name, shares in held.items()
        ),
        [f"steps within {whole(CLOSE)} of the truth, or a step", percent(close), "all", met(close, 1.0, 1.0)],
        ["median seconds of a search", f"{median(search['seconds'] for search in searches):.0f}", "", ""],
    ]
    versions = len({search["code"] for search in searches})
    mixed = f" They are of {versions} versions of the code: measure again." if versions > 1 else ""
    return f"{len(searches)} searches.{mixed}\n\n" + table(["", "found", "goal", "met"], rows)


def _by(searches: Sequence[Entry], field: str, order: Sequence[str] = ()) -> str:
    rows = []
    for name, own in groups(searches, field, order).items():
        one = quantiles(regret(search["regret"] for search in own))
        shares = [percent(cover(own)), percent(cover(measured(own))), percent(_share_close(own))]
        seconds = f"{median(search['seconds'] for search in own):.0f}"
        rows.append([name, str(len(own)), *one, *shares, seconds])
    head = [
        "searches",
        "regret, median",
        "90th",
        "worst",
        "cover of times",
        "of steps",
        "steps close",
        "median seconds",
    ]
    return table([field, *head], rows)


def _by_size(searches: Sequence[Entry]) -> str:
    rows = []
    for size in sorted({row["batch_size"] for row in measured(searches)}):
        own = [(row, error) for row, error in errors_of(searches) if row["batch_size"] == size]
        errors = [abs(error) for _, error in own]
        close = sum(is_close(row, error) for row, error in own) / len(own)
        held = cover([row for row, _ in own])
        rows.append([str(size), str(len(own)), *map(percent, (median(errors), max(errors), close, held))])
    return table(["batch size", "measured", "median error", "worst", "close", "cover"], rows)


def _largest_regrets(searches: Sequence[Entry]) -> str:
    def size_of(search: Entry) -> float:
        return math.inf if search["regret"] is None else search["regret"]

    rows = [
        [*_names(one), str(one["best"]), str(one["picked"]), percent(one["regret"]), percent(one["size_regret"])]
        for one in sorted(searches, key=size_of, reverse=True)[:LARGEST]
    ]
    return table(["problem", "seed", "clock", "best", "picked", "regret", "of the batch size alone"], rows)


def _largest_errors(searches: Sequence[Entry]) -> str:
    found = [(search, row, error) for search in searches for row, error in errors_of([search])]
    rows = [
        [
            *_names(search),
            *(str(row[name]) for name in ("batch_size", "steps")),
            *("never reached" if row["exact"] is None else str(row["exact"]), str(row["runs"])),
            "-" if row["exact"] is None else percent(error),
        ]
        for search, row, error in sorted(found, key=lambda one: abs(one[2]), reverse=True)[:LARGEST]
    ]
    return table(["problem", "seed", "clock", "batch size", "steps told", "exact", "runs", "error"], rows)


def _names(search: Entry) -> list[str]:
    return [search["problem"], str(search["seed"]), search["clock"]]


def _share_close(searches: Sequence[Entry]) -> float:
    found = errors_of(searches)
    return sum(is_close(row, error) for row, error in found) / len(found) if found else math.nan
