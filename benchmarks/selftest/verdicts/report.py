"""The report of a self-test: ``report.md`` and a picture, made anew from the measurements each time."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from gdbench.basics.storage import write_text
from gdbench.compare.record.tiers import TIERS
from selftest.histories import report as labels
from selftest.journal import Journal
from selftest.markdown import percent, section, table
from selftest.verdicts import documents, generated, histories, planted, rivals, simulated_judge, simulation, unchanged
from selftest.verdicts.pictures import draw
from selftest.verdicts.scoring import (
    TIME,
    HistoryScore,
    Planted,
    Rate,
    alarms,
    false_alarms,
    invalid_runs,
    planted_cases,
    power,
    rival_alarms,
    score_history,
    tested_alarms,
    unplanted_rows,
)

PICTURE = "selftest.png"
INTRODUCTION = """# Self-test of the verdicts

Made by `python benchmarks/selftest/run.py` and the names of its parts; every number below is computed from
`measurements.jsonl` beside this file.
Upper bounds are one-sided, at 95 % (Clopper and Pearson).

Of comparisons `measurements.jsonl` holds summaries. The command below measures them anew and keeps all blocks, a file
of gzipped JSON for each comparison in `PLACE/blocks`, from which `judge_anew` of `benchmarks/selftest/blocks.py` makes
the verdicts.

    python benchmarks/selftest/run.py unchanged planted --folder NEW --scratch PLACE
"""
INVALID_RUNS = """
An invalid run is one whose controls failed. It claims nothing of time, so that it counts for no rate.
"""


def write_report(folder: Path) -> Path:
    """Write the report of whatever has been measured so far."""
    journal = Journal(folder)
    parts = [
        INTRODUCTION,
        _simulated(journal),
        _quiet(journal),
        _runs(journal),
        _power(journal),
        _documents(journal),
        _history(journal),
        labels.report(journal),
    ]
    rates = quiet_rates(journal)
    if rates:
        draw(folder / PICTURE, {name: rate for name, (rate, *_) in rates.items()}, joined(journal))
        parts.insert(1, f"![Rates of false alarms, and planted slowdowns]({PICTURE})\n")
    path = folder / "report.md"
    write_text(path, "\n".join(part for part in parts if part))
    return path


def quiet_rates(journal: Journal) -> dict[str, tuple[Rate, Rate, Rate, Rate]]:
    """Rates of alarms per verdict and per run where nothing changed, by tool.

    For ours also the rate of invalid runs, and that of alarms per verdict that was tested.
    """
    ours, others = journal.entries(unchanged.PART), journal.entries(rivals.PART)
    found = {}
    for tier in _tiers(ours):
        runs = [run for run in ours if run["tier"] == tier]
        found[f"gdbench compare --{tier}"] = (*false_alarms(runs), invalid_runs(runs), tested_alarms(runs))
    for tool in (rivals.ASV, rivals.PYTEST):
        runs = [run for run in others if run["tool"] == tool]
        if runs:
            found[tool] = (*rival_alarms(runs), Rate(0, 0), Rate(0, 0))
    return found


def joined(journal: Journal, tier: str | None = None) -> list[Planted]:
    """Planted cases of all runs whose truth is known, of one tier or of all."""
    return [case for run, truth in _known(journal, tier) for case in planted_cases(run, truth)]


def _known(journal: Journal, tier: str | None) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Runs with planted slowdowns, each with the truth about it."""
    truths = {entry["key"]: entry for entry in journal.entries(planted.TRUTH)}
    runs = [run for run in journal.entries(planted.PART) if tier in (None, run["tier"])]
    return [(run, truths[run["run"]]) for run in runs if run["run"] in truths]


def _tiers(runs: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(run["tier"] for run in runs))


def _simulated(journal: Journal) -> str:
    """Return rates by world, of the last judge that was simulated.

    Rows with an effect in all cases are of exit code 1, not of alarms. Entries of before the spike-in was the effect of
    its tier do not say its size, and leave that cell empty.
    """
    entries = journal.entries(simulated_judge.PART)
    entries = [entry for entry in entries if entry.get("judge") == entries[-1].get("judge")]
    places = {row.key: place for place, row in enumerate(simulated_judge.ROWS)}
    entries.sort(key=lambda entry: places.get(entry["key"].rpartition(", ")[0], len(places)))
    quiet, slower = ([row for row in entries if bool(row["slowdown"]) == known] for known in (False, True))
    if not entries:
        return ""
    head = [
        *("world", "suites", "alarms of tested cases", "per case", "suites with any", "invalid", "underpowered"),
        *("interval holds the truth", "smallest effect found"),
    ]
    rows = [
        [
            row["key"].rpartition(", ")[0],
            str(row["suites"]),
            f"{row['alarms']} of {row['tested']:,}",
            percent(row["alarms"] / row["cases"]),
            _of(Rate(row["alarmed_suites"], row["suites"])),
            _of(Rate(row["invalid"], row["suites"])),
            _of(Rate(row["underpowered"], row["suites"])) if "spike_in" in row else "",
            percent(row["covered"] / row["cases"]),
            percent(row["planted_found"] / row["planted"]) if row["planted"] else "-",
        ]
        for row in quiet
    ]
    shared = [
        [
            row["key"].rpartition(", ")[0],
            _of(Rate(row["exit_1"], row["suites"])),
            percent(row["alarms"] / row["cases"]),
        ]
        for row in slower
    ]
    text = table(head, rows) + "\nEvery case slower by the same:\n\n"
    text += table(["world", "exit code 1", "cases proven by themselves"], shared)
    return section(f"Simulated comparisons of {len(simulation.IDS)} cases", text)


def _quiet(journal: Journal) -> str:
    rows = [
        [
            tool,
            _of(per_verdict),
            percent(per_verdict.share),
            percent(per_verdict.upper),
            _of(per_run),
            _of(invalid) if invalid.trials else "-",
            _of(tested) if tested.trials else "-",
            percent(tested.upper),
        ]
        for tool, (per_verdict, per_run, invalid, tested) in quiet_rates(journal).items()
    ]
    head = ["tool", "false alarms of verdicts", "rate", "upper bound", "runs with any", "invalid runs"]
    head += ["of verdicts by a test", "upper bound"]
    return section("Nothing changed", table(head, rows) + INVALID_RUNS) if rows else ""


def _runs(journal: Journal) -> str:
    rows = [
        [
            run["key"],
            "injected" if run["loaded"] else "as it was",
            f"{run['load_before']:.1f}",
            f"{run['seconds']:.0f}",
            run["controls"],
            *_shares(run["rows"]),
        ]
        for run in journal.entries(unchanged.PART)
    ]
    head = [
        "run",
        "load",
        "load average before",
        "seconds",
        "controls",
        "cases",
        "alarms",
        "unchanged",
        "median pair sd",
    ]
    return section("Two builds of one commit, run by run", table(head, rows)) if rows else ""


def _shares(rows: list[dict[str, Any]]) -> list[str]:
    timed = [row for row in rows if row["metric"] == TIME]
    spreads = [row["pair_sd"] for row in timed if row["pair_sd"] is not None]
    unchanged_share = sum(row["verdict"] == "UNCHANGED" for row in timed) / max(len(timed), 1)
    spread = percent(median(spreads)) if spreads else "-"
    return [str(len(timed)), str(len(alarms(timed))), percent(unchanged_share), spread]


def _power(journal: Journal) -> str:
    return "\n".join(_power_of(journal, tier) for tier in _tiers(journal.entries(planted.PART)))


def _power_of(journal: Journal, tier: str) -> str:
    cases = joined(journal, tier)
    if not cases:
        return ""
    rows = [
        [
            row.size,
            f"at most {percent(row.largest_sd)}",
            _of(row.found),
            percent(row.found.share),
            percent(row.wanted_power) if claimed(row.size, tier) else "no claim",
            _of(row.unchanged),
            percent(row.allowed_unchanged),
        ]
        for row in power(cases)
    ]
    head = ["true slowdown", "pair sd", "found", "power", "goal", "called unchanged", "at most"]
    known = _known(journal, tier)
    alone = [row for run, truth in known for row in unplanted_rows(run, truth)]
    rate, invalid = Rate(len(alarms(alone)), len(alone)), invalid_runs([run for run, _ in known])
    below = sum(case.size is None for case in cases)
    text = (
        f"\nOf {len(cases)} planted cases, {below} were truly slower by less than 1.5 %, or not surely slower: "
        f"they count for no size. Among the cases that the same commits left alone: {_of(rate)} false alarms "
        f"(upper bound {percent(rate.upper)}). Invalid: {_of(invalid)} runs, whose planted cases count as not found.\n"
    )
    return section(f"Planted slowdowns, tier {tier}", table(head, rows) + text)


def claimed(size: str, tier: str) -> bool:
    """Whether a tier is made to find slowdowns of a size such as ``5 %`` or ``25 % and more``."""
    return float(size.split()[0]) >= 100 * TIERS[tier].effect


def _documents(journal: Journal) -> str:
    runs = journal.entries(documents.PART)
    if not runs:
        return ""
    per_verdict, per_run = false_alarms(runs, metric=None)
    text = (
        f"{_of(per_run)} commits with an alarm; {_of(per_verdict)} verdicts, time and memory together. "
        f"Invalid: {_of(invalid_runs(runs))} runs.\n"
    )
    return section("Commits that touch documentation alone", text)


def _history(journal: Journal) -> str:
    entries = {entry["key"]: entry for entry in journal.entries(histories.PART)}
    rows = [
        [key, *_score(score_history(entries[key], generated.BUMP, confirmed=key == "confirmed"))]
        for key in ("proposed", "confirmed")
        if key in entries
    ]
    head = ["", "found at the exact commit", "missed", "commits blamed without cause", "steps at the bump"]
    title = f"A history of {generated.COMMITS} commits with {len(generated.STEPS)} planted steps"
    return section(title, table(head, rows)) if rows else ""


def _score(score: HistoryScore) -> list[str]:
    def sizes(values: tuple[float, ...]) -> str:
        return ", ".join(percent(value) for value in sorted(values)) or "none"

    labels = ", ".join(f"{score.at_bump.count(name)} {name}" for name in sorted(set(score.at_bump))) or "none"
    return [sizes(score.found), sizes(score.missed), str(len(score.blamed)), labels]


def _of(rate: Rate) -> str:
    return f"{rate.hits} of {rate.trials:,}"
