"""Tables of the picks on problems whose expected loss is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from selftest.picks.clocks import CLOCKS
from selftest.picks.family import FAMILY
from selftest.picks.markdown import Entry, against, groups, met, percent, quantiles, rules_table, section, table, whole
from selftest.picks.scores import (
    CHEAP,
    CHEAP_SHARE,
    COVER,
    EXACT_GOAL,
    costs,
    cover,
    picks_of,
    regret,
    rule_regrets,
    share_within,
)

LARGEST = 5
"""Picks with the largest regrets that are told one by one."""
EXACT = """
Quadratics with noise, least squares on endless Gaussian rows and on real rows: the expected loss after any number of
steps is known in closed form, so regrets have no sampling error. Seconds per step come from eight synthetic clocks.
The cost of a search is its share of the rows of an exhaustive sweep (every batch size, nine rates, ten runs, each
stopped at three times the best).
"""


def exact_parts(searches: Sequence[Entry], tier: str) -> list[str]:
    """Sections of the searches of one tier."""
    picks = picks_of(searches)
    ours = regret(pick["regret"] for pick in picks)
    return [
        section(f"Problems whose expected loss is known, tier {tier}", EXACT + "\n" + _goals(searches)),
        section("Fixed rules on these problems", rules_table(ours, rule_regrets(picks))),
        section("By problem", _by_problem(searches)),
        section("By clock", _by_clock(picks)),
        section("The largest regrets", _largest(searches)),
    ]


def _goals(searches: Sequence[Entry]) -> str:
    picks, cost = picks_of(searches), costs(searches)
    found, held = regret(pick["regret"] for pick in picks), cover(picks)
    sizes = regret(pick["size_regret"] for pick in picks)
    cheap = share_within(cost, CHEAP)
    rows = [
        *against(found, EXACT_GOAL),
        ["regret of the batch size alone, 90th percentile", percent(sizes.p90), "", ""],
        ["regret of the batch size alone, worst", percent(sizes.worst), "", ""],
        [
            f"searches that cost at most {whole(CHEAP)}",
            percent(cheap),
            f"at least {whole(CHEAP_SHARE)}",
            met(cheap, 1.0, CHEAP_SHARE),
        ],
        ["median cost", percent(median(cost)), "", ""],
        [
            "90 % intervals that hold the true time",
            percent(held),
            " to ".join(map(whole, COVER)),
            met(held, COVER[1], COVER[0]),
        ],
    ]
    versions = len({search["code"] for search in searches})
    mixed = f" They are of {versions} versions of the code: measure again." if versions > 1 else ""
    words = f"{len(searches)} searches, {found.count} picks.{mixed}\n\n"
    return words + table(["", "found", "goal", "met"], rows)


def _by_problem(searches: Sequence[Entry]) -> str:
    rows = []
    for name, own in groups(searches, "instance", FAMILY).items():
        picks, cost = picks_of(own), costs(own)
        one = regret(pick["regret"] for pick in picks)
        runs = f"{median(entry['runs'] for entry in own):.0f}"
        costs_of = [percent(median(cost)), percent(max(cost)), runs]
        rows.append([name, str(len(own)), *quantiles(one), *costs_of, percent(cover(picks))])
    return table(["problem", "searches", "median", "90th", "worst", "median cost", "worst cost", "runs", "cover"], rows)


def _by_clock(picks: Sequence[Entry]) -> str:
    rows = [
        [name, str(len(own)), *quantiles(regret(pick["regret"] for pick in own)), percent(cover(own))]
        for name, own in groups(picks, "clock", CLOCKS).items()
    ]
    return table(["clock", "picks", "median", "90th", "worst", "cover"], rows)


def _largest(searches: Sequence[Entry]) -> str:
    def size_of(pair: tuple[Entry, Entry]) -> float:
        return math.inf if pair[1]["regret"] is None else pair[1]["regret"]

    pairs = [(entry, pick) for entry in searches for pick in entry["picks"]]
    rows = [
        [
            entry["instance"],
            str(entry["seed"]),
            pick["clock"],
            str(pick["best"]),
            str(pick["picked"]),
            percent(pick["regret"]),
            percent(pick["size_regret"]),
        ]
        for entry, pick in sorted(pairs, key=size_of, reverse=True)[:LARGEST]
    ]
    return table(["problem", "seed", "clock", "best", "picked", "regret", "of the batch size alone"], rows)
